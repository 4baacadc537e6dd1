"""Names in texts: every match against a plain search, the best paths against all paths, the store by id."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.knowledge_base import ARRAYS, KnowledgeBase, Matches, lowered, name_of
from transforms.knowledge_base_building import Entity, made_of

LETTERS = "甲乙丙aA𠀀"
NAMES = st.sets(st.text("甲乙丙a𠀀", min_size=1, max_size=4), min_size=1, max_size=12)


def named(*names: str) -> KnowledgeBase:
    return made_of([Entity("7", tuple(names), "", ())])


def spans(found: Matches) -> list[tuple[int, int, int]]:
    return list(zip(found.rows.tolist(), found.begins.tolist(), found.ends.tolist(), strict=True))


def plain_matches(text: str, names: Sequence[str]) -> list[tuple[int, int]]:
    """Every substring that is a name."""
    places = [(begin, end) for begin in range(len(text)) for end in range(begin + 1, len(text) + 1)]
    return [(begin, end) for begin, end in places if lowered(text)[begin:end] in names]


def price(length: int, taken: Sequence[tuple[int, int]]) -> int:
    return len(taken) + 100 * (length - sum(end - begin for begin, end in taken))


def best_price(length: int, matches: Sequence[tuple[int, int]]) -> int:
    """The least that any way through a text costs, tried one place after another."""
    costs = [0] * (length + 1)
    for begin in range(length - 1, -1, -1):
        steps = [1 + costs[end] for first, end in matches if first == begin]
        costs[begin] = min([100 + costs[begin + 1], *steps])
    return costs[0]


@given(NAMES, st.lists(st.text(LETTERS, max_size=12), max_size=5))
def test_every_place_of_every_name_is_found(names: set[str], texts: list[str]) -> None:
    base = named(*names)
    found = base.matches(texts)
    assert spans(found) == [(row, *span) for row, text in enumerate(texts) for span in plain_matches(text, list(names))]
    said = [lowered(texts[row])[begin:end] for row, begin, end in spans(found)]
    assert found.names.tolist() == base.find(said).tolist()


@given(NAMES, st.lists(st.text(LETTERS, max_size=12), min_size=1, max_size=5))
def test_maximum_matches_are_a_cheapest_way(names: set[str], texts: list[str]) -> None:
    """They do not overlap, and no other choice covers more, or as much with fewer."""
    found = spans(named(*names).maximum_matches(texts))
    for row, text in enumerate(texts):
        taken = [(begin, end) for number, begin, end in found if number == row]
        assert all(first[1] <= second[0] for first, second in itertools.pairwise(taken))
        matches = plain_matches(text, list(names))
        assert set(taken) <= set(matches)
        assert price(len(text), taken) == best_price(len(text), matches)


@given(NAMES, st.lists(st.text(LETTERS, max_size=12), min_size=1, max_size=5))
def test_texts_together_are_as_each_alone(names: set[str], texts: list[str]) -> None:
    base = named(*names)
    alone = [(row, *span[1:]) for row, text in enumerate(texts) for span in spans(base.maximum_matches([text]))]
    assert spans(base.maximum_matches(texts)) == alone


@pytest.mark.parametrize(
    ("names", "text", "taken"),
    [
        (("北京", "北京大学", "大学", "学生"), "北京大学生", ["北京大学"]),
        (("北京", "大学生", "北京大学"), "北京大学生", ["北京", "大学生"]),
        (("甲乙", "乙丙", "丙丁"), "甲乙丙丁", ["甲乙", "丙丁"]),
        (("甲", "甲乙", "乙丙", "丙"), "甲乙丙", ["甲乙", "丙"]),
        (("a b",), "A B", ["A B"]),
        (("甲",), "", []),
    ],
)
def test_which_names_are_taken(names: tuple[str, ...], text: str, taken: list[str]) -> None:
    """Most of the text, then fewest names, then the longer one first."""
    assert [text[begin:end] for _, begin, end in spans(named(*names).maximum_matches([text]))] == taken


def test_names_that_are_left_out() -> None:
    base = named("甲乙", "乙丙丁")
    mask = np.zeros(2, np.bool_)
    mask[base.find(["乙丙丁"])[0]] = True
    assert spans(base.maximum_matches(["甲乙丙丁"])) == [(0, 1, 4)]
    assert spans(base.maximum_matches(["甲乙丙丁"], left_out=mask)) == [(0, 0, 2)]


@given(NAMES, st.lists(st.text(LETTERS, max_size=5), max_size=6))
def test_names_are_looked_up(names: set[str], asked: list[str]) -> None:
    found = named(*names).find(asked)
    assert [number >= 0 for number in found.tolist()] == [lowered(name) in names for name in asked]
    assert len({number for number in found.tolist() if number >= 0}) == len({lowered(name) for name in asked} & names)


def test_brackets_and_white_space_are_no_part_of_a_name() -> None:
    base = named("红楼梦", "《甲》与《乙》")
    assert base.find(["《红楼梦》", " 红楼梦 ", "《甲》与《乙》", "《》", ""]).tolist() == [
        *[base.find(["红楼梦"])[0]] * 2,
        base.find(["《甲》与《乙》"])[0],
        -1,
        -1,
    ]
    assert name_of("《 A 》") == "a"


@given(st.text(max_size=20))
def test_small_letters_stand_where_the_capitals_stood(text: str) -> None:
    assert len(lowered(text)) == len(text)
    assert lowered(lowered(text)) == lowered(text)


@given(st.sets(st.text("09aé𠀀", min_size=1, max_size=3), min_size=1, max_size=9))
def test_entities_by_id(ids: set[str]) -> None:
    base = made_of([Entity(one, (f"甲{one}",), f"说{one}", (one, "乙")) for one in ids])
    assert len(base) == len(ids)
    for one in ids:
        entity = base.entity(one)
        assert (base.id(entity), base.description(entity), base.objects_of(entity)) == (one, f"说{one}", [one, "乙"])
    assert base.entity("另") == base.entity("") == base.entity("\ud800") == -1


def test_files_say_what_memory_said(tmp_path: Path) -> None:
    made = made_of([Entity("8", ("晨星",), "", ()), Entity("7", ("晨星", "列车"), "说", ("乙",))])
    for name in ARRAYS:
        np.save(tmp_path / f"{name}.npy", getattr(made, name))
    opened = KnowledgeBase.open(tmp_path)
    assert [opened.id(entity) for entity in opened.of_name(int(opened.find(["晨星"])[0]))] == ["7", "8"]
    assert (opened.description(0), opened.objects_of(0), opened.objects_of(1)) == ("说", ["乙"], [])
    assert not opened.nodes.flags.writeable
    (tmp_path / "ids.npy").unlink()
    with pytest.raises(FileNotFoundError):
        KnowledgeBase.open(tmp_path)
