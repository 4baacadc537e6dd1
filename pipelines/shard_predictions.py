"""What a shard's examples are predicted to hold: a row for each, and dead letters of those that are bad."""

import functools
import itertools
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from pipelines.errors import InputError
from pipelines.examples import ShardRecords, named
from pipelines.storage.batches import Batch
from pipelines.trained_model import TrainedRun
from pipelines.unlabelled import Unlabelled
from transforms.splits import Splits
from transforms.tasks.model import Model
from transforms.tasks.record import BadRecord, Example, Record, is_cut
from transforms.tasks.task import Extraction
from transforms.wordpiece import Tokenizer

BATCH_SIZE = 32
_AT_ONCE = 64  # examples that are decoded together: a model's answers for all of them are held in memory
POSITION = [("source", pa.string()), ("offset", pa.int64()), ("number", pa.int32())]
# `id`: of a row that was predicted, if it has one of its own; `good`: whether a row was.
SCHEMA = pa.schema([("id", pa.string()), *POSITION, ("prediction", pa.string()), ("good", pa.bool_())])
_Key = tuple[str, tuple[str, ...]]  # id and texts of an example


@dataclass(frozen=True, slots=True)
class Opened:
    """What predictions are made with."""

    task: Extraction
    tokenizer: Tokenizer
    model: Model


@functools.lru_cache(maxsize=1)
def open_run(directory: Path, fingerprint: str, task: str, knowledge_base: Path | None) -> Opened:
    """Once a process; raises InputError for a run that is not the one that the job began with."""
    # A task has one core: others run beside it. And one thread adds up in one order.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    trained = TrainedRun.open(directory, task=task, knowledge_base=knowledge_base)
    if trained.fingerprint != fingerprint:
        raise InputError(f"{directory}: changed while predictions were made, or differs between workers: start again")
    opened, tokenizer = trained.task()
    return Opened(cast(Extraction, opened), tokenizer, trained.model(batch_size=BATCH_SIZE))


class ShardPredictions:
    """The predictions of a shard, and its dead letters."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.reader = ShardRecords(cast(Any, Unlabelled(opened.task)), opened.tokenizer, Splits(), replace_errors=False)
        self.totals = Counter(documents=0, predictions=0, tokens=0, cut=0)
        self._rows: list[tuple[str | None, str, int, int, str, bool]] = []

    def add(self, batch: Batch) -> None:
        """Predicts the examples of a batch of inputs; every one gets a row, whatever is wrong with it."""
        self.reader.dead += batch.dead
        found = list(self.reader.examples(batch))
        records, sizes = self._records(batch, found)
        said, numbers = self._decoded(records), Counter[int]()
        for document, example in found:
            key = (example.id, example.texts)
            row, (tokens, cut) = said.get(key), sizes.get(key, (0, False))
            self.totals.update(documents=row is not None, tokens=tokens, cut=cut)
            self.totals["predictions"] += 1
            text = json.dumps(row or example.gold or self.opened.task.nothing(id=example.id), ensure_ascii=False)
            own = example.id if row is not None and example.named and self.opened.task.known_by != "text" else None
            self._rows.append((own, *batch.position(document), numbers[document], text, row is not None))
            numbers[document] += 1

    def _records(
        self, batch: Batch, found: Sequence[tuple[int, Example]]
    ) -> tuple[dict[_Key, list[Record]], dict[_Key, tuple[int, bool]]]:
        """The records of each example, how many tokens they have, and whether a text is cut; of like examples once."""
        unique = list(dict.fromkeys(text for _, example in found for text in example.texts))
        tokens = dict(zip(unique, self.opened.tokenizer.tokenize(unique), strict=True))
        made, sizes = dict[_Key, list[Record]](), dict[_Key, tuple[int, bool]]()
        for document, example in found:
            key = (example.id, example.texts)
            if key in made or not example.texts:
                continue
            of_texts = [tokens[text] for text in example.texts]
            try:
                made[key] = list(self.opened.task.records(example, of_texts))
            except BadRecord as error:
                self.reader.dead.append(batch.dead_letter(document, f"{named(example)}{error}"))
                continue
            sizes[key] = sum(len(record["ids"]) for record in made[key]), is_cut(made[key], of_texts)
        return made, sizes

    def _decoded(self, records: dict[_Key, list[Record]]) -> dict[_Key, dict[str, Any]]:
        """The prediction for each example; those of like length are decoded together."""
        keys = sorted(records, key=lambda key: len(records[key][0]["ids"]))
        said: dict[_Key, dict[str, Any]] = {}
        for begin in range(0, len(keys), _AT_ONCE):
            some = keys[begin : begin + _AT_ONCE]
            together = list(itertools.chain.from_iterable(records[key] for key in some))
            said.update(zip(some, self.opened.task.decode(together, self.opened.model), strict=True))
        return said

    def table(self) -> pa.Table:
        """A row a prediction."""
        columns = list(zip(*self._rows, strict=True)) or [()] * len(SCHEMA)
        return pa.table([list(column) for column in columns], schema=SCHEMA)
