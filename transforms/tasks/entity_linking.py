"""Entity linking, CCKS2019's format: mentions in a short text and the entities of a knowledge base they stand for."""

import functools
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from transforms.characters import Characters
from transforms.knowledge_base import Matches, is_nil
from transforms.tasks.entity_linking_candidates import Candidates
from transforms.tasks.entity_linking_descriptions import Descriptions, Ids
from transforms.tasks.entity_linking_features import HITS, Pair, gold_spans, match_features, pair_features
from transforms.tasks.json_input import json_object, offset_field, one_text, text_field, write_lines
from transforms.tasks.model import CERTAIN, Arrays, ByIds, Model, padded
from transforms.tasks.pointers import Numbers, pointed, text_of, text_tokens
from transforms.tasks.record import TEXT, BadRecord, Example, Kind, Record, Schema, marked, text_features
from transforms.tasks.scores import entity_linking as scoring
from transforms.tasks.spans import at, columns
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import Tokenizer, Tokens, WordPiece, pair

_PAIRS_AT_ONCE = 256


@dataclass(frozen=True)
class EntityLinking:
    """Records: a text, its mentions, and the id of each one's entity, `NIL` for none; candidates are not frozen in.

    A model points at mentions, then tells of a mention and a candidate whether it is meant (kexue.fm 6919).
    `candidates`: what targets and decoding need beside records. `known_ids`: whether records may only hold ids that it
    has. `description_length`: in tokens.
    """

    vocabulary: Vocabulary
    max_length: int
    labels: Mapping[str, Sequence[str]]
    candidates: Candidates | None = None
    known_ids: bool = False
    description_length: int = 256

    name: ClassVar[str] = "entity-linking"
    reads: ClassVar[str] = "lines"
    default_length: ClassVar[int] = 128
    listed: ClassVar[str] = "no"
    id_name: ClassVar[str] = "text_id"
    known_by: ClassVar[str] = "text_id"
    archived: ClassVar[bool] = False
    schema: ClassVar[Schema] = {
        **TEXT,
        "mention_begins": Kind.INTEGERS,
        "mention_ends": Kind.INTEGERS,
        "entities": Kind.TEXTS,
    }

    def examples(self, text: str, label: str) -> Iterator[Example | BadRecord]:
        """The example of a line."""
        yield one_text(json_object(text), id=self.id_name, gold="mention_data")

    def records(self, example: Example, tokens: Sequence[Tokens]) -> Iterator[Record]:
        """The one record of an example."""
        text, (of_text,) = example.texts[0], tokens
        encoding = pair(of_text, vocabulary=self.vocabulary, max_length=self.max_length)
        mentions, entities = [], []
        for number, item in enumerate(example.gold or ()):
            of = f"mention_data, item {number}: "
            mentions.append(_placed(text, item, of))
            entities.append(self._checked(text_field(item, "kb_id", of=of), of))
        mention_begins, mention_ends = columns(mentions)
        yield {
            **text_features(example, encoding),
            "mention_begins": mention_begins,
            "mention_ends": mention_ends,
            "entities": entities,
        }

    def _checked(self, identifier: str, of: str) -> str:
        if self.known_ids and not is_nil(identifier) and self._known.knowledge_base.entity(identifier) < 0:
            raise BadRecord(f"{of}the knowledge base has no entity {identifier!r}")
        return identifier

    @functools.cached_property
    def tokenizer(self) -> Tokenizer:
        """What cuts texts and descriptions, in small letters: WordPiece, or characters where there are no pieces."""
        if self.vocabulary.has_pieces:
            return WordPiece(self.vocabulary, lowercase=True)
        return Characters(self.vocabulary)

    @functools.cached_property
    def _descriptions(self) -> Descriptions:
        return Descriptions(self._known.knowledge_base, self.tokenizer, length=self.description_length)

    @property
    def _known(self) -> Candidates:
        if self.candidates is None:
            raise ValueError("entity linking without a knowledge base: make the task with `candidates`")
        return self.candidates

    def targets(self, record: Record, rng: np.random.Generator) -> dict[str, Any]:
        """`ids` int32 [n]; `matches` float32 [n, 2], where maximum matches begin and end; `mention_pointers` float32
        [n, 2], where mentions do; `mention` float32 [n] at one of them, drawn; `description` int32 [m] and `hits`
        float32 [n, 3] of an entity drawn from all that have its name; `link` float32 [], whether that is meant; and
        `link_weight`, 0 for a text without a mention whose name is known. NIL is no mention.
        """
        matches = self._known.matches([record["text"]])
        spans, named = self._gold(record)
        pointers = np.zeros((len(record["ids"]), 2), np.float32)
        for edge in (0, 1):
            pointers[spans[:, edge], edge] = 1
        drawn = Pair(pointers[:, 0] * 0, np.zeros((len(pointers), HITS), np.float32))
        description = np.zeros(0, np.int32)
        of_mentions = [(span, one, self._known.all_of(name)) for span, (name, one) in zip(spans, named, strict=True)]
        linked = [(span, one, entities) for span, one, entities in of_mentions if entities]
        meant = False
        if linked:
            span, one, entities = linked[rng.integers(len(linked))]
            entity = entities[rng.integers(len(entities))]
            drawn = self._pair(record, matches, span, entity)
            (description,) = self._descriptions.of([entity])
            meant = self._known.knowledge_base.id(entity) == one
        return {
            "ids": record["ids"].astype(np.int32),
            "matches": match_features(record, matches),
            "mention_pointers": pointers,
            "mention": drawn.mention,
            "description": description,
            "hits": drawn.hits,
            "link": np.float32(meant),
            "link_weight": np.float32(bool(linked)),
        }

    def shapes(self, length: int) -> dict[str, tuple[int, ...]]:
        """The shapes of targets in a batch of records of `length` tokens."""
        two = dict.fromkeys(("matches", "mention_pointers"), (length, 2))
        return {
            "ids": (length,),
            **two,
            "mention": (length,),
            "description": (self.description_length,),
            "hits": (length, HITS),
            "link": (),
            "link_weight": (),
        }

    def _gold(self, record: Record) -> tuple[Numbers, list[tuple[str, str]]]:
        """Tokens [n, 2] of mentions that stand for an entity and lie in the record, and the name and id of each."""
        spans, whole = gold_spans(record)
        kept = np.array([not is_nil(one) for one in record["entities"]], np.bool_) & whole
        edges = zip(record["mention_begins"].tolist(), record["mention_ends"].tolist(), strict=True)
        said = [record["text"][begin:end] for begin, end in edges]
        return spans[kept], [(said[place], record["entities"][place]) for place in np.flatnonzero(kept)]

    def _pair(self, record: Record, matches: Matches, span: Sequence[int], entity: int) -> Pair:
        known = self._known.knowledge_base
        return pair_features(
            record,
            matches,
            span,
            known.description(entity),
            known.objects_of(entity),
        )

    def decode(
        self, records: Sequence[Record], model: Model, *, mention_threshold: float = 0.4, link_threshold: float = 0.1
    ) -> list[dict[str, Any]]:
        """The links of each record; `model`: `ids`, `matches` to `mentions`, logits [B, L, 2]; and with `mention`,
        `description`, `hits` of pairs to `link`, logits [B].

        A mention that is no name has no candidates and is dropped; of candidates the likeliest is taken, if it is over
        the threshold.
        """
        found = self._known.matches([record["text"] for record in records])
        bounds = np.searchsorted(found.rows, np.arange(len(records) + 1))
        of_record = [found.chosen(np.arange(*bounds[row : row + 2])) for row in range(len(records))]
        ids = padded([record["ids"] for record in records])
        features = [match_features(record, matches) for record, matches in zip(records, of_record, strict=True)]
        matches = _stacked(features, ids.shape[1])
        logits = model({"ids": ids, "matches": matches})["mentions"][:, :, None]
        spans = pointed(logits, allowed=text_tokens(records), threshold=mention_threshold)
        asked = [
            (row, (first, last), entity)
            for row, _, first, last in spans.tolist()
            for entity in self._known.of(text_of(records[row], first, last))
        ]
        best: dict[tuple[int, tuple[int, int]], tuple[float, int]] = {}
        for begin in range(0, len(asked), _PAIRS_AT_ONCE):
            some = asked[begin : begin + _PAIRS_AT_ONCE]
            pairs = [self._pair(records[row], of_record[row], span, entity) for row, span, entity in some]
            rows = [row for row, *_ in some]
            inputs = {
                "ids": ids[rows],
                "matches": matches[rows],
                "mention": _stacked([pair.mention for pair in pairs], ids.shape[1]),
                "description": padded(self._descriptions.of([entity for *_, entity in some])),
                "hits": _stacked([pair.hits for pair in pairs], ids.shape[1]),
            }
            for (row, span, entity), logit in zip(some, model(inputs)["link"].tolist(), strict=True):
                if (row, span) not in best or logit > best[row, span][0]:
                    best[row, span] = logit, entity
        least = math.log(link_threshold / (1 - link_threshold))
        kept: defaultdict[int, list[dict[str, str]]] = defaultdict(list)
        for (row, (first, last)), (logit, entity) in best.items():
            if logit >= least:
                offset = str(int(records[row]["begins"][first]))
                identifier = self._known.knowledge_base.id(entity)
                said = text_of(records[row], first, last)
                kept[row].append({"mention": said, "offset": offset, "kb_id": identifier})
        return [
            {"text_id": record["id"], "text": record["text"], "mention_data": kept[row]}
            for row, record in enumerate(records)
        ]

    def perfect(self, records: Sequence[Record]) -> Model:
        """The model that answers from the records' own gold; an entity is known to it by its description."""
        known = ByIds(records)

        def mentions(ids: Any) -> Any:
            logits = np.full((*ids.shape, 2), -CERTAIN, np.float32)
            for row, of_row in enumerate(ids):
                for record in known[of_row]:
                    spans, _ = self._gold(record)
                    for edge in (0, 1):
                        logits[row, spans[:, edge], edge] = CERTAIN
            return logits

        def meant(ids: Any, mention: Any, description: Any) -> bool:
            place = np.flatnonzero(mention)
            return any(
                np.array_equal(self._description(one), np.trim_zeros(description, "b"))
                for record in known[ids]
                for span, (_, one) in zip(*self._gold(record), strict=True)
                if np.array_equal(span, place[[0, -1]])
            )

        def model(inputs: Arrays) -> Arrays:
            if "description" not in inputs:
                return {"mentions": mentions(inputs["ids"])}
            asked = zip(inputs["ids"], inputs["mention"], inputs["description"], strict=True)
            return {"link": np.array([CERTAIN if meant(*row) else -CERTAIN for row in asked], np.float32)}

        return model

    def _description(self, identifier: str) -> Ids:
        """The description of the entity with an id, as a model reads it; of none, what no entity has."""
        entity = self._known.knowledge_base.entity(identifier)
        return self._descriptions.of([entity])[0] if entity >= 0 else np.full(1, -1, np.int32)

    def gold(self, records: Sequence[Record]) -> scoring.Links:
        """The links by id and text."""
        return self.read_gold(self.write([self._row(record) for record in records]))

    def _row(self, record: Record) -> dict[str, Any]:
        """A record's gold as a row of the organisers' format."""
        mentions = [
            {
                "mention": marked(record, "mention", place),
                "offset": str(int(record["mention_begins"][place])),
                "kb_id": entity,
            }
            for place, entity in enumerate(record["entities"])
        ]
        return {"text_id": record["id"], "text": record["text"], "mention_data": mentions}

    @staticmethod
    def nothing(*, id: str = "", text: str = "") -> dict[str, Any]:
        """No links."""
        return {"text_id": id, "text": text, "mention_data": []}

    write = staticmethod(write_lines)
    read_predictions = staticmethod(scoring.read_predictions)
    read_gold = staticmethod(scoring.read_gold)
    score = staticmethod(scoring.score)

    def marks(self, record: Record) -> Iterator[tuple[int, int, str]]:
        """What a person wants to see in the text."""
        for place, entity in enumerate(record["entities"]):
            yield int(record["mention_begins"][place]), int(record["mention_ends"][place]), entity


def _placed(text: str, item: Any, of: str) -> tuple[int, int]:
    """The span of a mention; raises BadRecord for what the organisers' metric would never find right."""
    mention, begin = text_field(item, "mention", of=of), offset_field(item, "offset", of=of)
    if begin < 0 or item["offset"] != str(begin):
        said = json.dumps(item.get("offset"))
        raise BadRecord(f"{of}field 'offset' is {said}: make it text that holds a whole number, as \"{max(0, begin)}\"")
    span = at(text, mention, begin, name=f"{of}mention")
    if (there := text[slice(*span)]) != mention:
        raise BadRecord(f"{of}mention {mention!r} stands in the text as {there!r}: write it so")
    return span


def _stacked(rows: Sequence[Any], length: int) -> Any:
    """Float features of rows, [n, ...] each, as float32 [rows, length, ...], filled up with 0."""
    table = np.zeros((len(rows), length, *rows[0].shape[1:]), np.float32)
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table
