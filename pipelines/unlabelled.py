"""Examples without their gold: what is to be predicted need not be right, nor be there."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transforms.tasks.json_input import GOLD
from transforms.tasks.record import BadRecord, Example
from transforms.tasks.task import Task

_IDS = {"entity-linking": "text_id"}  # where it is not `id`
BY_TEXT = {"relation-extraction"}  # whose organisers know rows by their texts


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """A task as `ShardRecords` reads examples with it; gold is taken out before the task sees a row."""

    task: Task

    def examples(self, text: str, label: str) -> Iterator[Example | BadRecord]:
        """The examples of a text. Behind what is wrong with a row comes an example without texts, if it has a name.

        So a row whose text is empty still has its place among the predictions.
        """
        gold = GOLD[self.task.name]

        def without(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            return {name: None if name == gold else value for name, value in pairs}

        try:
            row = json.loads(text, object_pairs_hook=without)
        except (ValueError, RecursionError):
            row = None
        try:
            yield from self.task.examples(text if row is None else json.dumps(row), label)
        except BadRecord as error:
            yield error
            if self.task.reads == "lines" and isinstance(row, dict) and (named := _named(self.task.name, row)):
                yield Example(named.get("id", ""), (), gold=nothing(self.task.name, **named))


def nothing(task: str, *, id: str = "", text: str = "") -> dict[str, Any]:
    """The prediction for an example of which there is nothing to say.

    >>> nothing("relation-extraction", id="r1"), nothing("event-extraction", id="e1")
    ({'id': 'r1', 'text': '', 'spo_list': []}, {'id': 'e1', 'event_list': []})
    """
    if task == "reading-comprehension":
        return {"id": id, "answer": ""}
    said = {} if task == "event-extraction" and id else {"text": text}
    return {_IDS.get(task, "id"): id, **said, GOLD[task]: []}


def first_of_each(task: str, predictions: Iterable[Mapping[str, Any]], good: Iterable[bool]) -> list[Mapping[str, Any]]:
    """What organisers take: one prediction for what they know an example by, its id, or its text where that has none.

    The first that is `good`, made for a row that could be read, or else the first.

    >>> rows = [{"id": "a", "event_list": []}, {"id": "a", "event_list": [1]}, {"id": "a", "event_list": [2]}]
    >>> first_of_each("event-extraction", rows, [False, True, True])
    [{'id': 'a', 'event_list': [1]}]
    """
    name, rows = "text" if task in BY_TEXT else _IDS.get(task, "id"), list(zip(predictions, good, strict=True))
    chosen = dict[str, int]()
    for number, (row, whole) in enumerate(rows):
        key = row[name] or row.get("text", "") or row.get("id", "")
        if key not in chosen or (whole and not rows[chosen[key]][1]):
            chosen[key] = number
    return [rows[number][0] for number in sorted(chosen.values())]


def _named(task: str, row: Mapping[str, Any]) -> dict[str, str]:
    """Id and text of a row, as far as they can be written."""
    fields = {"id": _IDS.get(task, "id"), "text": "text"}
    found = {name: str(row[field]) for name, field in fields.items() if type(row.get(field)) in (str, int)}
    return {name: said for name, said in found.items() if said.strip() and said.isprintable()}
