"""BERT's WordPiece with character offsets into the original text, pairs of texts, and windows over long ones."""

import functools
import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

from transforms.vocabulary import Vocabulary

Ints = npt.NDArray[np.int32]
LONGEST_WORD = 100
NOWHERE = np.array([-1], np.int32)  # the offsets of a special token
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


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """What a model reads: one or two texts with special tokens, all int32 [tokens].

    `segments`: 0 for the first text, 1 for the second. `begins`, `ends`: characters into the token's own text, -1 at
    special tokens.
    """

    ids: Ints
    segments: Ints
    begins: Ints
    ends: Ints

    def __len__(self) -> int:
        return len(self.ids)


class WordPiece:
    """Cuts texts into the tokens of a vocabulary as BERT does (Devlin et al. 2018, arXiv:1810.04805).

    Control characters go, Han characters and punctuation stand alone, with `lowercase` letters become small, each by
    itself, and lose their accents; the rest is cut into the longest pieces from the left. What has no pieces, and words
    of more than 100 characters, are unknown. Special tokens that are written in a text are text.

    >>> from transforms.vocabulary import SPECIAL_TOKENS
    >>> tokens = WordPiece(Vocabulary((*SPECIAL_TOKENS, "caf", "##e", "中"))).tokenize(["Café 中[MASK]"])[0]
    >>> list(zip(tokens.ids.tolist(), tokens.begins.tolist(), tokens.ends.tolist()))
    [(5, 0, 3), (6, 3, 4), (7, 5, 6), (1, 6, 7), (1, 7, 11), (1, 11, 12)]
    """

    def __init__(self, vocabulary: Vocabulary, *, lowercase: bool = True) -> None:
        self.vocabulary, self.lowercase = vocabulary, lowercase
        model = models.WordPiece(dict(vocabulary.ids), unk_token="[UNK]", max_input_chars_per_word=LONGEST_WORD)
        self._tokenizer = tokenizers.Tokenizer(model)
        self._tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
        self._tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text; texts in one call share their arrays' memory.

        Raises ValueError for a lone surrogate, which is no character.
        """
        try:
            return self._tokenize(texts)
        except (TypeError, UnicodeEncodeError):
            _check_characters(texts)
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

    def count(self, words: Sequence[str], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """How often each token of the vocabulary stands in counted words: int64 [vocabulary].

        >>> from transforms.vocabulary import SPECIAL_TOKENS
        >>> wordpiece = WordPiece(Vocabulary((*SPECIAL_TOKENS, "中", "国")))
        >>> wordpiece.count(["中国", "国"], np.array([3, 4])).tolist()
        [0, 0, 0, 0, 0, 3, 7]
        """
        encoded = self._tokenizer.encode_batch_fast(words, add_special_tokens=False)
        lengths = [len(encoding) for encoding in encoded]
        ids = np.fromiter(_chain(encoding.ids for encoding in encoded), np.int64, sum(lengths))
        totals = np.zeros(len(self.vocabulary), np.int64)
        np.add.at(totals, ids, np.repeat(counts, lengths))
        return totals


def pair(first: Tokens, second: Tokens | None = None, *, vocabulary: Vocabulary, max_length: int) -> Encoding:
    """`[CLS] first [SEP]`, or `[CLS] first [SEP] second [SEP]`, of at most `max_length` tokens.

    What is too long loses tokens from the right, each from the text that is longer then; from the second where they are
    alike. Raises ValueError where not even the special tokens fit.
    """
    texts = [first] if second is None else [first, second]
    room = max_length - len(texts) - 1
    if room < 0:
        raise ValueError(f"max_length {max_length}: the special tokens alone are {len(texts) + 1}")
    kept = _truncated(len(first), 0 if second is None else len(second), room)
    return _join([_part(text, 0, length) for text, length in zip(texts, kept, strict=False)], vocabulary)


def windows(
    first: Tokens, second: Tokens, *, vocabulary: Vocabulary, max_length: int, stride: int, most_first: int = 64
) -> list[Encoding]:
    """`[CLS] first [SEP] second [SEP]` as often as it takes for windows of `second` to cover all of it.

    `first`, a question, is cut to `most_first` tokens. A window begins `stride` tokens behind the one before and is as
    long as `max_length` allows; the last ends with `second`, and none lies inside of another. Raises ValueError where
    nothing of `second` fits, or windows would leave out tokens between them.
    """
    if most_first < 0:
        raise ValueError(f"most_first {most_first}: at least 0")
    asked = _part(first, 0, most_first)
    width = max_length - 3 - len(asked)
    if width < 1:
        raise ValueError(f"max_length {max_length}: {len(asked)} tokens before the window and 3 special ones fill it")
    if not 1 <= stride <= width:
        raise ValueError(f"stride {stride}: between 1 and {width}, what max_length {max_length} leaves for a window")
    starts = range(0, max(len(second) - width, 0) + stride, stride)
    return [_join([asked, _part(second, start, start + width)], vocabulary) for start in starts]


def _truncated(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens are left of two texts."""
    kept = min(first, max(room - second, room - room // 2))
    return kept, min(second, room - kept)


def _part(tokens: Tokens, begin: int, end: int) -> Tokens:
    return Tokens(tokens.ids[begin:end], tokens.begins[begin:end], tokens.ends[begin:end])


def _join(texts: Sequence[Tokens], vocabulary: Vocabulary) -> Encoding:
    cls, sep = (np.array([special], np.int32) for special in (vocabulary.cls, vocabulary.sep))
    lengths = [len(text) + 1 for text in texts]
    lengths[0] += 1
    return Encoding(
        np.concatenate([cls, *_chain((text.ids, sep) for text in texts)]),
        np.repeat(np.arange(len(texts), dtype=np.int32), lengths),
        np.concatenate([NOWHERE, *_chain((text.begins, NOWHERE) for text in texts)]),
        np.concatenate([NOWHERE, *_chain((text.ends, NOWHERE) for text in texts)]),
    )


def _check_characters(texts: Sequence[str]) -> None:
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
