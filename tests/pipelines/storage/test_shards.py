"""Shards hold every slice once, in order, within their size, and enough of them for the workers."""

import itertools
import json
from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.storage.listing import Source
from pipelines.storage.shards import (
    SHARDS_PER_WORKER,
    SMALLEST_SHARD,
    Slice,
    digest,
    make_shard,
    make_shards,
    splittable,
    whole,
    without,
)


def source(
    size: int, name: str = "a", format: str = "document", encoding: str = "auto", compression: str = ""
) -> Source:
    return Source(f"/{name}", "label", size, "1", format, encoding, compression)  # type: ignore[arg-type]


def sources_of(sizes: Sequence[int], format: str) -> list[Source]:
    return [source(size, f"{number:05d}", format, "utf-8") for number, size in enumerate(sizes)]


def covered(slices: Sequence[Slice]) -> dict[str, list[tuple[int, int]]]:
    ranges = defaultdict(list)
    for piece in slices:
        ranges[piece.source.place].append((piece.begin, piece.end))
    return ranges


SIZES = st.lists(st.integers(0, 300) | st.integers(0, 5000), max_size=40)


@given(
    documents=SIZES,
    lines=SIZES,
    workers=st.integers(1, 8),
    shard_bytes=st.integers(1, 6000) | st.just(32 << 20),
)
@example([100] * 40, [], 2, 150)
@example([0, 0], [0], 1, 1)
@example([], [], 1, 1)
def test_every_byte_is_in_one_shard_within_its_size(
    documents: list[int], lines: list[int], workers: int, shard_bytes: int
) -> None:
    sources = [*sources_of(documents, "document"), *sources_of([*lines], "lines")]
    slices = [whole(each) for each in sources]
    shards = make_shards(slices, workers=workers, shard_bytes=shard_bytes, configuration="c")
    pieces = [piece for shard in shards for piece in shard.slices]
    assert [piece.source for piece in pieces if piece.begin == 0] == sources
    for each, ranges in zip(sources, covered_in_order(pieces), strict=True):
        assert ranges[0][0] == 0
        assert [end for _, end in ranges] == [begin for begin, _ in ranges[1:]] + [each.size]
    for shard in shards:
        assert shard.size == sum(piece.end - piece.begin for piece in shard.slices)
        assert shard.size <= shard_bytes or (len(shard.slices) == 1 and not splittable(shard.slices[0].source))
        assert shard.slices
    assert len({shard.fingerprint for shard in shards}) == len(shards)


def covered_in_order(pieces: Sequence[Slice]) -> list[list[tuple[int, int]]]:
    """The ranges of each source; a source that begins is a new one, as names repeat between formats."""
    ranges: list[list[tuple[int, int]]] = []
    for piece in pieces:
        if piece.begin == 0:
            ranges.append([])
        ranges[-1].append((piece.begin, piece.end))
    return ranges


@given(
    size=st.integers(1, 100 << 20),
    count=st.integers(1, 50),
    workers=st.integers(1, 16),
    shard_bytes=st.sampled_from([1 << 20, 32 << 20]),
    format=st.sampled_from(["document", "lines"]),
)
def test_shards_are_balanced_and_enough(size: int, count: int, workers: int, shard_bytes: int, format: str) -> None:
    """Files of one size: no shard is much larger than the even share, and there are four a worker where it is wise."""
    sources = sources_of([size] * count, format)
    shards = make_shards([whole(each) for each in sources], workers=workers, shard_bytes=shard_bytes, configuration="c")
    total, wanted = size * count, SHARDS_PER_WORKER * workers
    even = max(min(total / wanted, shard_bytes), SMALLEST_SHARD)
    piece = size if format == "document" else min(size, even)
    assert max(shard.size for shard in shards) <= max(piece, even + piece + 1)
    if format == "lines" and total >= wanted * SMALLEST_SHARD:
        assert len(shards) >= wanted / 2
    if total <= SMALLEST_SHARD:
        assert len(shards) == 1


def test_a_large_line_file_gives_four_equal_shards_a_worker() -> None:
    shards = make_shards([whole(source(80 << 20, format="lines"))], workers=2, shard_bytes=32 << 20, configuration="c")
    assert [shard.size for shard in shards] == [10 << 20] * 8


@pytest.mark.parametrize("documents", [19_988, 20_000])
def test_the_size_of_a_shard_is_a_limit_that_costs_no_more_shards_than_it_must(documents: int) -> None:
    """Documents of 100 KiB, which do not fill 32 MiB evenly; of 19,988 just so many that 61 shards would be full."""
    slices = [whole(each) for each in sources_of([100 << 10] * documents, "document")]
    shards = make_shards(slices, workers=2, shard_bytes=32 << 20, configuration="c")
    assert max(shard.size for shard in shards) <= 32 << 20
    assert len(shards) - 2 * 3 <= 1.05 * (documents * 100) / (32 << 10)  # each worker's last one is four


