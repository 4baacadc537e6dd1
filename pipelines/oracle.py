"""The best that decoding can do: gold goes through records as bytes, a perfect model and the decoder, and is scored."""

import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets import read_record
from pipelines.errors import InputError
from pipelines.examples import ShardRecords
from pipelines.linking import beside
from pipelines.made_entities import made_knowledge_base
from pipelines.scores import read_gold
from pipelines.storage.batches import DeadLetter
from pipelines.storage.knowledge_base import open_knowledge_base
from pipelines.storage.readers import read_batches
from pipelines.storage.record_tables import encode_table
from pipelines.storage.shards import whole
from pipelines.storage.sources import Reading, discover
from pipelines.task_options import read_labels, read_vocabulary
from transforms.knowledge_base import lowered
from transforms.splits import Splits
from transforms.tasks.entity_linking import EntityLinking
from transforms.tasks.entity_linking_candidates import Candidates, Statistics
from transforms.tasks.record import Kind, Record
from transforms.tasks.task import TASKS, Extraction, tokenizer_of
from transforms.tfrecord import frame, read_frames
from transforms.vocabulary import SPECIAL_TOKENS, Vocabulary

_AT_ONCE = 32  # examples
_MADE_OF = "0123456789"  # what descriptions in a made knowledge base are made of
_HELD_OUT = Splits((("dev", 1.0),), files=1)


@dataclass(frozen=True, slots=True)
class Oracle:
    """A task, a file's examples as a file of records, and why others are bad."""

    task: Extraction
    framed: bytes
    dead: Sequence[DeadLetter]
    cut: int  # examples with a text that is too long for their records

    @staticmethod
    def of(
        name: str,
        path: Path,
        *,
        schema: Path | None = None,
        vocabulary: Path | None = None,
        knowledge_base: Path | None = None,
        max_length: int = 0,
    ) -> "Oracle":
        """Raises InputError. Without `schema` labels are those of the file, without `vocabulary` tokens its characters,
        without `knowledge_base` entities its own.

        `max_length`: in tokens, 0 for the task's own.
        """
        kind = TASKS[name]
        reading = Reading(format=kind.reads)
        batches = list(read_batches([whole(source) for source in discover([str(path)], reading)], reading))

        def open_task(words: Vocabulary, labels: Any) -> tuple[Any, ShardRecords]:
            task = kind(words, max_length or kind.default_length, labels)
            return task, ShardRecords(task, tokenizer_of(task), _HELD_OUT, replace_errors=False)

        words = read_vocabulary(vocabulary) if vocabulary is not None else None
        if words is None:
            _, reader = open_task(Vocabulary(SPECIAL_TOKENS), {})
            texts = (text for batch in batches for _, made in reader.examples(batch) for text in made.texts)
            if name == EntityLinking.name:
                words = vocabulary_of(map(lowered, itertools.chain(texts, _MADE_OF)), inside=False)
            else:
                words = vocabulary_of(texts)
        task, made = open_task(words, {} if schema is None else read_labels(name, schema))
        for batch in batches:
            made.add(batch, split="")
        found = made.table(0)
        if not found:
            raise InputError(f"{path}: no example in it" + "".join(f": {letter.reason}" for letter in made.dead[:1]))
        task = replace(task, labels=task.labels or _labels(task, found[0]))
        framed = b"".join(frame(encode_table(found[0], task.schema, task.labels)))
        oracle = Oracle(task, framed, made.dead, made.totals["cut"])
        if name != EntityLinking.name:
            return oracle
        known = open_knowledge_base(knowledge_base) if knowledge_base else made_knowledge_base(oracle.records())
        return replace(oracle, task=replace(task, candidates=Candidates(known)))

    def records(self) -> Iterator[Record]:
        """The records, read again."""
        for _, raw in read_frames(io.BytesIO(self.framed), name="oracle"):
            yield read_record(raw, self.task.schema)

    def predictions(self, records: Iterable[Record]) -> list[dict[str, Any]]:
        """What the decoder makes of the answers of a perfect model."""
        of_example: dict[str, list[Record]] = {}
        for record in records:
            of_example.setdefault(record["id"], []).append(record)
        found, examples = [], iter(of_example.values())
        while some := list(itertools.chain.from_iterable(itertools.islice(examples, _AT_ONCE))):
            found += self.task.decode(some, self.task.perfect(some))
        return found


def score_oracle(oracle: Oracle, gold: Path) -> dict[str, float]:
    """The task's metrics, 0 to 1, of the organisers' file that predictions make; raises InputError.

    A bad example has no prediction.
    """
    right = read_gold(oracle.task.name, gold)
    submitted = oracle.task.write(oracle.predictions(oracle.records()))
    predictions = oracle.task.read_predictions(submitted)
    found = oracle.task.score(predictions, right)
    if isinstance(oracle.task, EntityLinking) and oracle.task.candidates is not None:
        records, candidates = list(oracle.records()), oracle.task.candidates
        statistics = Statistics.of(records, candidates.knowledge_base)
        found |= beside(records, candidates, predictions, right, statistics)
    return found


def vocabulary_of(texts: Iterable[str], *, inside: bool = True) -> Vocabulary:
    """A vocabulary of all characters that texts have, each also as the next piece of a word if it is `inside` of one.

    >>> vocabulary_of(["b a"]).tokens[5:], vocabulary_of(["b a"], inside=False).tokens[5:]
    (('a', 'b', '##a', '##b'), ('a', 'b'))
    """
    known = sorted({character for text in texts for character in text if not character.isspace()})
    return Vocabulary((*SPECIAL_TOKENS, *known, *(f"##{character}" for character in known if inside)))


def _labels(task: Any, table: pa.Table) -> dict[str, tuple[str, ...]]:
    """All that stand in records."""
    names = [name for name, kind in task.schema.items() if kind is Kind.LABELS]
    return {name: tuple(sorted(pc.unique(pc.list_flatten(table[name])).to_pylist())) for name in names}
