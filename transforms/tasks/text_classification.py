"""Text classification: a text and its label."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from transforms.tasks.record import TEXT, BadRecord, Example, Kind, Record, Schema, content_id, text_features
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import Tokens, pair


@dataclass(frozen=True, slots=True)
class TextClassification:
    """Records: a text, its tokens with their character offsets, and its label.

    `labels` may be empty: then all that the data has are labels, in order of code points.
    """

    vocabulary: Vocabulary
    max_length: int
    labels: Mapping[str, Sequence[str]]

    name: ClassVar[str] = "text-classification"
    reads: ClassVar[str] = "texts"
    default_length: ClassVar[int] = 512
    listed: ClassVar[str] = "may be"
    schema: ClassVar[Schema] = {
        **TEXT,
        "label": Kind.LABEL,
    }

    @staticmethod
    def read_labels(content: bytes) -> dict[str, tuple[str, ...]]:
        """The labels of a schema file, one a line; raises ValueError if one stands there twice."""
        names = [line.strip() for line in content.decode("utf-8-sig").split("\n") if line.strip()]
        twice = sorted(name for name in set(names) if names.count(name) > 1)
        if twice:
            raise ValueError(f"label {twice[0]!r} stands there twice")
        return {"label": tuple(names)}

    def examples(self, text: str, label: str) -> Iterator[Example | BadRecord]:
        """The example of a document, a line or a row."""
        if not text.strip():
            raise BadRecord("the text is empty")
        yield Example(content_id(text), (text,), label)

    def records(self, example: Example, tokens: Sequence[Tokens]) -> Iterator[Record]:
        """The one record of an example."""
        encoding = pair(tokens[0], vocabulary=self.vocabulary, max_length=self.max_length)
        yield {
            **text_features(example, encoding),
            "label": example.gold,
        }

    def targets(self, record: Record, rng: np.random.Generator) -> dict[str, Any]:
        """`ids` int32 [n] and `label` int32 []; nothing is drawn."""
        return {"ids": record["ids"].astype(np.int32), "label": np.int32(record["label"])}

    def shapes(self, length: int) -> dict[str, tuple[int, ...]]:
        """The shapes of targets in a batch of records of `length` tokens."""
        return {"ids": (length,), "label": ()}

    def marks(self, record: Record) -> Iterator[tuple[int, int, str]]:
        """The whole text is what has the label."""
        yield 0, len(record["text"]), self.labels["label"][record["label"]]
