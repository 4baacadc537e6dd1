"""Examples without their gold: what is to be predicted need not be right, nor be there."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transforms.tasks.record import BadRecord, Example
from transforms.tasks.task import Task

# The field in which each task's gold is.
GOLD: Mapping[str, str] = {
    "reading-comprehension": "answers",
    "relation-extraction": "spo_list",
    "event-extraction": "event_list",
    "entity-linking": "mention_data",
}
_IDS = {"entity-linking": "text_id"}  # where it is not `id`


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """A task as `ShardRecords` reads examples with it; gold is taken out before the task sees a row."""

    task: Task

    def examples(self, text: str, label: str) -> Iterator[Example | BadRecord]:
        """The examples of a text. Behind what is wrong with a row comes an example without texts, if it has a name.

        So a row whose text is empty still has its place among the predictions.
        """
        gold = GOLD[self.task.name]
        try:
            row = json.loads(text, object_pairs_hook=lambda pairs: {key: of for key, of in pairs if key != gold})
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

    >>> nothing("event-extraction", id="e1")
    {'id': 'e1', 'text': '', 'event_list': []}
    """
    if task == "reading-comprehension":
        return {"id": id, "answer": ""}
    return {_IDS.get(task, "id"): id, "text": text, GOLD[task]: []}


def _named(task: str, row: Mapping[str, Any]) -> dict[str, str]:
    """Id and text of a row, as far as they can be written."""
    fields = {"id": _IDS.get(task, "id"), "text": "text"}
    found = {name: str(row[field]) for name, field in fields.items() if isinstance(row.get(field), str | int)}
    return {name: said for name, said in found.items() if said.strip() and said.isprintable()}
