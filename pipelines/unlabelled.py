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
}
_NAMES = ("id", "text")


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
            if self.task.reads == "lines" and isinstance(row, dict) and (named := _named(row)):
                yield Example(named.get("id", ""), (), gold=nothing(self.task.name, **named))


def nothing(task: str, *, id: str = "", text: str = "") -> dict[str, Any]:
    """The prediction for an example of which there is nothing to say.

    >>> nothing("event-extraction", id="e1")
    {'id': 'e1', 'text': '', 'event_list': []}
    """
    return {"id": id, "answer": ""} if task == "reading-comprehension" else {"id": id, "text": text, GOLD[task]: []}


def _named(row: Mapping[str, Any]) -> dict[str, str]:
    """Id and text of a row, as far as they can be written."""
    found = {name: str(row[name]) for name in _NAMES if isinstance(row.get(name), str | int)}
    return {name: said for name, said in found.items() if said.strip() and said.isprintable()}
