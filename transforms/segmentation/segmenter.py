"""Segmentation and counting as two calls: `cut` and `count`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.double_array import code_points
from transforms.segmentation import count_kernels, cut_kernels
from transforms.segmentation.dictionary import Dictionary
from transforms.segmentation.layout import OTHERS, POSITION, PROGRESS, TALLY, TOKEN, UNKNOWN, WORDS_FROM
from transforms.word_counts import RUN, WordCounts, strings, strings_of_points

Tokenizer = Literal["words", "search", "characters"]
BATCH_CHARACTERS = 1 << 18
TOKENS = 1 << 12
TOKENIZERS: tuple[Tokenizer, ...] = ("words", "search", "characters")


@dataclass(frozen=True, slots=True)
class Segmenter:
    """Cuts text exactly as jieba 0.42.1: `words` is `jieba.cut`, `search` `jieba.cut_for_search`, `hmm` as there.

    `characters` makes every character a token.

    >>> Segmenter().cut("我来到北京清华大学")
    ['我', '来到', '北京', '清华大学']
    >>> counts = Segmenter().count(["中国人民", "人民，人民"])
    >>> counts.table.to_pydict()["word"], counts.table.to_pydict()["documents"]
    (['人民', '中国', '，'], [2, 1, 1])
    """

    dictionary: Dictionary = field(default_factory=Dictionary.load)
    tokenizer: Tokenizer = "words"
    hmm: bool = True
    _idle: "list[WordCounter]" = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.tokenizer not in TOKENIZERS:
            raise ValueError(f"tokenizer {self.tokenizer!r}: one of {', '.join(TOKENIZERS)}")

    def cut(self, text: str) -> list[str]:
        """The tokens of one text, white space included, in order; joined they are the text, except for `search`."""
        if self.tokenizer == "characters":
            return list(text)
        tokens = self.spans(text)
        bounds = zip(tokens["begin"].tolist(), tokens["end"].tolist(), strict=True)
        return [text[begin:end] for begin, end in bounds]

    def spans(self, text: str) -> npt.NDArray[np.void]:
        """Where the tokens of one text lie: fields `begin` and `end`, uint32 [tokens], characters.

        >>> Segmenter().spans("我来到北京")["end"].tolist()
        [1, 3, 5]
        """
        points, _ = code_points([text])
        data, size = self.dictionary, len(points)
        codes, tokens = np.empty(size, np.uint16), np.empty(size, TOKEN)
        if self.tokenizer == "characters":
            tokens["begin"], tokens["end"] = np.arange(size), np.arange(1, size + 1)
            return tokens
        count = cut_kernels.cut(
            points,
            data.table,
            codes,
            np.empty(size, np.uint32),
            data.first,
            data.nodes,
            data.scores,
            data.unknown,
            data.emissions,
            data.chain,
            data.forced,
            self.hmm,
            np.empty(size + 1, POSITION),
            tokens,
        )
        if self.tokenizer == "search":
            words, tokens = tokens, np.empty(3 * size, TOKEN)
            count = cut_kernels.expand_for_search(codes, data.nodes, words, count, tokens)
        return tokens[:count]

    def count(self, texts: Iterable[str]) -> WordCounts:
        """Counts words and the documents that hold them; tokens that are only white space are left out.

        Raises UnicodeEncodeError for a lone surrogate in a text, which no file can hold.
        """
        try:
            counter = self._idle.pop()  # its large arrays cost more than a short text; one a thread
        except IndexError:
            counter = WordCounter(self)
        batch: list[str] = []
        size = 0
        try:
            for text in texts:
                batch.append(text)
                size += len(text)
                if size >= BATCH_CHARACTERS:
                    counter.add(*_checked_points(batch))
                    batch, size = [], 0
            counter.add(*_checked_points(batch))
            return WordCounts.of(counter.counts())
        finally:
            counter.clear()
            self._idle.append(counter)


def _checked_points(texts: list[str]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    points, offsets = code_points(texts)
    if np.any(points >> 11 == 0xD800 >> 11):
        "".join(texts).encode("utf-8")  # raises, and says where
    return points, offsets


class WordCounter:
    """Adds up the words of many documents in a few large arrays; `counts()` hands them over and starts anew."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self._mode = TOKENIZERS.index(segmenter.tokenizer)
        self._route, self._tokens = np.empty(TOKENS + 1, POSITION), np.empty(TOKENS, TOKEN)
        self._codes, self._second = np.empty(0, np.uint16), np.empty(0, np.uint32)
        self._tallies = np.zeros(WORDS_FROM + len(segmenter.dictionary.scores), TALLY)
        coded = np.flatnonzero(segmenter.dictionary.table)
        self._characters = np.zeros(WORDS_FROM, np.uint32)  # what each one-character token is
        self._characters[segmenter.dictionary.table[coded]] = coded
        self._characters[OTHERS:] = np.arange(WORDS_FROM - OTHERS)
        self._unknown, self._unknown_tallies = np.empty(1 << 16, UNKNOWN), np.zeros(1 << 16, TALLY)
        self._slots, self._arena = np.zeros(1 << 17, np.int32), np.empty(1 << 19, np.uint32)
        self._progress = np.zeros(1, PROGRESS)
        self._documents = 0

    def add(self, points: npt.NDArray[np.uint32], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Counts documents given as code points, document i at `points[offsets[i]:offsets[i + 1]]`.

        Returns how many tokens each has, int64, white space left out.
        """
        totals = np.zeros(len(offsets) - 1, np.int64)
        if len(self._codes) < len(points):
            self._codes, self._second = np.empty(len(points), np.uint16), np.empty(len(points), np.uint32)
        data, segmenter = self.segmenter.dictionary, self.segmenter
        first_document = self._documents + 1
        self._documents += len(offsets) - 1
        self._progress["document"] = self._progress["position"] = 0
        while size := count_kernels.tally(
            points,
            offsets,
            data.table,
            self._codes,
            self._second,
            data.first,
            data.nodes,
            data.scores,
            data.unknown,
            data.emissions,
            data.chain,
            data.forced,
            segmenter.hmm,
            self._mode,
            self._route,
            self._tokens,
            first_document,
            self._tallies,
            self._slots,
            self._unknown,
            self._unknown_tallies,
            self._arena,
            self._progress,
            totals,
        ):
            self._make_room(size)
        return totals

    def _make_room(self, size: int) -> None:
        """Grows what a block of `size` characters may not fit into."""
        if size > len(self._tokens):
            self._route, self._tokens = np.empty(2 * size + 1, POSITION), np.empty(2 * size, TOKEN)
        used = int(self._progress["arena"][0])
        if used + size >= len(self._arena):
            self._arena = np.concatenate([self._arena, np.empty(len(self._arena) + size, np.uint32)])
        count = int(self._progress["unknown"][0])
        if count + size >= len(self._unknown):
            more = len(self._unknown) + size
            self._unknown = np.concatenate([self._unknown, np.empty(more, UNKNOWN)])
            self._unknown_tallies = np.concatenate([self._unknown_tallies, np.zeros(more, TALLY)])
            self._slots = np.zeros(1 << (2 * len(self._unknown)).bit_length(), np.int32)
            count_kernels.rehash(self._unknown, count, self._slots)

    def counts(self) -> pa.Table:
        """What was counted since the last call: word, count, documents; words in no particular order."""
        data = self.segmenter.dictionary
        counted = np.flatnonzero(self._tallies["count"])
        split = np.searchsorted(counted, WORDS_FROM)
        singles, known = counted[:split], counted[split:]
        # Unknown words lie in the arena one behind the other.
        unknown = int(self._progress["unknown"][0])
        points = np.concatenate([self._characters[singles], self._arena[: int(self._progress["arena"][0])]])
        lengths = np.concatenate([np.ones(len(singles), np.int64), self._unknown["length"][:unknown]])
        words = [
            strings(data.words, data.word_ends).take(pa.array(known - WORDS_FROM - 1)),
            strings_of_points(points, np.cumsum(lengths)),
        ]
        tallies = np.concatenate([self._tallies[known], self._tallies[singles], self._unknown_tallies[:unknown]])
        columns = [pa.concat_arrays(words), pa.array(tallies["count"]), pa.array(tallies["documents"].astype(np.int64))]
        self.clear()
        return pa.table(columns, schema=RUN)

    def clear(self) -> None:
        """Forgets what was counted."""
        if self._documents:
            for array in (self._tallies, self._unknown_tallies, self._slots, self._progress):
                array[...] = np.zeros(1, array.dtype)
        self._documents = 0
