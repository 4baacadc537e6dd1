"""A knowledge base of entities: a trie of their names over a store of what is known of each, memory-mapped.

Names are looked up with NumPy alone, many texts at a time, so that a machine for training needs nothing else.
"""

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
NAMES = ("codes", "nodes", "names", "candidates", "candidate_ends")
ENTITIES = ("ids", "id_ends", "descriptions", "description_ends", "objects", "object_ends")
ARRAYS = (*NAMES, *ENTITIES)
NIL = "NIL"
_UNCOVERED = 100  # what a character costs that no name covers, where a name costs 1 (kexue.fm 6919)
_LONGEST = 1 << 20
_BRACKETED = re.compile("《([^《》]+)》")


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Names in texts, by text and place: `rows`, `begins`, `ends` (characters) and `names`, int64 [n] each."""

    rows: Numbers
    begins: Numbers
    ends: Numbers
    names: Numbers

    def __len__(self) -> int:
        return len(self.rows)

    def chosen(self, which: npt.NDArray[Any]) -> "Matches":
        """Some of them: by a mask, or by their places."""
        return Matches(self.rows[which], self.begins[which], self.ends[which], self.names[which])


@dataclass(frozen=True, slots=True, eq=False)
class KnowledgeBase:
    """Entities by number, in the order of their ids; names by number, in the order of their characters.

    `codes`, `nodes`: a `DoubleArray` over the names; `names`: int32 [cells], the name that ends at a node, or -1.
    `candidates`: int32, the entities of name i up to `candidate_ends[i + 1]`. `ids`, `descriptions`, `objects`: UTF-8
    as uint8, those of entity i up to `id_ends[i + 1]` and so on, int64; objects with newlines between them.
    """

    codes: npt.NDArray[np.uint32]
    nodes: npt.NDArray[np.void]
    names: npt.NDArray[np.int32]
    candidates: npt.NDArray[np.int32]
    candidate_ends: Numbers
    ids: npt.NDArray[np.uint8]
    id_ends: Numbers
    descriptions: npt.NDArray[np.uint8]
    description_ends: Numbers
    objects: npt.NDArray[np.uint8]
    object_ends: Numbers

    @staticmethod
    def open(directory: Path) -> "KnowledgeBase":
        """Maps the files `<array>.npy` of a folder; raises OSError, EOFError or ValueError for damaged ones."""
        return KnowledgeBase.of({name: np.load(directory / f"{name}.npy", mmap_mode="r") for name in ARRAYS})

    @staticmethod
    def of(arrays: Mapping[str, npt.NDArray[Any]]) -> "KnowledgeBase":
        """The knowledge base of its arrays; plain ones, as memory maps are slow to index."""
        return KnowledgeBase(**{name: np.asarray(arrays[name]).view(np.ndarray) for name in ARRAYS})

    def __len__(self) -> int:
        return len(self.id_ends) - 1

    def entity(self, identifier: str) -> int:
        """The number of the entity with an id, -1 where there is none."""
        wanted = identifier.encode("utf-8", "surrogatepass")
        found = bisect_left(range(len(self)), wanted, key=lambda entity: _item(self.ids, self.id_ends, entity))
        return found if found < len(self) and _item(self.ids, self.id_ends, found) == wanted else -1

    def id(self, entity: int) -> str:
        """The id of an entity."""
        return _item(self.ids, self.id_ends, entity).decode()

    def description(self, entity: int) -> str:
        """What is said of an entity, lowered: a line for its names and one for each fact, as `predicate：object`."""
        return _item(self.descriptions, self.description_ends, entity).decode()

    def objects_of(self, entity: int) -> list[str]:
        """The short objects of an entity's facts, lowered, longest first."""
        joined = _item(self.objects, self.object_ends, entity).decode()
        return joined.split("\n") if joined else []

    def find(self, names: Sequence[str]) -> Numbers:
        """The numbers of names, in any case and with or without 《》, int64 [n], -1 for what is none."""
        texts = [name_of(name) for name in names]
        points, starts = _separated(texts)
        sizes = np.array(list(map(len, texts)), np.int64)
        found, active, nodes = np.full(len(texts), -1, np.int64), np.flatnonzero(sizes), np.zeros(len(texts), np.int64)
        depth = 0
        while len(active):
            nodes[active] = self._step(nodes[active], self.codes[points[starts[active] + depth]])
            depth += 1
            active = active[nodes[active] >= 0]
            ended = active[sizes[active] == depth]
            found[ended] = self.names[nodes[ended]]
            active = active[sizes[active] > depth]
        return found

    def of_name(self, name: int) -> npt.NDArray[np.int32]:
        """The entities that a name may stand for, ascending."""
        return self.candidates[self.candidate_ends[name] : self.candidate_ends[name + 1]]

    def matches(self, texts: Sequence[str], *, left_out: Bools | None = None) -> Matches:
        """Every place in texts where a name stands, in any case, by text, begin and end. `left_out`: names, as mask."""
        points, starts = _separated([lowered(text) for text in texts])
        codes = self.codes[points]
        begins = np.flatnonzero(codes)
        nodes, found = np.zeros(len(begins), np.int64), list[Numbers]()
        depth = 0
        while len(begins):
            nodes = self._step(nodes, codes[begins + depth])
            depth += 1
            inside = nodes >= 0
            begins, nodes = begins[inside], nodes[inside]
            names = self.names[nodes]
            ended = names >= 0 if left_out is None else (names >= 0) & ~left_out[names]
            found.append(np.stack([begins[ended], begins[ended] + depth, names[ended]]))
        table = np.concatenate(found, axis=1) if found else np.zeros((3, 0), np.int64)
        table = table[:, np.lexsort((table[1], table[0]))]
        rows = np.searchsorted(starts, table[0], "right") - 1
        return Matches(rows, table[0] - starts[rows], table[1] - starts[rows], table[2])

    def maximum_matches(self, texts: Sequence[str], *, left_out: Bools | None = None) -> Matches:
        """The names that together cover most of each text, and of such the fewest; of equals the longer ones first.

        Maximum matching: the shortest path over the places between characters, along names at the price of 1 and
        single characters at the price of 100 (kexue.fm 6919).
        """
        found = self.matches(texts, left_out=left_out)
        sizes = np.array([len(text) for text in texts], np.int64)
        return found.chosen(_shortest_paths(found, sizes))

    def _step(self, nodes: Numbers, codes: npt.NDArray[np.uint32]) -> Numbers:
        """The children of nodes by codes, -1 where there is none."""
        bases = self.nodes["base"][nodes]
        children = bases + codes.astype(np.int64)
        there = (bases != 0) & (codes != 0) & (self.nodes["check"][children] == nodes)
        return np.where(there, children, -1)


