"""Relation extraction, DuIE's format: subject, predicate, and an object that may have several slots."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from transforms.tasks.json_input import json_lines, json_object, one_text, text_field, write_lines
from transforms.tasks.model import CERTAIN, Arrays, ByIds, Model, padded
from transforms.tasks.pointers import (
    Floats,
    Numbers,
    pointed,
    pointers,
    text_of,
    text_tokens,
    token_spans,
)
from transforms.tasks.record import TEXT, BadRecord, Example, Kind, Record, Schema, marked, text_features
from transforms.tasks.scores import relation_extraction as scoring
from transforms.tasks.scores.relation_extraction import VALUE
from transforms.tasks.spans import columns, first
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import Tokens, pair

PARTS = ("subject", "object")
HALVES = 0.2  # the share of subjects whose last token is drawn anew
CLAUSE_ENDS = "，,。；;、！!?？"
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class RelationExtraction:
    """Records: a text and its triples, one for each slot of an object; `groups` tells which belong together.

    The label of a triple is `predicate_slot`, as 上映时间_@value and 上映时间_inArea; `labels`: all of them. A model
    points at subjects, then at the objects of one that it is told, for each label by itself (kexue.fm 7161, 7321).
    """

    vocabulary: Vocabulary
    max_length: int
    labels: Mapping[str, Sequence[str]]

    name: ClassVar[str] = "relation-extraction"
    reads: ClassVar[str] = "lines"
    default_length: ClassVar[int] = 256
    listed: ClassVar[str] = "yes"
    id_name: ClassVar[str] = "id"
    known_by: ClassVar[str] = "text"
    archived: ClassVar[bool] = True
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
            slots = sorted(_slots(row, "object_type", of=of))
            if wrong := [slot for slot in slots if "_" in slot]:
                raise BadRecord(f"{of}slot {wrong[0]!r}: has an underscore, which stands between predicate and slot")
            names += [f"{predicate}_{slot}" for slot in slots]
        return {"predicates": tuple(dict.fromkeys(names))}

    def examples(self, text: str, label: str) -> Iterator[Example | BadRecord]:
        """The example of a line."""
        yield one_text(json_object(text), id=self.id_name, gold="spo_list")

    def records(self, example: Example, tokens: Sequence[Tokens]) -> Iterator[Record]:
        """The one record of an example; a span is the first place where its string stands."""
        text, (of_text,) = example.texts[0], tokens
        encoding = pair(of_text, vocabulary=self.vocabulary, max_length=self.max_length)
        subjects, objects, predicates, groups = [], [], [], []
        for group, spo in enumerate(example.gold or ()):
            of = f"spo_list, item {group}: "
            subject, predicate = text_field(spo, "subject", of=of), text_field(spo, "predicate", of=of)
            for slot, said in sorted(_slots(spo, "object", of=of).items()):
                if said == "":
                    raise BadRecord(f"{of}slot {slot!r} is empty: leave it out, as the metric counts it")
                subjects.append(first(text, subject, of_text, name=f"{of}subject"))
                objects.append(first(text, text_field({slot: said}, slot, of=of), of_text, name=f"{of}object"))
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

    def targets(self, record: Record, rng: np.random.Generator) -> dict[str, Any]:
        """`ids` int32 [n]; `subject_pointers` float32 [n, 2]; the `subject` that was drawn, its first and last token,
        int32 [2]; and `object_pointers` float32 [n, labels, 2], its objects.

        A fifth of the last tokens are drawn anew, among those of all subjects that are not before the first: what is
        made of two halves has no object, and a model learns so. kexue.fm 7161 draws all of them so; of a text with
        eleven subjects it would then see a whole one every fourth time. Without a subject it is [CLS], 0 to 0.
        """
        gold = self._gold(record)
        tokens, subject = len(record["ids"]), [0, 0]
        if subjects := sorted(set(map(tuple, gold.subjects.tolist()))):
            subject = list(subjects[rng.integers(len(subjects))])
            if rng.random() < HALVES:
                ends = [end for _, end in subjects if end >= subject[0]]
                subject[1] = ends[rng.integers(len(ends))]
        return {
            "ids": record["ids"].astype(np.int32),
            "subject_pointers": gold.subject_pointers(tokens),
            "subject": np.array(subject, np.int32),
            "object_pointers": gold.object_pointers(subject, tokens, kinds=len(self.labels["predicates"])),
        }

    def shapes(self, length: int) -> dict[str, tuple[int, ...]]:
        """The shapes of targets in a batch of records of `length` tokens."""
        objects = (length, len(self.labels["predicates"]), 2)
        return {"ids": (length,), "subject_pointers": (length, 2), "subject": (2,), "object_pointers": objects}

    def _gold(self, record: Record) -> "_Gold":
        begins, ends = (np.concatenate([record[f"{part}_{edge}"] for part in PARTS]) for edge in ("begins", "ends"))
        spans, whole = token_spans(record, begins, ends)
        (subjects, objects), (known, both) = spans.reshape(2, -1, 2), whole.reshape(2, -1)
        both = known & both
        labels = np.asarray(record["predicates"], np.int64)
        return _Gold(subjects[known], subjects[both], objects[both], labels[both])

    def decode(
        self, records: Sequence[Record], model: Model, *, subject_threshold: float = 0.4, object_threshold: float = 0.4
    ) -> list[dict[str, Any]]:
        """The triples of each record; `model`: `ids` to `subjects`, and with `subjects` to `objects`, logits.

        All objects of a subject and predicate are kept; those with several slots are put together by `combined`.
        """
        ids, allowed = padded([record["ids"] for record in records]), text_tokens(records)
        logits = model({"ids": ids})["subjects"][:, :, None]
        rows, _, *edges = pointed(logits, allowed=allowed, threshold=subject_threshold).T
        found: list[dict[tuple[str, str], dict[str, list[Span]]]] = [{} for _ in records]
        if len(rows):
            subjects = np.stack(edges, axis=-1).astype(np.int32)
            logits = model({"ids": ids[rows], "subjects": subjects})["objects"]
            spans = pointed(logits, allowed=allowed[rows], threshold=object_threshold)
            for number, label, first, last in spans.tolist():
                row = int(rows[number])
                record = records[row]
                predicate, _, slot = self.labels["predicates"][label].rpartition("_")
                slots = found[row].setdefault((text_of(record, *subjects[number]), predicate), {})
                slots.setdefault(slot, []).append((int(record["begins"][first]), int(record["ends"][last])))
        return [
            {
                "id": record["id"],
                "text": record["text"],
                "spo_list": [
                    {"subject": subject, "predicate": predicate, "object": item}
                    for (subject, predicate), slots in of_record.items()
                    for item in combined(record["text"], slots)
                ],
            }
            for record, of_record in zip(records, found, strict=True)
        ]

    def perfect(self, records: Sequence[Record]) -> Model:
        """The model that answers from the records' own gold."""
        known = ByIds(records)

        def model(inputs: Arrays) -> Arrays:
            rows, tokens = inputs["ids"].shape
            asked = inputs.get("subjects")
            shape = (2,) if asked is None else (len(self.labels["predicates"]), 2)
            logits = np.full((rows, tokens, *shape), -CERTAIN, np.float32)
            for row, ids in enumerate(inputs["ids"]):
                for record in known[ids]:
                    gold, size = self._gold(record), len(record["ids"])
                    if asked is None:
                        found = gold.subject_pointers(size)
                    else:
                        found = gold.object_pointers(asked[row].tolist(), size, kinds=shape[0])
                    logits[row, :size][found > 0] = CERTAIN
            return {"subjects" if asked is None else "objects": logits}

        return model

    def gold(self, records: Sequence[Record]) -> Any:
        """The triples by text."""
        return self.read_gold(self.write([self._row(record) for record in records]))

    def _row(self, record: Record) -> dict[str, Any]:
        """A record's gold as a row of the organisers' format."""
        items: dict[int, dict[str, Any]] = {}
        for place, (label, group) in enumerate(zip(record["predicates"], record["groups"].tolist(), strict=True)):
            predicate, _, slot = self.labels["predicates"][label].rpartition("_")
            subject, value = (marked(record, part, place) for part in PARTS)
            items.setdefault(group, {"subject": subject, "predicate": predicate, "object": {}})["object"][slot] = value
        return {"text": record["text"], "spo_list": list(items.values())}

    @staticmethod
    def nothing(*, id: str = "", text: str = "") -> dict[str, Any]:
        """No triples."""
        return {"id": id, "text": text, "spo_list": []}

    write = staticmethod(write_lines)
    read_predictions = staticmethod(scoring.read_predictions)
    read_gold = staticmethod(scoring.read_gold)
    score = staticmethod(scoring.score)

    def marks(self, record: Record) -> Iterator[tuple[int, int, str]]:
        """What a person wants to see in the text."""
        names = self.labels["predicates"]
        triples = zip(record["predicates"], record["groups"], strict=True)
        for place, (predicate, group) in enumerate(triples):
            for part in PARTS:
                label = f"{group} {names[predicate]} {part}"
                yield int(record[f"{part}_begins"][place]), int(record[f"{part}_ends"][place]), label


