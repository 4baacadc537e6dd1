"""BERT's WordPiece by the library `tokenizers`, with offsets into the original text."""

import functools
import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

from transforms.vocabulary import Vocabulary

Ints = npt.NDArray[np.int32]
LONGEST_WORD = 100
_chain = itertools.chain.from_iterable


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """The tokens of one text, without special tokens: all int32 [tokens].

    `begins`, `ends`: characters (code points) into the original text. They never decrease, and no slice is empty.
    Tokens share a slice only where they share a character that normalization takes apart (한 is ᄒ, ᅡ, ᆫ), or
    characters that it puts into another order.
    """

    ids: Ints
    begins: Ints
    ends: Ints

    def __len__(self) -> int:
        return len(self.ids)

    def copy(self) -> "Tokens":
        """The same in memory of its own."""
        return Tokens(self.ids.copy(), self.begins.copy(), self.ends.copy())


class Tokenizer(Protocol):
    """Cuts texts into tokens."""

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text; raises ValueError for a lone surrogate."""
        ...


class Library:
    """The library's tokenizer, and where it cuts."""

    def __init__(self, vocabulary: Vocabulary, *, lowercase: bool = True) -> None:
        self.vocabulary, self.lowercase = vocabulary, lowercase
        model = models.WordPiece(dict(vocabulary.ids), unk_token="[UNK]", max_input_chars_per_word=LONGEST_WORD)
        self._tokenizer = tokenizers.Tokenizer(model)
        self._tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
        self._tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def isolates(self, character: str) -> bool:
        """Whether a character is a word of its own wherever it stands, as Han characters and punctuation are."""
        return self._words(f"a{character}a")[1:-1] == self._words(character) != []

    def separates(self, character: str) -> bool:
        """Whether a character is no part of any word, and ends the one before it."""
        return self._words(f"a{character}a") == ["a", "a"]

    def _words(self, text: str) -> list[str]:
        normalized = self._tokenizer.normalizer.normalize_str(text)
        return [word for word, _ in self._tokenizer.pre_tokenizer.pre_tokenize_str(normalized)]

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text; texts in one call share their arrays' memory.

        Raises ValueError for a lone surrogate, which is no character.
        """
        try:
            return self._tokenize(texts)
        except (TypeError, UnicodeEncodeError):
            check_characters(texts)
            raise

    def _tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        fed, origins = list(texts), dict[int, Ints]()
        if self.lowercase:
            for number, text in enumerate(texts):
                if _reordered().search(text):
                    fed[number], origins[number] = _in_order(text)
        encoded = self._tokenizer.encode_batch(fed, add_special_tokens=False)
        bounds = list(itertools.accumulate(map(len, encoded), initial=0))
        ids = np.fromiter(_chain(encoding.ids for encoding in encoded), np.int32, bounds[-1])
        # The library gives lists of tuples: one pass over them all takes half the time of an np.array for each.
        offsets = _chain(_chain(encoding.offsets for encoding in encoded))
        begins, ends = np.fromiter(offsets, np.int32, 2 * bounds[-1]).reshape(-1, 2).T.copy()
        cut = [Tokens(ids[low:high], begins[low:high], ends[low:high]) for low, high in itertools.pairwise(bounds)]
        for number, origin in origins.items():
            cut[number] = _put_back(cut[number], origin)
        return cut


def check_characters(texts: Sequence[str]) -> None:
    """Raises ValueError that names the text and the place of a lone surrogate."""
    for number, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"text {number}: character {error.start} is half of a surrogate pair, no text: repair or drop it"
            ) from None


_DECOMPOSE = normalizers.Sequence(
    [
        normalizers.BertNormalizer(handle_chinese_chars=False, strip_accents=False, lowercase=False),
        normalizers.NFD(),
    ]
)


@functools.cache
def _reordered() -> re.Pattern[str]:
    """Marks that keep their place in a word, and may change it.

    Canonical order (Unicode Standard, 3.11) sorts marks behind a letter by class, and the library gives them the
    offsets of each other then. It matters for those that are not stripped as accents, by the library's tables.
    """
    normalizer = normalizers.BertNormalizer(lowercase=True)
    marks = [
        mark
        for mark in map(chr, range(0x300, 0x20000))
        if unicodedata.combining(unicodedata.normalize("NFD", mark)[-1])
        and any(map(unicodedata.combining, normalizer.normalize_str(mark)))
    ]
    return re.compile(f"[{''.join(marks)}]")


def _in_order(text: str) -> tuple[str, Ints]:
    """The text in canonical order, so that the library need change nothing, and where each character stood."""
    apart = [_DECOMPOSE.normalize_str(character) for character in text]
    places = np.repeat(np.arange(len(text), dtype=np.int32), [len(parts) for parts in apart])
    ordered = _DECOMPOSE.normalize_str("".join(apart))
    origins = np.empty_like(places)
    # Equal characters are of one class and keep their order.
    origins[_by_character(ordered)] = places[_by_character("".join(apart))]
    return ordered, origins


def _by_character(text: str) -> npt.NDArray[np.int64]:
    return np.argsort(np.frombuffer(text.encode("utf-32-le"), np.uint32), kind="stable")


def _put_back(tokens: Tokens, origins: Ints) -> Tokens:
    """The tokens of a text in canonical order, with offsets into the original; those that crossed share a slice."""
    first = np.minimum.accumulate(origins[::-1])[::-1]
    last = np.maximum.accumulate(origins)
    return Tokens(tokens.ids, first[tokens.begins], last[tokens.ends - 1] + 1)
