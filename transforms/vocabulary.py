"""Vocabularies: tokens in a fixed order, read from files or made from word counts; and word weights beside them."""

import functools
import hashlib
import heapq
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")

# Batches of distinct words, and a number for each: int64.
Counted = Iterable[tuple[Sequence[str], npt.NDArray[np.int64]]]


@dataclass(frozen=True)
class Vocabulary:
    """Tokens in the order of their ids, the special ones anywhere among them.

    Raises ValueError for a token that stands twice or is no line of a file, and for a special token that is missing.

    >>> vocabulary = Vocabulary((*SPECIAL_TOKENS, "的"))
    >>> vocabulary.ids["的"], vocabulary.unknown, len(vocabulary)
    (5, 1, 6)
    """

    tokens: tuple[str, ...]

    def __post_init__(self) -> None:
        for place, token in enumerate(self.tokens):
            if not token or "\n" in token or token.endswith("\r"):
                raise ValueError(f"line {place + 1}: {token!r} is not a token on a line of its own: remove it")
            if self.ids[token] != place:
                raise ValueError(f"line {self.ids[token] + 1}: {token!r} stands on line {place + 1} already: remove it")
        if missing := [token for token in SPECIAL_TOKENS if token not in self.ids]:
            raise ValueError(f"no line {' or '.join(missing)}: add each that is missing")

    @staticmethod
    def read(path: str | Path) -> "Vocabulary":
        """Reads a file of tokens, one a line. Raises ValueError that names file and line, and OSError."""
        return Vocabulary.of(Path(path).read_bytes(), name=str(path))

    @staticmethod
    def of(content: bytes, *, name: str = "vocabulary") -> "Vocabulary":
        """The vocabulary of a file's content: UTF-8, lines that end in LF or CR LF. `name`: the file, in messages."""
        try:
            return Vocabulary(tuple(_lines(content)))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    def __len__(self) -> int:
        return len(self.tokens)

    @functools.cached_property
    def ids(self) -> Mapping[str, int]:
        """Token to id."""
        return {token: place for place, token in enumerate(self.tokens)}

    @functools.cached_property
    def character_ids(self) -> npt.NDArray[np.int32]:
        """Code point to the id of that character, int32 [1114112]; unknown where it is no token."""
        table = np.full(0x110000, self.unknown, np.int32)
        for token, place in self.ids.items():
            if len(token) == 1:
                table[ord(token)] = place
        return table

    @functools.cached_property
    def content(self) -> bytes:
        """What a file of the vocabulary holds: a token a line, in UTF-8."""
        return "".join(f"{token}\n" for token in self.tokens).encode()

    @functools.cached_property
    def sha256(self) -> str:
        """Hexadecimal, of `content`: what the vocabulary is known by."""
        return hashlib.sha256(self.content).hexdigest()

    @functools.cached_property
    def cased(self) -> bool:
        """Whether capitals are told from small letters, that is, whether a capital from A to Z is a token."""
        return any(chr(point) in self.ids for point in range(ord("A"), ord("Z") + 1))

    @functools.cached_property
    def has_pieces(self) -> bool:
        """Whether any token is a piece that stands inside of words, `##x`; where none is, WordPiece spells nothing."""
        return any(len(token) > 2 and token.startswith("##") for token in self.tokens)

    @property
    def pad(self) -> int:
        """The id of [PAD]."""
        return self.ids["[PAD]"]

    @property
    def unknown(self) -> int:
        """The id of [UNK]."""
        return self.ids["[UNK]"]

    @property
    def cls(self) -> int:
        """The id of [CLS]."""
        return self.ids["[CLS]"]

    @property
    def sep(self) -> int:
        """The id of [SEP]."""
        return self.ids["[SEP]"]

    @property
    def mask(self) -> int:
        """The id of [MASK]."""
        return self.ids["[MASK]"]


def make_vocabulary(
    counted: Counted, *, size: int | None = None, min_count: int = 1, leave_out: Set[str] = frozenset()
) -> tuple[Vocabulary, npt.NDArray[np.int64]]:
    """The special tokens, then words by count descending, then by code point; and the counts of all, int64.

    `size`: at most so many tokens, special ones included. Raises ValueError if they do not fit.

    >>> vocabulary, counts = make_vocabulary([(["乙", "甲", "丙"], np.array([2, 2, 3]))], size=7)
    >>> vocabulary.tokens[5:], counts.tolist()
    (('丙', '乙'), [0, 0, 0, 0, 0, 3, 2])
    """
    room, never = _room(size), {*SPECIAL_TOKENS, *leave_out}
    ranks = ((-count, word) for word, count in _frequent(counted, min_count) if word not in never)
    ranked = sorted(ranks) if room is None else heapq.nsmallest(room, ranks)
    vocabulary = Vocabulary((*SPECIAL_TOKENS, *(word for _, word in ranked)))
    return vocabulary, np.array([0] * len(SPECIAL_TOKENS) + [-count for count, _ in ranked], np.int64)