@dataclass(frozen=True, slots=True)
class _Gold:
    """Tokens [n, 2] of what lies wholly in a record: all `subjects`; of triples `heads`, `objects` and `labels`."""

    subjects: Numbers
    heads: Numbers
    objects: Numbers
    labels: Numbers

    def subject_pointers(self, tokens: int) -> Floats:
        return pointers(self.subjects, np.zeros(len(self.subjects), np.int64), tokens=tokens, kinds=1)[:, 0]

    def object_pointers(self, subject: Sequence[int], tokens: int, *, kinds: int) -> Floats:
        chosen = (self.heads == subject).all(axis=1)
        return pointers(self.objects[chosen], self.labels[chosen], tokens=tokens, kinds=kinds)


def combined(text: str, slots: Mapping[str, Sequence[Span]]) -> list[dict[str, str]]:
    """The objects that spans in slots make together: each value with what is nearest to it in every other slot.

    What is nearest to no value goes to the value that is nearest to it; without a value there is no object.

    >>> text = "林远在《春夏》饰演周舟，《海雾》饰演甲"
    >>> for item in combined(text, {"@value": [(9, 11), (18, 19)], "inWork": [(4, 6), (13, 15)]}):
    ...     print(item)
    {'@value': '周舟', 'inWork': '春夏'}
    {'@value': '甲', 'inWork': '海雾'}
    """
    values = slots.get(VALUE, ())
    others = {slot: spans for slot, spans in slots.items() if slot != VALUE}

    def nearest(span: Span, spans: Sequence[Span]) -> Span:
        return min(spans, key=lambda other: _distance(text, *sorted((span, other))))

    def of_value(value: Span) -> dict[str, Span]:
        return {VALUE: value, **{slot: nearest(value, spans) for slot, spans in others.items()}}

    made = [of_value(value) for value in values]
    for slot, spans in others.items():
        taken = {item[slot] for item in made}
        left = [span for span in spans if span not in taken] if values else []
        made += [{**of_value(nearest(span, values)), slot: span} for span in left]
    said = [tuple((slot, text[slice(*item[slot])]) for slot in sorted(item)) for item in made]
    return [dict(item) for item in dict.fromkeys(said)]


def _distance(text: str, first: Span, second: Span) -> int:
    """Characters between two spans; a mark that parts clauses is as far as ten others."""
    between = text[first[1] : second[0]]
    return len(between) + 10 * sum(map(between.count, CLAUSE_ENDS))


def _slots(row: dict[str, Any], name: str, *, of: str) -> dict[str, Any]:
    """What stands in each slot of an object or its type; DuIE 1.0 has only one slot, without a name.

    Raises BadRecord where there is none.
    """
    value = row.get(name)
    if value == {}:
        raise BadRecord(f"{of}field {name!r} has no slot")
    return value if isinstance(value, dict) else {VALUE: text_field(row, name, of=of)}
