"""A listing gives back what it was made of, finds each place, and stays small."""

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.storage import listing
from pipelines.storage.listing import Source, in_order, listing_of

SOURCES = st.builds(
    Source,
    path=st.text(min_size=1, max_size=4),
    label=st.text(max_size=2),
    size=st.integers(0, 1 << 62),
    version=st.text(max_size=2),
    format=st.sampled_from(["document", "lines"]),
    encoding=st.sampled_from(["auto", "utf-8"]),
    name=st.sampled_from(["", "a", "b"]),
    member=st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9), st.just(8)),
    problem=st.sampled_from(["", "damaged"]),
    split=st.sampled_from(["", "dev"]),
)
LISTS = st.lists(SOURCES, max_size=9, unique_by=lambda source: source.place).map(
    lambda sources: sorted(sources, key=lambda source: source.place)
)


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "BLOCK", 3)
        yield


@given(sources=LISTS)
def test_a_listing_holds_its_sources_in_order(sources: list[Source]) -> None:
    made = listing_of(iter(sources))
    assert list(made) == sources
    assert list(made) == sources  # as often as one asks
    assert len(made) == len(sources)
    assert made.bytes == sum(source.size for source in sources)
    assert sum(made.encodings.values()) == len(sources)


@given(sources=LISTS, places=st.lists(st.text(max_size=4), max_size=5))
def test_each_place_is_found_and_no_other(sources: list[Source], places: list[str]) -> None:
    made = listing_of(sources)
    expected = {source.place: (number, source) for number, source in enumerate(sources)}
    for place in [*expected, *places, *reversed(expected)]:
        assert made.find(place) == expected.get(place)


@given(sources=LISTS)
def test_the_digest_changes_with_any_identity(sources: list[Source]) -> None:
    before = listing_of(sources).sha256
    assert listing_of(sources).sha256 == before
    for number, source in enumerate(sources):
        other = source._replace(version=f"{source.version}.")
        assert listing_of([*sources[:number], other, *sources[number + 1 :]]).sha256 != before
        assert listing_of([*sources[:number], *sources[number + 1 :]]).sha256 != before


@given(lists=st.lists(LISTS, max_size=3))
def test_lists_are_merged_and_the_first_comes_first_where_places_are_one(lists: list[list[Source]]) -> None:
    together = list(in_order(lists))
    assert together == sorted((source for each in lists for source in each), key=lambda source: source.place)


def test_small_files_cost_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "BLOCK", 1024)
    files = 50_000
    sources = (
        Source(f"/corpus/财经/{number:09}.txt", "财经", 2600 + number % 977, f"{17 * number}", "document", "auto")
        for number in range(files)
    )
    tracemalloc.start()
    made = listing_of(sources)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(made) == files
    assert held < 64 * files
