"""Event extraction, DuEE's format: events with their triggers, and arguments that play roles in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from transforms.tasks.json_input import field, gold_field, id_field, json_lines, json_object, offset_field, text_field
from transforms.tasks.record import TEXT, BadRecord, Example, Kind, Record, Schema, content_id, text_features
from transforms.tasks.spans import columns, placed
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import Tokens, pair


@dataclass(frozen=True, slots=True)
class EventExtraction:
    """Records: a text, its events and their arguments.

    The label of an argument is `event type/role`; `argument_events` tells which event it belongs to.
    """

    vocabulary: Vocabulary
    max_length: int
    labels: Mapping[str, Sequence[str]]

    name: ClassVar[str] = "event-extraction"
    reads: ClassVar[str] = "lines"
    default_length: ClassVar[int] = 256
    schema: ClassVar[Schema] = {
        **TEXT,
        "trigger_begins": Kind.INTEGERS,
        "trigger_ends": Kind.INTEGERS,
        "event_types": Kind.LABELS,
        "argument_begins": Kind.INTEGERS,
        "argument_ends": Kind.INTEGERS,
        "argument_roles": Kind.LABELS,
        "argument_events": Kind.INTEGERS,
    }

    @staticmethod
    def read_labels(content: bytes) -> dict[str, tuple[str, ...]]:
        """The labels of DuEE's `event_schema.json`, in its order; raises ValueError for a bad line."""
        types, roles = [], []
        for of, row in json_lines(content):
            types.append(text_field(row, "event_type", of=of))
            of_type = field(row, "role_list", list, of=of)
            roles += [f"{types[-1]}/{text_field(role, 'role', of=of)}" for role in of_type]
        return {"event_types": tuple(dict.fromkeys(types)), "argument_roles": tuple(dict.fromkeys(roles))}

    def examples(self, text: str, label: str) -> Iterator[Example | BadRecord]:
        """The example of a line."""
        row = json_object(text)
        said = text_field(row, "text")
        yield Example(id_field(row, "id") or content_id(said), (said,), gold_field(row, "event_list"))

    def records(self, example: Example, tokens: Sequence[Tokens]) -> Iterator[Record]:
        """The one record of an example."""
        text, (of_text,) = example.texts[0], tokens
        encoding = pair(of_text, vocabulary=self.vocabulary, max_length=self.max_length)
        triggers, types, arguments, roles, events = [], [], [], [], []
        for number, event in enumerate(example.gold):
            of = f"event_list, item {number}: "
            types.append(text_field(event, "event_type", of=of))
            trigger = text_field(event, "trigger", of=of)
            begin = offset_field(event, "trigger_start_index", of=of)
            triggers.append(placed(text, trigger, begin, of_text, name="trigger"))
            for argument in field(event, "arguments", list, of=of):
                said = text_field(argument, "argument", of=of)
                begin = offset_field(argument, "argument_start_index", of=of)
                arguments.append(placed(text, said, begin, of_text, name="argument"))
                roles.append(f"{types[-1]}/{text_field(argument, 'role', of=of)}")
                events.append(number)
        trigger_begins, trigger_ends = columns(triggers)
        argument_begins, argument_ends = columns(arguments)
        yield {
            **text_features(example, encoding),
            "trigger_begins": trigger_begins,
            "trigger_ends": trigger_ends,
            "event_types": types,
            "argument_begins": argument_begins,
            "argument_ends": argument_ends,
            "argument_roles": roles,
            "argument_events": np.array(events, np.int32),
        }

    def marks(self, record: Record) -> Iterator[tuple[int, int, str]]:
        """What a person wants to see in the text."""
        types, roles = self.labels["event_types"], self.labels["argument_roles"]
        for number, kind in enumerate(record["event_types"]):
            yield int(record["trigger_begins"][number]), int(record["trigger_ends"][number]), f"{number} {types[kind]}"
        for place, (role, event) in enumerate(zip(record["argument_roles"], record["argument_events"], strict=True)):
            begin, end = int(record["argument_begins"][place]), int(record["argument_ends"][place])
            yield begin, end, f"{event} {roles[role].rpartition('/')[2]}"