def is_nil(identifier: str) -> bool:
    """Whether an id stands for no entity: NIL, or one of the types of NIL that other years have.

    >>> is_nil("NIL"), is_nil("NIL_Person"), is_nil("90001")
    (True, True, False)
    """
    return identifier.startswith(NIL)


def name_of(text: str) -> str:
    """A name as it is looked up: lowered, without white space around it, without 《》 around the whole.

    >>> name_of("《ABC》"), name_of("《甲》与《乙》")
    ('abc', '《甲》与《乙》')
    """
    name = lowered(text.strip())
    bracketed = _BRACKETED.fullmatch(name)
    return bracketed[1].strip() if bracketed else name


def lowered(text: str) -> str:
    """A text in small letters, each character where it stood: one that two would stand for is kept.

    >>> lowered("ABCİ")
    'abcİ'
    """
    small = text.lower()
    if len(small) != len(text):
        small = "".join(low if len(low := character.lower()) == 1 else character for character in text)
    return small


def _item(data: npt.NDArray[np.uint8], ends: Numbers, number: int) -> bytes:
    return data[ends[number] : ends[number + 1]].tobytes()


def _separated(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], Numbers]:
    """Texts as one array of code points, a NUL behind each, and where each begins."""
    sizes = np.array([len(text) + 1 for text in texts], np.int64)
    points = np.frombuffer("\0".join([*texts, ""]).encode("utf-32-le", "surrogatepass"), np.uint32)
    return points, np.cumsum(sizes) - sizes


def _shortest_paths(found: Matches, sizes: Numbers) -> Numbers:
    """Which matches lie on the shortest path of their text; all texts take each step together, from their ends."""
    width = int(sizes.max(initial=0))
    shift = width - sizes  # texts stand flush right, so that they all end at one place
    rows, begins = found.rows, found.begins + shift[found.rows]
    ends = found.ends + shift[found.rows]
    order = np.argsort(begins, kind="stable")
    bounds = np.searchsorted(begins[order], np.arange(width + 1))
    # Price and, below it, the size of the step: of equal prices the longest step is the smallest number.
    costs = np.zeros((len(sizes), width + 1), np.int64)
    steps = np.ones((len(sizes), width + 1), np.int64)
    for place in range(width - 1, -1, -1):
        best = (costs[:, place + 1] + _UNCOVERED) * _LONGEST + _LONGEST - 1
        here = order[bounds[place] : bounds[place + 1]]
        if len(here):
            tails = costs[rows[here], ends[here]]
            np.minimum.at(best, rows[here], (tails + 1) * _LONGEST + _LONGEST - 1 - (ends[here] - begins[here]))
        costs[:, place] = best // _LONGEST
        steps[:, place] = np.maximum(_LONGEST - 1 - best % _LONGEST, 1)
        steps[:, place] *= np.where(best % _LONGEST == _LONGEST - 1, -1, 1)
    return _walked(rows, begins, ends, steps, shift)


def _walked(rows: Numbers, begins: Numbers, ends: Numbers, steps: Numbers, shift: Numbers) -> Numbers:
    """The matches that a walk along `steps` takes; a step below 0 is over a character that no name covers."""
    width = steps.shape[1] - 1
    taken = np.zeros(steps.shape, np.int64)
    at, every = shift.copy(), np.arange(len(shift))
    while len(every) and np.any(at < width):
        every = every[at[every] < width]
        step = steps[every, at[every]]
        taken[every, at[every]] = np.maximum(step, 0)
        at[every] += np.abs(step)
    return np.flatnonzero(taken[rows, begins] == ends - begins)