@pytest.mark.parametrize("format", ["document", "lines"])
@pytest.mark.parametrize("workers", [1, 3])
def test_the_last_of_large_shards_are_cut_in_four(format: str, workers: int) -> None:
    """So that no worker waits long for another; small corpora have small shards anyway."""
    slices = [whole(each) for each in sources_of([1 << 20] * 1000 if format == "document" else [1000 << 20], format)]
    sizes = [shard.size for shard in make_shards(slices, workers=workers, shard_bytes=32 << 20, configuration="c")]
    small = [size for size in sizes if size <= 8 << 20]
    assert sum(sizes) == 1000 << 20
    assert sizes == [size for size in sizes if size > 16 << 20] + small
    assert max(sizes) <= 32 << 20
    assert (4 * workers <= len(small) <= 5 * workers and min(small) >= 4 << 20) if workers > 1 else not small
    assert len(make_shards(slices, workers=50, shard_bytes=32 << 20, configuration="c")) == 200


def test_an_archive_that_lies_about_a_size_does_not_make_shards_without_end() -> None:
    lies = [source(1 << 62, "y"), source((1 << 64) - 1, "z")]
    slices = [whole(each) for each in [*sources_of([10] * 100, "document"), *lies]]
    shards = make_shards(slices, workers=2, shard_bytes=1 << 10, configuration="c")
    assert sum(len(shard.slices) for shard in shards) == 102
    assert len(shards) <= 102


@pytest.mark.parametrize(
    ("format", "encoding", "compression", "expected"),
    [
        ("lines", "utf-8", "", True),
        ("tsv", "gb18030", "", True),
        ("jsonl", "utf-8", "", True),
        ("parquet", "utf-8", "", True),
        ("document", "auto", "", False),
        ("lines", "utf-8", "gz", False),
        ("lines", "utf-16", "", False),
        ("tsv", "utf-32-le", "", False),
    ],
)
def test_what_can_be_split(format: str, encoding: str, compression: str, expected: bool) -> None:
    assert splittable(source(9, "a", format, encoding, compression)) is expected


def test_what_cannot_be_split_is_one_slice() -> None:
    slices = [whole(source(1000, name, "lines", "utf-8", "gz")) for name in "ab"]
    shards = make_shards(slices, workers=1, shard_bytes=10, configuration="c")
    assert [shard.slices for shard in shards] == [(slices[0],), (slices[1],)]


@given(
    size=st.integers(0, 50),
    bounds=st.lists(st.integers(0, 50), max_size=10),
    chosen=st.lists(st.booleans(), min_size=11, max_size=11),
)
def test_what_is_taken_and_what_is_left_make_up_a_source(size: int, bounds: list[int], chosen: list[bool]) -> None:
    cuts = sorted({0, size, *(bound for bound in bounds if bound < size)})
    ranges = list(itertools.pairwise(cuts)) or [(0, 0)]
    taken = [pair for pair, take in zip(ranges, chosen, strict=False) if take]
    left = [(piece.begin, piece.end) for piece in without(source(size), list(reversed(taken)))]
    assert sorted(position for pair in [*taken, *left] for position in range(*pair)) == list(range(size))
    assert all(begin < end or size == 0 for begin, end in left)
    if size == 0:
        assert left == [(0, 0)] * (not taken)


def test_a_fingerprint_covers_slices_and_configuration() -> None:
    first, second = source(10), source(10, "b")
    pieces = [Slice(first, 0, 5), Slice(second, 0, 10)]
    fingerprint = make_shard(pieces, configuration="c").fingerprint
    others = [
        make_shard(pieces, configuration="d"),
        make_shard(pieces[:1], configuration="c"),
        make_shard(pieces[::-1], configuration="c"),
        make_shard([Slice(first, 0, 6), pieces[1]], configuration="c"),
        make_shard([Slice(source(10, "c"), 0, 5), pieces[1]], configuration="c"),
    ]
    assert make_shard(pieces, configuration="c").fingerprint == fingerprint
    assert len({fingerprint, *(shard.fingerprint for shard in others)}) == 6


def test_a_digest_is_of_canonical_json_whatever_characters_there_are() -> None:
    assert digest({"b": 1, "a": ("中", "\udcd6")}) == digest(json.loads('{"a": ["中", "\\udcd6"], "b": 1}'))
    assert digest([1]) == "080a9ed428559ef602668b4c00f114f1a11c3f6b02a435f0bdc154578e4d7f22"
