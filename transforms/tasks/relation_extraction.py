"""Relation extraction, DuIE's format: subject, predicate, and an object that may have several slots."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from transforms.tasks.json_input import gold_field, id_field, json_lines, json_object, text_field
from transforms.tasks.record import TEXT, BadRecord, Example, Kind, Record, Schema, content_id, text_features
from transforms.tasks.spans import columns, first
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import Tokens, pair

VALUE = "@value"


@dataclass(frozen=True, slots=True)
class RelationExtraction:
    """Records: a text and its triples, one for each slot of an object; `groups` tells which belong together.

    The label of a triple is `predicate_slot`, as 上映时间_@value and 上映时间_inArea; `labels`: all of them.
    """

    vocabulary: Vocabulary
    max_length: int
    labels: Mapping[str, Sequence[str]]

    name: ClassVar[str] = "relation-extraction"
    reads: ClassVar[str] = "lines"
    default_length: ClassVar[int] = 256
    schema: ClassVar[Schema] = {
        **TEXT,
        "subject_begins": Kind.INTEGERS,
        "subject_ends": Kind.INTEGERS,
        "predicates": Kind.LABELS,
        "object_begins": Kind.INTEGERS,
        "object_ends": Kind.INTEGERS,
        "groups": Kind.INTEGERS,
    }

    @staticmethod
    def read_labels(content: bytes) -> dict[str, tuple[str, ...]]:
        """The labels of DuIE's `schema.json`, in its order; raises ValueError for a bad line."""
        names = []
        for of, row in json_lines(content):
            predicate = text_field(row, "predicate", of=of)
            names += [f"{predicate}_{slot}" for slot in sorted(_slots(row, "object_type"))]
        return {"predicates": tuple(dict.fromkeys(names))}

    def examples(self, text: str, label: str) -> Iterator[Example | BadRecord]:
        """The example of a line."""
        row = json_object(text)
        said = text_field(row, "text")
        yield Example(id_field(row, "id") or content_id(said), (said,), gold_field(row, "spo_list"))

    def records(self, example: Example, tokens: Sequence[Tokens]) -> Iterator[Record]:
        """The one record of an example; a span is the first place where its string stands."""
        text, (of_text,) = example.texts[0], tokens
        encoding = pair(of_text, vocabulary=self.vocabulary, max_length=self.max_length)
        subjects, objects, predicates, groups = [], [], [], []
        for group, spo in enumerate(example.gold):
            of = f"spo_list, item {group}: "
            subject, predicate = text_field(spo, "subject", of=of), text_field(spo, "predicate", of=of)
            slots = {slot: said for slot, said in _slots(spo, "object").items() if said}
            if not slots:
                raise BadRecord(f"{of}field 'object' is missing or empty")
            for slot in sorted(slots):
                subjects.append(first(text, subject, of_text, name="subject"))
                objects.append(first(text, text_field(slots, slot, of=of), of_text, name="object"))
                predicates.append(f"{predicate}_{slot}")
                groups.append(group)
        subject_begins, subject_ends = columns(subjects)
        object_begins, object_ends = columns(objects)
        yield {
            **text_features(example, encoding),
            "subject_begins": subject_begins,
            "subject_ends": subject_ends,
            "predicates": predicates,
            "object_begins": object_begins,
            "object_ends": object_ends,
            "groups": np.array(groups, np.int32),
        }

    def marks(self, record: Record) -> Iterator[tuple[int, int, str]]:
        """What a person wants to see in the text."""
        names = self.labels["predicates"]
        triples = zip(record["predicates"], record["groups"], strict=True)
        for place, (predicate, group) in enumerate(triples):
            for part in ("subject", "object"):
                label = f"{group} {names[predicate]} {part}"
                yield int(record[f"{part}_begins"][place]), int(record[f"{part}_ends"][place]), label


def _slots(row: dict[str, Any], name: str) -> dict[str, Any]:
    """What stands in each slot of an object or its type; DuIE 1.0 has only one slot, without a name."""
    value = row.get(name)
    return value if isinstance(value, dict) else {VALUE: value}
