"""What a shard's examples become: records of a task, by output file, and dead letters of those that are bad."""

from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.storage.batches import Batch, DeadLetter
from pipelines.storage.record_tables import BY_KEY, Place, to_table
from transforms.splits import TEST, Splits
from transforms.tasks.masked_language_model import MaskedLanguageModel
from transforms.tasks.record import BadRecord, Example, Kind, Record, Schema, check, is_cut
from transforms.tasks.task import Task
from transforms.wordpiece import Tokenizer, Tokens


class ShardRecords:
    """The records of a shard."""

    def __init__(self, task: Task, tokenizer: Tokenizer, splits: Splits, *, replace_errors: bool) -> None:
        self.task, self.tokenizer, self.splits, self.replace_errors = task, tokenizer, splits, replace_errors
        self.dead: list[DeadLetter] = []
        self.totals = Counter(documents=0, records=0, tokens=0, cut=0, mended=0)
        self.labels: dict[str, dict[str, int]] = {}
        self._tables: dict[int, list[pa.Table]] = {}

    def add(self, batch: Batch, *, split: str) -> None:
        """Makes records of a batch of inputs. `split`: what they were named for, if anything."""
        self.dead += batch.dead
        found = list(self.examples(batch))
        unique = list(dict.fromkeys(text for _, example in found for text in example.texts))
        tokens = dict(zip(unique, self.tokenizer.tokenize(unique), strict=True))
        made: dict[int, list[tuple[Record, Place]]] = {}
        for count, (document, example) in enumerate(found):
            in_split = self.splits.split(example.group or example.id, split=split)
            try:
                if example.missing and in_split != TEST:
                    raise BadRecord(
                        f"field {example.missing!r} is missing: split {in_split} needs gold; else name it test=FILE"
                    )
                of_texts = [tokens[text] for text in example.texts]
                records = list(self._checked(example, of_texts))
            except BadRecord as error:
                self.dead.append(batch.dead_letter(document, f"{named(example)}{error}"))
                continue
            cut = "ends" in self.task.schema and is_cut(records, of_texts)
            counts, unnamed = (cut, example.mended), (None, None, None, None)
            at = (example.id, *batch.position(document), count, *counts) if example.named else (*unnamed, *counts)
            rows = made.setdefault(self.splits.place(example.id, split=in_split), [])
            for number, record in enumerate(records):
                rows.append((record, Place(self.splits.key(example.id, number), number, *at)))
            self.totals["documents"] += 1
            self.totals.update(cut=cut, mended=example.mended)
            self._count(records)
        for file, rows in made.items():
            table = to_table([record for record, _ in rows], held_schema(self.task), [place for _, place in rows])
            self._tables.setdefault(file, []).append(table)

    def examples(self, batch: Batch) -> Iterator[tuple[int, Example]]:
        """The examples of a batch, each behind the number of its document; bad ones become dead letters."""
        texts, failures = batch.texts(replace_errors=self.replace_errors)
        self.dead += failures
        for document, text in texts.items():
            try:
                for example in self.task.examples(text, batch.labels[document]):
                    if isinstance(example, BadRecord):
                        self.dead.append(batch.dead_letter(document, str(example)))
                    else:
                        yield document, example
            except BadRecord as error:
                self.dead.append(batch.dead_letter(document, str(error)))

    def _checked(self, example: Example, tokens: Sequence[Tokens]) -> Iterator[Record]:
        for record in self.task.records(example, tokens):
            held = held_schema(self.task)
            most = self.task.max_length if held is self.task.schema else None  # what is packed later may be longer
            check(record, schema=held, labels=self.task.labels, max_length=most)
            yield record

    def _count(self, records: Sequence[Record]) -> None:
        self.totals["records"] += len(records)
        self.totals["tokens"] += sum(len(record["ids"]) for record in records)
        for name, kind in self.task.schema.items():
            if kind is Kind.LABEL:
                for record in records:
                    made = self.labels.setdefault(record[name], {"documents": 0, "tokens": 0})
                    made["documents"] += 1
                    made["tokens"] += len(record["ids"])

    def table(self, file: int) -> list[pa.Table]:
        """The records for an output file, sorted by key; none or one table."""
        tables = self._tables.get(file)
        if not tables:
            return []
        table = pa.concat_tables(tables)
        return [table.take(pc.sort_indices(table, sort_keys=BY_KEY))]


def named(example: Example) -> str:
    """An example's id as reasons begin with it, if its input gives one."""
    return f"id {example.id}: " if example.named else ""


def held_schema(task: Task) -> Schema:
    """What runs hold of a record: more than it will have where texts are packed together later."""
    return task.held if isinstance(task, MaskedLanguageModel) else task.schema
