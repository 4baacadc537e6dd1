"""Event extraction, DuEE's format: events with their triggers, and arguments that play roles in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from transforms.tasks.json_input import field, json_lines, json_object, offset_field, one_text, text_field, write_lines
from transforms.tasks.model import CERTAIN, Arrays, ByIds, Model, padded
from transforms.tasks.pointers import Floats, pointed, pointers, text_of, text_tokens, token_spans
from transforms.tasks.record import TEXT, BadRecord, Example, Kind, Record, Schema, marked, text_features
from transforms.tasks.scores import event_extraction as scoring
from transforms.tasks.spans import columns, placed
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import Tokens, pair


@dataclass(frozen=True, slots=True)
class EventExtraction:
    """Records: a text, its events and their arguments.

    The label of an argument is `event type/role`; `argument_events` tells which event it belongs to, `trigger_events`
    of which event a trigger is, as an event need not have one. A model points at
    the first and the last token of arguments, for each label by itself: a span may have two roles, and what overlaps is
    told apart, which a tagger has no tags for, with a CRF (kexue.fm 7321) or without. Triggers are not asked for, nor
    which of two events of a type an argument belongs to: neither is scored.
    """

    vocabulary: Vocabulary
    max_length: int
    labels: Mapping[str, Sequence[str]]

    name: ClassVar[str] = "event-extraction"
    reads: ClassVar[str] = "lines"
    default_length: ClassVar[int] = 256
    listed: ClassVar[str] = "yes"
    id_name: ClassVar[str] = "id"
    known_by: ClassVar[str] = "id"
    archived: ClassVar[bool] = False
    schema: ClassVar[Schema] = {
        **TEXT,
        "trigger_begins": Kind.INTEGERS,
        "trigger_ends": Kind.INTEGERS,
        "trigger_events": Kind.INTEGERS,
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
        yield one_text(json_object(text), id=self.id_name, gold="event_list")

    def records(self, example: Example, tokens: Sequence[Tokens]) -> Iterator[Record]:
        """The one record of an example."""
        text, (of_text,) = example.texts[0], tokens
        encoding = pair(of_text, vocabulary=self.vocabulary, max_length=self.max_length)
        triggers, triggered, types, arguments, roles, events = [], [], [], [], [], []
        for number, event in enumerate(example.gold or ()):
            of = f"event_list, item {number}: "
            types.append(text_field(event, "event_type", of=of))
            if event.get("trigger") is not None:
                trigger = text_field(event, "trigger", of=of)
                begin = offset_field(event, "trigger_start_index", of=of)
                triggers.append(placed(text, trigger, begin, of_text, name=f"{of}trigger"))
                triggered.append(number)
            for place, argument in enumerate(field(event, "arguments", list, of=of)):
                at = f"{of}arguments, item {place}: "
                said = text_field(argument, "argument", of=at)
                begin = offset_field(argument, "argument_start_index", of=at)
                arguments.append(placed(text, said, begin, of_text, name=f"{at}argument"))
                roles.append(f"{types[-1]}/{text_field(argument, 'role', of=at)}")
                scoring.alias_field(argument, of=at)  # is not in the records, but what is scored has it
                events.append(number)
        trigger_begins, trigger_ends = columns(triggers)
        argument_begins, argument_ends = columns(arguments)
        yield {
            **text_features(example, encoding),
            "trigger_begins": trigger_begins,
            "trigger_ends": trigger_ends,
            "trigger_events": np.array(triggered, np.int32),
            "event_types": types,
            "argument_begins": argument_begins,
            "argument_ends": argument_ends,
            "argument_roles": roles,
            "argument_events": np.array(events, np.int32),
        }

    def targets(self, record: Record, rng: np.random.Generator) -> dict[str, Any]:
        """`ids` int32 [n]; `roles` float32 [n, labels, 2]: where arguments begin and end. Nothing is drawn."""
        return {"ids": record["ids"].astype(np.int32), "roles": self._roles(record)}

    def shapes(self, length: int) -> dict[str, tuple[int, ...]]:
        """The shapes of targets in a batch of records of `length` tokens."""
        return {"ids": (length,), "roles": (length, len(self.labels["argument_roles"]), 2)}

    def _roles(self, record: Record) -> Floats:
        spans, whole = token_spans(record, record["argument_begins"], record["argument_ends"])
        roles = np.asarray(record["argument_roles"], np.int64)[whole]
        return pointers(spans[whole], roles, tokens=len(record["ids"]), kinds=len(self.labels["argument_roles"]))

    def decode(self, records: Sequence[Record], model: Model, *, threshold: float = 0.4) -> list[dict[str, Any]]:
        """The arguments of each record with their places in its text, in one event of each type.

        `model`: `ids` to `roles`, logits.
        """
        logits = model({"ids": padded([record["ids"] for record in records])})["roles"]
        events: list[dict[str, list[dict[str, Any]]]] = [{} for _ in records]
        for row, label, first, last in pointed(logits, allowed=text_tokens(records), threshold=threshold).tolist():
            kind, _, role = self.labels["argument_roles"][label].rpartition("/")
            said, begin = text_of(records[row], first, last), int(records[row]["begins"][first])
            argument = {"role": role, "argument": said, "argument_start_index": begin}
            events[row].setdefault(kind, []).append(argument)
        return [
            {
                "id": record["id"],
                "event_list": [{"event_type": kind, "arguments": arguments} for kind, arguments in found.items()],
            }
            for record, found in zip(records, events, strict=True)
        ]

    def perfect(self, records: Sequence[Record]) -> Model:
        """The model that answers from the records' own gold."""
        known = ByIds(records)

        def model(inputs: Arrays) -> Arrays:
            rows, tokens = inputs["ids"].shape
            roles = np.full((rows, *self.shapes(tokens)["roles"]), -CERTAIN, np.float32)
            for row, ids in enumerate(inputs["ids"]):
                for record in known[ids]:
                    roles[row, : len(record["ids"])][self._roles(record) > 0] = CERTAIN
            return {"roles": roles}

        return model

    def gold(self, records: Sequence[Record]) -> Any:
        """The arguments by id."""
        return self.read_gold(self.write([self._row(record) for record in records]))

    def _row(self, record: Record) -> dict[str, Any]:
        """A record's gold as a row of the organisers' format."""
        types, roles = self.labels["event_types"], self.labels["argument_roles"]
        events: list[dict[str, Any]] = [{"event_type": types[kind], "arguments": []} for kind in record["event_types"]]
        for place, (role, event) in enumerate(zip(record["argument_roles"], record["argument_events"], strict=True)):
            argument = {"role": roles[role].rpartition("/")[2], "argument": marked(record, "argument", place)}
            events[event]["arguments"].append(argument)
        return {"id": record["id"], "event_list": events}

    @staticmethod
    def nothing(*, id: str = "", text: str = "") -> dict[str, Any]:
        """No events; by its text a row is known only where it has no id."""
        return {"id": id, **({} if id else {"text": text}), "event_list": []}

    write = staticmethod(write_lines)
    read_predictions = staticmethod(scoring.read_predictions)
    read_gold = staticmethod(scoring.read_gold)
    score = staticmethod(scoring.score)

    def marks(self, record: Record) -> Iterator[tuple[int, int, str]]:
        """What a person wants to see in the text."""
        types, roles = self.labels["event_types"], self.labels["argument_roles"]
        for place, event in enumerate(record["trigger_events"]):
            kind = types[record["event_types"][event]]
            yield int(record["trigger_begins"][place]), int(record["trigger_ends"][place]), f"{event} {kind}"
        for place, (role, event) in enumerate(zip(record["argument_roles"], record["argument_events"], strict=True)):
            begin, end = int(record["argument_begins"][place]), int(record["argument_ends"][place])
            yield begin, end, f"{event} {roles[role].rpartition('/')[2]}"
