"""BERT's WordPiece with character offsets into the original text, pairs of texts, and windows over long ones."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.vocabulary import Vocabulary
from transforms.wordpiece_library import Ints, Library, Tokenizer, Tokens, check_characters

__all__ = ["Encoding", "Tokenizer", "Tokens", "WordPiece", "pair", "windows"]

NOWHERE = np.zeros(1, np.int32)  # the offsets of a special token: an empty slice
UNSEEN, SEPARATOR, INSIDE = -3, -2, -1  # kinds of characters; the others are tokens, of those that are words alone
LONGEST_KEPT, MOST_KEPT = 32, 1 << 17  # characters of a run whose tokens are kept for the next time, and runs
_NONE = np.empty(0, np.int32)
_chain = itertools.chain.from_iterable


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """What a model reads: one or two texts with special tokens, all int32 [tokens].

    `segments`: 0 for the first text, 1 for the second. `begins`, `ends`: characters into the token's own text; an empty
    slice, 0 to 0, at special tokens.
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

    Characters that stand alone are looked up in a table, which the library `tokenizers` fills; it cuts the runs of
    others between them, each distinct one once.

    >>> from transforms.vocabulary import SPECIAL_TOKENS
    >>> tokens = WordPiece(Vocabulary((*SPECIAL_TOKENS, "caf", "##e", "中"))).tokenize(["Café 中[MASK]"])[0]
    >>> list(zip(tokens.ids.tolist(), tokens.begins.tolist(), tokens.ends.tolist()))
    [(5, 0, 3), (6, 3, 4), (7, 5, 6), (1, 6, 7), (1, 7, 11), (1, 11, 12)]
    """

    def __init__(self, vocabulary: Vocabulary, *, lowercase: bool = True) -> None:
        self.vocabulary, self.lowercase = vocabulary, lowercase
        self._library = Library(vocabulary, lowercase=lowercase)
        self._kinds = np.full(0x110000, UNSEEN, np.int32)
        self._kept: dict[str, Tokens] = {}

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text; texts in one call share their arrays' memory.

        Raises ValueError for a lone surrogate, which is no character.
        """
        whole = "\n".join(texts)  # a line break is part of no word
        try:
            points = np.frombuffer(whole.encode("utf-32-le"), np.uint32)
        except UnicodeEncodeError:
            check_characters(texts)
            raise
        kinds = self._kinds_of(points)
        alone, edges = np.flatnonzero(kinds >= 0), np.diff(kinds == INSIDE, prepend=False, append=False)
        starts, stops = np.flatnonzero(edges).reshape(-1, 2).T
        runs, chosen = self._cut(
            [whole[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
        )
        lengths = np.array([len(run) for run in runs], np.int64)
        counts = np.zeros(len(points) + 1, np.int64)  # tokens that begin at a character, or with its run
        counts[alone] = 1
        counts[starts] = repeats = lengths[chosen]
        places = np.cumsum(counts) - counts
        ids, begins, ends = np.empty((3, int(places[-1])), np.int32)
        at = places[alone]
        ids[at], begins[at], ends[at] = kinds[alone], alone, alone + 1
        steps = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        at = np.repeat(places[starts], repeats) + steps
        source, origins = np.repeat((np.cumsum(lengths) - lengths)[chosen], repeats) + steps, np.repeat(starts, repeats)
        ids[at] = np.concatenate([_NONE, *(run.ids for run in runs)])[source]
        begins[at] = np.concatenate([_NONE, *(run.begins for run in runs)])[source] + origins
        ends[at] = np.concatenate([_NONE, *(run.ends for run in runs)])[source] + origins
        sizes = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
        firsts = np.cumsum(sizes) - sizes
        bounds = [*places[firsts].tolist(), len(ids)]
        shift = np.repeat(firsts, np.diff(bounds)).astype(np.int32)
        begins -= shift
        ends -= shift
        return [Tokens(ids[low:high], begins[low:high], ends[low:high]) for low, high in itertools.pairwise(bounds)]

    def _kinds_of(self, points: npt.NDArray[np.uint32]) -> Ints:
        """What each character is; those that were never seen are asked of the library."""
        kinds = self._kinds[points]
        if len(unseen := np.unique(points[kinds == UNSEEN])):
            characters = list(map(chr, unseen.tolist()))
            tokens = self._library.tokenize(characters)
            for point, character, cut in zip(unseen.tolist(), characters, tokens, strict=True):
                if self._library.isolates(character):
                    self._kinds[point] = cut.ids[0]
                else:
                    self._kinds[point] = SEPARATOR if self._library.separates(character) else INSIDE
            kinds = self._kinds[points]
        return kinds

    def _cut(self, runs: Sequence[str]) -> tuple[list[Tokens], npt.NDArray[np.int64]]:
        """The tokens of the distinct runs, and which of them each run is."""
        numbers: dict[str, int] = {}
        chosen = np.fromiter((numbers.setdefault(run, len(numbers)) for run in runs), np.int64, len(runs))
        kept = self._kept  # another thread may begin a new one meanwhile
        missing = [run for run in numbers if run not in kept]
        cut = dict(zip(missing, self._library.tokenize(missing), strict=True))
        found = [cut[run] if run in cut else kept[run] for run in numbers]
        if len(kept) + len(cut) > MOST_KEPT:
            self._kept = {}
        # Copies, as a view would keep the arrays of a whole call.
        short = ((run, tokens) for run, tokens in cut.items() if len(run) <= LONGEST_KEPT)
        self._kept.update((run, tokens.copy()) for run, tokens in short)
        return found, chosen

    def count(self, words: Sequence[str], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """How often each token of the vocabulary stands in counted words: int64 [vocabulary].

        >>> from transforms.vocabulary import SPECIAL_TOKENS
        >>> wordpiece = WordPiece(Vocabulary((*SPECIAL_TOKENS, "中", "国")))
        >>> wordpiece.count(["中国", "国"], np.array([3, 4])).tolist()
        [0, 0, 0, 0, 0, 3, 7]
        """
        cut = self.tokenize(words)
        ids = np.concatenate([_NONE, *(tokens.ids for tokens in cut)])
        totals = np.zeros(len(self.vocabulary), np.int64)
        np.add.at(totals, ids, np.repeat(counts, [len(tokens) for tokens in cut]))
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
