"""Statistics of training texts: names left out, ids of names; candidates with and without them."""

import json
from typing import Any

import numpy as np
import pytest

from transforms.knowledge_base_building import Entity, made_of
from transforms.tasks.entity_linking_candidates import Candidates, Statistics, gold_links
from transforms.tasks.record import Record

BASE = made_of([Entity("1", ("晨星", "列车"), "", ()), Entity("2", ("晨星",), "", ()), Entity("3", ("发车",), "", ())])


def record(text: str, *mentions: tuple[str, str]) -> Record:
    begins = [text.index(said) for said, _ in mentions]
    ends = [begin + len(said) for begin, (said, _) in zip(begins, mentions, strict=True)]
    entities = [one for _, one in mentions]
    return {"text": text, "mention_begins": np.array(begins), "mention_ends": np.array(ends), "entities": entities}


def test_gold_without_nil() -> None:
    assert gold_links(record("《晨星》发车", ("《晨星》", "1"), ("发车", "NIL"))) == [("晨星", "1")]


@pytest.mark.parametrize(("meant", "passed", "left_out"), [(0, 4, True), (0, 3, False), (1, 9, True), (1, 8, False)])
def test_a_name_is_left_out_by_its_texts(meant: int, passed: int, left_out: bool) -> None:
    """(passed + 1) / (meant + 1) >= 5; a text counts once, however often the name stands in it."""
    records = [record("发车了", ("发车", "3"))] * meant + [record("发车又发车")] * passed
    assert ("发车" in Statistics.of(records, BASE).left_out) == left_out


def test_nil_does_not_mean_a_name() -> None:
    assert Statistics.of([record("发车", ("发车", "NIL"))] * 4, BASE).left_out == {"发车"}


def test_ids_that_a_name_was_seen_with() -> None:
    records = [record("晨星", ("晨星", one)) for one in ("2", "2", "1", "9", "9", "9")]
    made = Statistics.of(records, BASE)
    assert made.links == {"晨星": ("9", "2")}
    assert made.frequent == {"晨星": "9"}
    assert Candidates(BASE, made).of("晨星") == [1]
    assert Candidates(BASE, Statistics.of(records, BASE, links=4)).of("晨星") == [0, 1]


def test_candidates() -> None:
    plain = Candidates(BASE)
    assert (plain.of("晨星"), plain.of("《晨星》"), plain.of("海雾")) == ([0, 1], [0, 1], [])
    left = Candidates(BASE, Statistics(left_out=frozenset({"晨星", "海雾"}), links={"晨星": ("1",)}))
    assert (left.of("晨星"), left.all_of("晨星"), left.of("列车")) == ([], [0, 1], [0])
    assert len(plain.matches(["晨星发车"])) == 2
    assert left.matches(["晨星发车"]).begins.tolist() == [2]


def test_statistics_are_kept_as_json() -> None:
    records = [record("晨星发车", ("晨星", "2"))] * 5
    made = Statistics.of(records, BASE)
    assert made.left_out
    assert made.links
    assert Statistics.of_json(json.loads(json.dumps(made.as_json()))) == made


def test_many_records_are_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[Any] = [record("晨星发车", ("晨星", "2")), record("列车发车", ("列车", "1"))] * 4
    whole = Statistics.of(records, BASE)
    monkeypatch.setattr("transforms.tasks.entity_linking_candidates._AT_ONCE", 3)
    assert Statistics.of(iter(records), BASE) == whole
