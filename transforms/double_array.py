"""A double-array trie over strings: one array of (base, check) pairs, shared by memory map.

The layout is Aoe's (IEEE Transactions on Software Engineering 15(9), 1989): the child of node `s` by character code
`c` is `t = base[s] + c`, and it exists exactly when `check[t] == s`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.compiled import kernel

CODE_POINTS = 0x110000
PATIENCE = 256

NODE = np.dtype([("base", "i4"), ("check", "i4")])
_LINK = np.dtype([("following", "i4"), ("preceding", "i4")])
_QUEUED = np.dtype([("low", "i4"), ("high", "i4"), ("place", "i4")])
_CHILD = np.dtype([("code", "i4"), ("start", "i4")])


@kernel(np.dtype("i4"), np.dtype("i8"), NODE, _LINK, _QUEUED, _CHILD, np.dtype("i4"))
def _place(codes, offsets, nodes, links, queue, children, resume):  # type: ignore[no-untyped-def]
    """Places the sorted keys breadth first; returns the number of cells used, or -1 if `nodes` is too small.

    Free cells form a doubly linked list, so that a search touches no used cell. `resume` says where to begin the
    search for a family of about this size: left of it nearly all cells failed.
    """
    keys = len(offsets) - 1
    size = len(nodes)
    queue[0].low, queue[0].high, queue[0].place = 0, keys, 0
    head, tail, depth, level_end, top = 0, 1, 0, 1, 0
    while head < tail:
        if head == level_end:
            depth += 1
            level_end = tail
        begin, end, node = queue[head].low, queue[head].high, queue[head].place
        head += 1
        while begin < end and offsets[begin + 1] - offsets[begin] == depth:
            begin += 1  # the key that ends at this node
        count = 0
        key = begin
        while key < end:
            code = codes[offsets[key] + depth]
            children[count].code = code
            children[count].start = key
            count += 1
            while key < end and codes[offsets[key] + depth] == code:
                key += 1
        if count == 0:
            continue
        children[count].start = end
        family = 0
        while count >> family > 1:
            family += 1
        while resume[family] < size and nodes[resume[family]].check != -1:
            resume[family] = links[resume[family]].following
        cell = resume[family]
        while cell <= children[0].code:
            cell = links[cell].following
        failures = 0
        while True:
            base = cell - children[0].code
            if base + children[count - 1].code >= size:
                return -1
            child = 1
            while child < count and nodes[base + children[child].code].check == -1:
                child += 1
            if child >= count:
                break
            cell = links[cell].following
            failures += 1
            if failures % PATIENCE == 0:
                resume[family] = cell
        nodes[node].base = base
        for child in range(count):
            cell = base + children[child].code
            nodes[cell].check = node
            before, after = links[cell].preceding, links[cell].following
            links[before].following = after
            links[after].preceding = before
            queue[tail].low = children[child].start
            queue[tail].high = children[child + 1].start
            queue[tail].place = cell
            tail += 1
            top = max(top, cell)
    return top + 1


@kernel(np.dtype("i4"), np.dtype("i8"), NODE, np.dtype("i8"))
def _walk(codes, offsets, nodes, found):  # type: ignore[no-untyped-def]
    for key in range(len(offsets) - 1):
        node = 0
        for position in range(offsets[key], offsets[key + 1]):
            base, code = nodes[node].base, codes[position]
            if base == 0 or code == 0 or nodes[base + code].check != node:
                node = -1
                break
            node = base + code
        found[key] = node
    return 0


@dataclass(frozen=True, slots=True, eq=False)
class DoubleArray:
    """A trie of non-empty strings.

    `codes`: unsigned by code point, 0 for characters that no key holds. `nodes`: NODE [cells]; cell 0 is the root, a
    node without children has base 0. Cells reach `max(codes)` beyond the last base, so that a step from any node by
    any code stays inside.

    >>> trie = DoubleArray.build(["中国", "中国人", "人"])
    >>> [int(node) > 0 for node in trie.find(["中", "中国", "国", "人"])]
    [True, True, False, True]
    """

    codes: npt.NDArray[np.unsignedinteger[Any]]
    nodes: npt.NDArray[np.void]

    @staticmethod
    def build(keys: Sequence[str], *, codes: npt.NDArray[np.unsignedinteger[Any]] | None = None) -> "DoubleArray":
        """Builds the trie of `keys`, in any order; frequent characters get small codes unless `codes` are given.

        Raises ValueError for an empty or repeated key, or a key with a character whose given code is 0.
        """
        points, offsets = code_points(keys)
        if codes is None:
            codes = _codes_by_frequency(points)
        coded = codes[points].astype(np.int32)
        if np.any(coded == 0) or np.any(np.diff(offsets) == 0):
            raise ValueError("a key is empty or holds a character without a code")
        # Lifted beyond the surrogates, so that every code is a character and Python's own sort compares them.
        text = (coded + 0x10000).astype("<u4").tobytes().decode("utf-32-le")
        bounds = offsets.tolist()
        ordered = sorted(text[bounds[key] : bounds[key + 1]] for key in range(len(keys)))
        if any(ordered[key] == ordered[key + 1] for key in range(len(keys) - 1)):
            raise ValueError("a key stands twice")
        points, offsets = code_points(ordered)
        del text, bounds, ordered  # which are larger than all that is still needed
        coded = (points - np.uint32(0x10000)).astype(np.int32)
        del points
        width = int(codes.max(initial=0)) + 1
        nodes = np.empty(0, NODE)
        used, size = -1, len(coded) + 2 * width + 2
        while used < 0:
            del nodes
            nodes = np.full(size, np.array((0, -1), NODE))
            links = np.empty(size + 1, _LINK)
            links["following"] = np.arange(1, size + 2)
            links["preceding"] = np.arange(-1, size)
            links["preceding"][1] = 0
            queue, children = np.empty(len(coded) + 1, _QUEUED), np.empty(width + 1, _CHILD)
            used = _place(coded, offsets, nodes, links, queue, children, np.ones(32, np.int32))
            size *= 2
            del links, queue, children
        room = np.full(max(0, used + width - len(nodes)), np.array((0, -1), NODE))
        return DoubleArray(codes, np.concatenate([nodes[: used + width], room]))

    def find(self, keys: Sequence[str]) -> npt.NDArray[np.int64]:
        """The node of each key, int64 [len(keys)], -1 where the trie has no such path."""
        points, offsets = code_points(keys)
        found = np.empty(len(keys), np.int64)
        _walk(self.codes[points].astype(np.int32), offsets, self.nodes, found)
        return found


def code_points(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """All texts as one uint32 array of code points, and where each begins and ends, int64 [len(texts) + 1]."""
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=offsets[1:])
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    return points, offsets


def _codes_by_frequency(points: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    characters, counts = np.unique(points, return_counts=True)
    codes = np.zeros(CODE_POINTS, np.uint32)
    codes[characters[np.argsort(-counts, kind="stable")]] = np.arange(1, len(characters) + 1)
    return codes
