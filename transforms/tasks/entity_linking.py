"""Entity linking, CCKS2019's format: mentions in a short text and the entities of a knowledge base they stand for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.tasks.json_input import json_object, offset_field, one_text, text_field
from transforms.tasks.record import TEXT, BadRecord, Example, Kind, Record, Schema, text_features
from transforms.tasks.spans import columns, placed
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import Tokens, pair


@dataclass(frozen=True, slots=True)
class EntityLinking:
    """Records: a text, its mentions, and the id of each one's entity, `NIL` for none; candidates are not frozen in."""

    vocabulary: Vocabulary
    max_length: int
    labels: Mapping[str, Sequence[str]]

    name: ClassVar[str] = "entity-linking"
    reads: ClassVar[str] = "lines"
    default_length: ClassVar[int] = 128
    schema: ClassVar[Schema] = {
        **TEXT,
        "mention_begins": Kind.INTEGERS,
        "mention_ends": Kind.INTEGERS,
        "entities": Kind.TEXTS,
    }

    def examples(self, text: str, label: str) -> Iterator[Example | BadRecord]:
        """The example of a line."""
        yield one_text(json_object(text), id="text_id", gold="mention_data")

    def records(self, example: Example, tokens: Sequence[Tokens]) -> Iterator[Record]:
        """The one record of an example."""
        text, (of_text,) = example.texts[0], tokens
        encoding = pair(of_text, vocabulary=self.vocabulary, max_length=self.max_length)
        mentions, entities = [], []
        for number, item in enumerate(example.gold or ()):
            of = f"mention_data, item {number}: "
            mention = text_field(item, "mention", of=of)
            offset = offset_field(item, "offset", of=of)
            mentions.append(placed(text, mention, offset, of_text, name="mention"))
            entities.append(text_field(item, "kb_id", of=of))
        mention_begins, mention_ends = columns(mentions)
        yield {
            **text_features(example, encoding),
            "mention_begins": mention_begins,
            "mention_ends": mention_ends,
            "entities": entities,
        }

    def marks(self, record: Record) -> Iterator[tuple[int, int, str]]:
        """What a person wants to see in the text."""
        for place, entity in enumerate(record["entities"]):
            yield int(record["mention_begins"][place]), int(record["mention_ends"][place]), entity
