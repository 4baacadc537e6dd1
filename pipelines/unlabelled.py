"""Examples without their gold: what is to be predicted need not be right, nor be there."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transforms.tasks.json_input import GOLD
from transforms.tasks.record import BadRecord, Example
from transforms.tasks.task import Extraction


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """A task as `ShardRecords` reads examples with it; gold is taken out before the task sees it."""

    task: Extraction

    def examples(self, text: str, label: str) -> Iterator[Example | BadRecord]:
        """The examples of a text. Behind what is wrong with one comes an example without texts, if it has a name.

        So a row whose text is empty, or a question, still has its place among the predictions.
        """
        gold = GOLD[self.task.name]

        def without(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            return {name: None if name == gold else value for name, value in pairs}

        try:
            row = json.loads(text, object_pairs_hook=without)
        except (ValueError, RecursionError):
            row = None
        rows = iter(self._rows(row))
        try:
            for found in self.task.examples(text if row is None else json.dumps(row), label):
                yield found
                of = next(rows, None)
                if isinstance(found, BadRecord):
                    yield from self._place(of)
        except BadRecord as error:
            yield error
            for of in rows:
                yield from self._place(of)

    def _rows(self, row: Any) -> list[Any]:
        """What is an example each, as far as it can be told."""
        if self.task.reads != "paragraphs":
            return [row]
        questions = row.get("qas") if isinstance(row, dict) else None
        return questions if isinstance(questions, list) else []

    def _place(self, row: Any) -> Iterator[Example]:
        """An example without texts, whose prediction is that there is nothing; none for a row without a name."""
        fields = {"id": self.task.id_name, "text": "text"}
        found = {name: row.get(field) for name, field in fields.items()} if isinstance(row, dict) else {}
        said = {name: str(of) for name, of in found.items() if type(of) in (str, int)}
        named = {name: of for name, of in said.items() if of.strip() and of.isprintable()}
        if named:
            yield Example(named.get("id", ""), (), gold=self.task.nothing(**named))


def first_of_each(
    known_by: str, predictions: Iterable[Mapping[str, Any]], good: Iterable[bool]
) -> list[Mapping[str, Any]]:
    """What organisers take: one prediction for what they know an example by, its id, or its text where that has none.

    The first that is `good`, made for a row that could be read, or else the first.

    >>> rows = [{"id": "a", "event_list": []}, {"id": "a", "event_list": [1]}, {"id": "a", "event_list": [2]}]
    >>> first_of_each("id", rows, [False, True, True])
    [{'id': 'a', 'event_list': [1]}]
    """
    rows, chosen = list(zip(predictions, good, strict=True)), dict[str, int]()
    for number, (row, whole) in enumerate(rows):
        key = row[known_by] or row.get("text", "") or row.get("id", "")
        if key not in chosen or (whole and not rows[chosen[key]][1]):
            chosen[key] = number
    return [rows[number][0] for number in sorted(chosen.values())]
