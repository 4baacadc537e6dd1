"""Entities made of mentions: each id once, with all that it is called, but for those that are known."""

import json
from pathlib import Path

import numpy as np

from pipelines.made_entities import made_knowledge_base
from tests.pipelines.command import hanmill
from tests.pipelines.made_records import LINKED, write_lines
from transforms.tasks.entity_linking_candidates import Candidates

TWO = {
    "text_id": "8",
    "text": "北大",
    "mention_data": [
        {"mention": "北大", "offset": "0", "kb_id": "12"},
        {"mention": "大", "offset": "1", "kb_id": "3"},
        {"mention": "北", "offset": "0", "kb_id": "NIL"},
    ],
}


def test_a_knowledge_base_of_records() -> None:
    """Each id with all that it is called, NIL with nothing."""
    mentions = {"mention_begins": np.array([0, 5, 2, 4]), "mention_ends": np.array([4, 7, 4, 5])}
    base = made_knowledge_base([{"text": "北京大学在北京", **mentions, "entities": ["12", "3", "12", "NIL"]}])
    assert [base.id(entity) for entity in range(len(base))] == ["12", "3"]
    assert [base.id(entity) for entity in Candidates(base).of("大学")] == ["12"]
    assert Candidates(base).of("在") == []


def test_a_knowledge_base_of_both(tmp_path: Path) -> None:
    train, dev = (write_lines(tmp_path / name, [row]) for name, row in (("train", LINKED), ("dev", TWO)))
    made = hanmill("kb", "mentions", train, dev, "--out", tmp_path / "all")
    assert (made.code, made.out) == (0, f"{tmp_path / 'all'}: 2 made entities, 3 names\n")
    rows = [json.loads(line) for line in (tmp_path / "all").read_text("utf-8").splitlines()]
    assert [(row["subject_id"], row["subject"], row["alias"]) for row in rows] == [
        ("12", "北京大学", ["北大"]),
        ("3", "大", []),
    ]
    assert {*map(str, (row["type"] for row in rows))} == {"['made of mentions']"}
    real = write_lines(tmp_path / "kb_data", [{"subject_id": "12", "subject": "北京大学"}])
    assert hanmill("kb", "build", real, "--out", tmp_path / "real", "--workers", 1).code == 0
    hanmill("kb", "mentions", train, dev, "--kb", tmp_path / "real", "--out", tmp_path / "rest")
    assert [json.loads(line)["subject_id"] for line in (tmp_path / "rest").read_text("utf-8").splitlines()] == ["3"]
    built = hanmill("kb", "build", real, tmp_path / "rest", "--out", tmp_path / "kb", "--workers", 1)
    assert built.out.startswith("2 entities, 2 names\n")


def test_a_row_without_gold(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "develop.json", [{"text_id": "1", "text": "北京"}])
    found = hanmill("kb", "mentions", path, "--out", tmp_path / "all")
    assert (found.code, found.err) == (3, f"hanmill: {path}: line 1: field 'mention_data' is missing\n")
