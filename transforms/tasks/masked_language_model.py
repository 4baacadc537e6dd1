"""Masked language model: texts packed to full length, with the words that are masked as a whole."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from transforms.masking import mask_words
from transforms.tasks.record import BadRecord, Example, Kind, Record, Schema, content_id
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import Tokens

Integers = npt.NDArray[np.int32]
SENTENCE_ENDS = np.array([ord(character) for character in "。！？!?\n"], np.uint32)
RATE = 0.15


@dataclass(frozen=True, slots=True)
class MaskedLanguageModel:
    """Records: token ids, the number of the word that each belongs to (0: special), and where they come from.

    `word_ends`: where the words of a text end, int [words], in characters; needed to make records, not to read them.
    `across`: whether texts are packed together, in the order of their keys, with [SEP] between them. Raises ValueError
    where a record has no room for tokens of a text.
    """

    vocabulary: Vocabulary
    max_length: int
    labels: Mapping[str, Sequence[str]]
    word_ends: Callable[[str], npt.NDArray[np.integer]] | None = None
    across: bool = False

    name: ClassVar[str] = "masked-language-model"
    reads: ClassVar[str] = "texts"
    default_length: ClassVar[int] = 512
    listed: ClassVar[str] = "no"
    schema: ClassVar[Schema] = {
        "id": Kind.TEXT,
        "ids": Kind.INTEGERS,
        "words": Kind.INTEGERS,
        "documents": Kind.TEXTS,
        "document_begins": Kind.INTEGERS,
        "document_ends": Kind.INTEGERS,
    }

    def __post_init__(self) -> None:
        if self.max_length < 3:
            raise ValueError(f"max_length {self.max_length}: [CLS], [SEP] and a token are 3")

    @property
    def held(self) -> Schema:
        """What runs hold of a text that is packed with others later."""
        more = dict.fromkeys(("sentences", "begins", "ends"), Kind.INTEGERS)
        return {**self.schema, **more} if self.across else self.schema

    def examples(self, text: str, label: str) -> Iterator[Example | BadRecord]:
        """The example of a document, a line or a row."""
        if not text.strip():
            raise BadRecord("the text is empty")
        yield Example(content_id(text), (text,))

    def records(self, example: Example, tokens: Sequence[Tokens]) -> Iterator[Record]:
        """The records of a text; of one that is packed with others all its tokens, without special ones."""
        text, (of_text,) = example.texts[0], tokens
        if not len(of_text.ids):
            raise BadRecord("the text has no token")
        assert self.word_ends is not None
        words = np.searchsorted(self.word_ends(text), of_text.begins, "right").astype(np.int32) + np.int32(1)
        points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        stops = np.flatnonzero(np.isin(points, SENTENCE_ENDS)) + 1
        sentences = np.searchsorted(of_text.begins, stops, "left").astype(np.int32)
        document = _Document(example.id, of_text.ids, words, sentences, of_text.begins, of_text.ends)
        if self.across:
            yield {
                "id": example.id,
                "ids": document.ids,
                "words": words,
                "documents": [example.id],
                "document_begins": of_text.begins[:1],
                "document_ends": of_text.ends[-1:],
                "sentences": sentences,
                "begins": of_text.begins,
                "ends": of_text.ends,
            }
            return
        start, room = 0, self.max_length - 2
        while start < len(document.ids):
            stop = document.stop(start, room)
            yield self._packed([(document, start, stop)])
            start = stop

    def packed(self, held: Iterable[Record]) -> Iterator[Record]:
        """Texts packed together, in the order in which they come; a record begins a sentence where that is possible."""
        pieces: list[_Piece] = []
        left = self.max_length - 2
        for record in held:
            document, start = _Document.of(record), 0
            while start < len(document.ids):
                room = left - bool(pieces)  # a separator
                stop = document.stop(start, room) if room > 0 else start
                if pieces and (stop == start or not document.is_end(stop)):
                    yield self._packed(pieces)
                    pieces, left = [], self.max_length - 2
                    continue
                left -= stop - start + bool(pieces)
                pieces.append((document, start, stop))
                start = stop
        if pieces:
            yield self._packed(pieces)

    def _packed(self, pieces: "Sequence[_Piece]") -> Record:
        cls, sep, special = (np.array([value], np.int32) for value in (self.vocabulary.cls, self.vocabulary.sep, 0))
        ids, words, count = [cls], [special], 1
        for document, start, stop in pieces:
            ids += [document.ids[start:stop], sep]
            words += [document.words[start:stop] - document.words[start] + count, special]
            count = int(words[-2][-1]) + 1
        return {
            "id": pieces[0][0].id,
            "ids": np.concatenate(ids),
            "words": np.concatenate(words),
            "documents": [document.id for document, _, _ in pieces],
            "document_begins": np.array([document.begins[start] for document, start, _ in pieces], np.int32),
            "document_ends": np.array([document.ends[stop - 1] for document, _, stop in pieces], np.int32),
        }

    def targets(self, record: Record, rng: np.random.Generator) -> dict[str, Any]:
        """`ids` int32 [n] with words masked; `positions`, `labels` int32 [m]: what stood at the masked places.

        `weights` float32 [m]: 1, as padding has 0.
        """
        vocabulary = self.vocabulary
        special = (vocabulary.pad, vocabulary.unknown, vocabulary.cls, vocabulary.sep, vocabulary.mask)
        ids, positions, labels = mask_words(
            record["ids"].astype(np.int32),
            record["words"],
            rng,
            rate=RATE,
            mask=vocabulary.mask,
            size=len(vocabulary.tokens),
            special=special,
        )
        weights = np.ones(len(labels), np.float32)
        return {"ids": ids, "positions": positions, "labels": labels, "weights": weights}

    def shapes(self, length: int) -> dict[str, tuple[int, ...]]:
        """The shapes of targets in a batch of records of `length` tokens; of long words some tokens are left out."""
        guesses = (max(1, round(RATE * length)),)
        return {"ids": (length,), "positions": guesses, "labels": guesses, "weights": guesses}

    def marks(self, record: Record) -> Iterator[tuple[int, int, str]]:
        """A record holds no text."""
        return iter(())


@dataclass(frozen=True, slots=True)
class _Document:
    """Tokens of a text. `sentences`: after how many tokens a sentence ends, ascending."""

    id: str
    ids: Integers
    words: Integers
    sentences: Integers
    begins: Integers
    ends: Integers

    @staticmethod
    def of(record: Record) -> "_Document":
        names = ("id", "ids", "words", "sentences", "begins", "ends")
        return _Document(*(record[name] for name in names))

    def stop(self, start: int, room: int) -> int:
        """Where a piece of at most `room` tokens ends: with a sentence, else with a word, else where room ends."""
        limit = start + room
        if limit >= len(self.ids):
            return len(self.ids)
        place = np.searchsorted(self.sentences, limit, "right")
        if place and self.sentences[place - 1] > start:
            return int(self.sentences[place - 1])
        changes = np.flatnonzero(np.diff(self.words[start : limit + 1]))
        return start + int(changes[-1]) + 1 if len(changes) else limit

    def is_end(self, stop: int) -> bool:
        """Whether a sentence, or the text, ends after so many tokens."""
        place = np.searchsorted(self.sentences, stop)
        return stop == len(self.ids) or bool(place < len(self.sentences) and self.sentences[place] == stop)


_Piece = tuple[_Document, int, int]
