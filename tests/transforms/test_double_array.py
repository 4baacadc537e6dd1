"""Double-array tries: exactly their keys, in any order of building, on any characters."""

import random
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import any_text
from transforms.double_array import CODE_POINTS, NODE, DoubleArray, code_points

few_letters = st.text("ab\0中\U00020000", min_size=1, max_size=5)
key_sets = st.sets(any_text(min_size=1, max_size=6) | few_letters, max_size=30)


def prefixes(keys: set[str]) -> set[str]:
    return {key[:end] for key in keys for end in range(1, len(key) + 1)}


def ascending_codes(characters: str) -> npt.NDArray[np.uint16]:
    codes = np.zeros(CODE_POINTS, np.uint16)
    codes[list(map(ord, characters))] = np.arange(1, len(characters) + 1)
    return codes


@given(key_sets, st.lists(any_text(max_size=6) | few_letters, max_size=20))
def test_trie_finds_exactly_the_paths_of_its_keys(keys: set[str], others: list[str]) -> None:
    trie = DoubleArray.build(sorted(keys))
    paths = prefixes(keys)
    queries = [*paths, *others, *(key + "a" for key in keys), *(key[1:] for key in keys)]
    nodes = dict(zip(queries, trie.find(queries).tolist(), strict=True))
    assert {query for query in queries if query and nodes[query] >= 0} == paths
    assert all(nodes[path] > 0 for path in paths)
    assert len({nodes[path] for path in paths}) == len(paths)


@given(key_sets)
def test_trie_keeps_the_double_array_invariant(keys: set[str]) -> None:
    trie = DoubleArray.build(sorted(keys))
    base, check = trie.nodes["base"], trie.nodes["check"]
    placed = np.flatnonzero(check >= 0)
    assert len(placed) == len(prefixes(keys))
    assert check[0] == -1
    assert np.all(base[check[placed]] > 0)
    assert np.all(placed > base[check[placed]])
    assert int(base.max()) + int(trie.codes.max()) < len(trie.nodes), "a step may leave the array"


@given(key_sets, st.randoms(use_true_random=False))
def test_trie_does_not_depend_on_the_order_of_its_keys(keys: set[str], order: random.Random) -> None:
    shuffled = list(keys)
    order.shuffle(shuffled)
    one, other = DoubleArray.build(sorted(keys)), DoubleArray.build(shuffled)
    assert one.nodes.tobytes() == other.nodes.tobytes()
    assert one.codes.tobytes() == other.codes.tobytes()


def test_trie_gives_frequent_characters_small_codes() -> None:
    codes = DoubleArray.build(["aab", "cab", "ca"]).codes
    assert {character: int(codes[ord(character)]) for character in "abcd"} == {"a": 1, "b": 2, "c": 3, "d": 0}
    assert len(codes) == CODE_POINTS


def test_trie_of_nothing_finds_nothing() -> None:
    trie = DoubleArray.build([])
    assert trie.find(["a", "\U0010ffff"]).tolist() == [-1, -1]
    assert trie.find([]).tolist() == []


def test_trie_uses_given_codes() -> None:
    trie = DoubleArray.build(["ba", "b"], codes=ascending_codes("abc"))
    b, ba, a = trie.find(["b", "ba", "a"]).tolist()
    assert b == int(trie.nodes["base"][0]) + 2
    assert ba == int(trie.nodes["base"][b]) + 1
    assert a == -1


def test_trie_grows_when_families_do_not_interleave() -> None:
    # Sixty nodes with a random quarter of 256 children each: two of them hardly ever fit into one another.
    order = random.Random(1)
    keys = [
        chr(0x4E00 + family) + chr(0x5000 + child) for family in range(60) for child in order.sample(range(256), 64)
    ]
    trie = DoubleArray.build(keys)
    first_size = 2 * len(keys) + 2 * (int(trie.codes.max()) + 1) + 2
    assert len(trie.nodes) > first_size, "nothing grew: this test needs other keys"
    absent = [chr(0x4E00 + family) + chr(0x5000 + child) for family in range(60) for child in range(256)]
    absent = sorted(set(absent) - set(keys))
    assert np.all(trie.find(keys) > 0)
    assert np.all(trie.find(absent) == -1)


def test_trie_of_many_keys() -> None:
    order = random.Random(2)
    alphabet = [chr(0x4E00 + index) for index in range(3000)]
    keys = {"".join(order.choices(alphabet, k=order.randint(1, 4))) for _ in range(50_000)}
    others = {"".join(order.choices(alphabet, k=order.randint(1, 4))) for _ in range(50_000)} - prefixes(keys)
    trie = DoubleArray.build(sorted(keys))
    assert np.all(trie.find(sorted(keys)) > 0)
    assert np.all(trie.find(sorted(others)) == -1)


def test_trie_works_on_a_read_only_memory_map(tmp_path: Path) -> None:
    built = DoubleArray.build(["中国", "中国人", "人"])
    np.save(tmp_path / "nodes.npy", built.nodes)
    nodes = np.load(tmp_path / "nodes.npy", mmap_mode="r")
    assert nodes.dtype == NODE
    keys = ["中国", "人", "国"]
    assert DoubleArray(built.codes, nodes).find(keys).tolist() == built.find(keys).tolist()


@pytest.mark.parametrize("keys", [[""], ["a", ""], ["", ""]])
def test_empty_key_is_refused(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="a key is empty"):
        DoubleArray.build(keys)


@given(st.sets(few_letters, min_size=1), st.data())
def test_repeated_key_is_refused(keys: set[str], data: st.DataObject) -> None:
    repeated = data.draw(st.permutations([*keys, data.draw(st.sampled_from(sorted(keys)))]))
    with pytest.raises(ValueError, match="a key stands twice"):
        DoubleArray.build(repeated)


def test_key_with_a_character_without_a_code_is_refused() -> None:
    with pytest.raises(ValueError, match="holds a character without a code"):
        DoubleArray.build(["ab", "ad"], codes=ascending_codes("abc"))


@given(st.lists(any_text()))
def test_code_points_are_the_texts(texts: list[str]) -> None:
    points, offsets = code_points(texts)
    assert (points.dtype, offsets.dtype) == (np.dtype("u4"), np.dtype("i8"))
    assert len(offsets) == len(texts) + 1
    bounds = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    assert ["".join(map(chr, points[low:high].tolist())) for low, high in bounds] == texts
    assert int(offsets[0]) == 0
    assert int(offsets[-1]) == len(points)