def _frequent(counted: Counted, min_count: int) -> Iterator[tuple[str, int]]:
    for words, counts in counted:
        frequent = np.flatnonzero(counts >= min_count)
        yield from zip((words[item] for item in frequent.tolist()), counts[frequent].tolist(), strict=True)


def characters(counted: Counted) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The characters of words, white space aside, in the order of code points; a count is the sum over the words.

    >>> found, counts = characters([(["人人", "人民"], np.array([2, 1]))])
    >>> dict(zip(found, counts.tolist(), strict=True))
    {'人': 5, '民': 1}
    """
    totals = np.zeros(0x110000, np.int64)
    for words, counts in counted:
        points = np.frombuffer("".join(words).encode("utf-32-le"), np.uint32)
        np.add.at(totals, points, np.repeat(counts, [len(word) for word in words]))
    found = [character for character in map(chr, np.flatnonzero(totals).tolist()) if not character.isspace()]
    return found, totals[[ord(character) for character in found]]


def with_pieces(vocabulary: Vocabulary, *, size: int | None = None) -> Vocabulary:
    """A vocabulary of characters, its letters and digits once more at the end as they stand inside of words (`##x`).

    Without those WordPiece knows no word of several. `size`: of all; the rarest characters make room.

    >>> with_pieces(Vocabulary((*SPECIAL_TOKENS, "中", "T", "人")), size=8).tokens[5:]
    ('中', 'T', '##T')
    """
    tokens = list(vocabulary.tokens)
    inside = [token for token in tokens if len(token) == 1 and token.isalnum() and not _HAN.match(token)]
    while size is not None and len(tokens) + len(inside) > size:
        if tokens.pop() in inside[-1:]:
            inside.pop()
    return Vocabulary((*tokens, *(f"##{token}" for token in inside)))


def cut_vocabulary(
    base: Vocabulary, counts: npt.NDArray[np.int64], *, size: int | None = None, min_count: int = 1
) -> list[int]:
    """The ids of a WordPiece vocabulary that a corpus uses, in their new order: row i of an embedding is row ids[i].

    `counts`: int64 [tokens], how often the corpus has each token of `base`. Special tokens come first, then count
    descending, then code point. A single character is kept inside of words too (`##x`), as a text may hold it in other
    surroundings than those that were counted. `size`: as in `make_vocabulary`.
    """

    def rank(token: int) -> tuple[int, str]:
        return -int(counts[token]), base.tokens[token]

    special, room = [base.ids[token] for token in SPECIAL_TOKENS], _room(size)
    used = sorted({*np.flatnonzero(counts >= min_count).tolist()} - {*special}, key=rank)[:room]
    inside = {base.ids.get(f"##{base.tokens[token]}") for token in used if len(base.tokens[token]) == 1}
    more = sorted((token for token in inside - {*used} if token is not None), key=rank)
    return [*special, *used, *more][:size]


def _room(size: int | None) -> int | None:
    """How many tokens there may be beside the special ones."""
    if size is not None and size < len(SPECIAL_TOKENS):
        raise ValueError(f"size {size}: {', '.join(SPECIAL_TOKENS)} need {len(SPECIAL_TOKENS)}")
    return None if size is None else size - len(SPECIAL_TOKENS)


def idf_lines(words: Sequence[str], frequencies: npt.NDArray[np.int64], *, documents: int) -> list[str]:
    """Lines for `jieba.analyse.set_idf_path`: the logarithm of documents / document frequency behind each word.

    Words that hold white space are left out, as jieba takes it for the end of the word.

    >>> idf_lines(["的", "a b", "龘"], np.array([10, 1, 1]), documents=10)
    ['的 0.000000000\\n', '龘 2.302585093\\n']
    """
    distinct, places = np.unique(frequencies, return_inverse=True)
    # math.log is the same on every processor, which the vector instructions behind np.log are not.
    weights = [f"{math.log(documents / frequency):.9f}\n" for frequency in distinct.tolist()]
    return [
        f"{word} {weights[place]}" for word, place in zip(words, places.tolist(), strict=True) if word.split() == [word]
    ]


def read_stop_words(path: str | Path) -> frozenset[str]:
    """The words of a file, one a line, white space around them and blank lines aside; raises ValueError and OSError."""
    try:
        return frozenset(line.strip() for line in _lines(Path(path).read_bytes())) - {""}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _lines(content: bytes) -> Iterable[str]:
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n").split(b"\n"), 1):
        try:
            yield line.removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"line {number}: not UTF-8 ({error.reason}): save the file as UTF-8") from error
