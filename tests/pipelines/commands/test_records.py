"""Inputs that are named for splits, and the splits that follow; a machine without what records need."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands.records import _named, _splits
from pipelines.errors import UsageError
from tests.pipelines.command import ROOT, dead_letters, hanmill
from tests.pipelines.made_records import EVENT_TYPES, LINKED, QUESTION, READING, write_lines, write_vocabulary


def test_a_split_stands_before_an_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a file is called so."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dev=b.txt").touch()
    for given, named in {
        "train=a.txt": ("train", "a.txt"),
        "dev_2=a=b.txt": ("dev_2", "a=b.txt"),
        "dev=b.txt": ("", "dev=b.txt"),
        "a.txt": ("", "a.txt"),
        "dev=": ("", "dev="),
        "a/b=c.txt": ("", "a/b=c.txt"),
        "s3://bucket/a=b": ("", "s3://bucket/a=b"),
        "train=s3://bucket/a=b": ("train", "s3://bucket/a=b"),
    }.items():
        assert _named(given) == named


@pytest.mark.parametrize(
    ("named", "shares", "ranges"),
    [
        ([""], None, {"train": 16}),
        (["", ""], "train=0.9,dev=0.1", {"train": 16, "dev": 2}),
        (["test", "train", "dev"], None, {"train": 16, "dev": 2, "test": 2}),
        (["test", ""], None, {"test": 2, "train": 16}),
        (["test", "", "test"], "train=0.5,dev=0.5", {"test": 2, "train": 16, "dev": 2}),
        (["dev"], None, {"dev": 2}),
    ],
)
def test_splits_and_their_files(named: list[str], shares: str | None, ranges: dict[str, int]) -> None:
    splits = _splits(named, shares, files=16, salt="s")
    assert {name: len(files) for name, files in splits.ranges.items()} == ranges
    assert splits.salt == "s"
    assert _splits(named[::-1], shares, files=16, salt="s") == splits


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"named": ["train"], "shares": "train=1"}, "--splits: every input is named for a split: leave it out, or"),
        ({"named": [""], "shares": "train=0.9"}, "--splits: shares must be positive and add up to 1"),
        ({"named": [""], "shares": "train=1,train=0"}, "--splits: a split stands twice in train, train"),
        ({"named": [""], "shares": "9=1"}, "--splits: '9' is no name of a split"),
        ({"named": ["一"], "shares": None}, "'一' is no name of a split: letters, digits and underscores, as train"),
    ],
)
def test_what_is_no_split(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as told:
        _splits(**options, files=1, salt="")
    assert str(told.value).startswith(message)


@pytest.mark.parametrize(
    "arguments",
    [["records", "entity-linking", "a", "--vocab", "v", "--out", "o"], ["inspect", "o"]],
    ids=lambda a: a[0],
)
def test_without_the_packages_of_records(tmp_path: Path, arguments: list[str]) -> None:
    """As where only counting is installed."""
    program = f"""
import sys
sys.modules["tokenizers"] = None
from pipelines.cli import main
sys.argv[1:] = {arguments!r}
main()
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8"
    )
    message = f"hanmill: hanmill {arguments[0]} needs the package tokenizers: pip install 'hanmill[records]'\n"
    assert (ended.returncode, ended.stderr) == (2, message)
    assert not (tmp_path / "o").exists()


def test_ids_that_a_knowledge_base_does_not_have(tmp_path: Path) -> None:
    kb_data = write_lines(tmp_path / "kb_data", [{"subject_id": "13", "subject": "北京"}])
    assert hanmill("kb", "build", kb_data, "--out", tmp_path / "kb", "--workers", 1).code == 0
    source, vocabulary = write_lines(tmp_path / "a.json", [LINKED]), write_vocabulary(tmp_path / "v.txt")
    arguments = ["records", "entity-linking", f"train={source}", "--vocab", vocabulary, "--workers", 1, "--shards", 1]
    kept = hanmill(*arguments, "--out", tmp_path / "kept", "--kb", tmp_path / "kb")
    assert (kept.code, "1 records" in kept.out) == (0, True)
    strict = hanmill(*arguments, "--out", tmp_path / "strict", "--kb", tmp_path / "kb", "--known-ids")
    assert strict.code == 4
    (letter,) = dead_letters(tmp_path / "strict")
    assert letter["reason"] == "id 7: mention_data, item 0: the knowledge base has no entity '12'"
    other = hanmill(*arguments, "--out", tmp_path / "kept")
    assert (other.code, "knowledge_base: " in other.err) == (3, True)


def test_offsets_that_are_mended_are_told_and_in_the_totals(tmp_path: Path) -> None:
    qas = [{**QUESTION, "answers": [{"text": "大学", "answer_start": begin}]} for begin in (3, 1)]
    paragraph = {**READING["data"][0]["paragraphs"][0], "qas": [{**asked, "id": n} for n, asked in enumerate(qas)]}
    source = write_lines(tmp_path / "a.json", [{"data": [{"paragraphs": [paragraph]}]}])
    arguments = ["reading-comprehension", source, "--vocab", write_vocabulary(tmp_path / "v.txt"), "--workers", 1]
    done = hanmill("records", *arguments, "--out", tmp_path / "out")
    assert ", 2 records, 1 offset mended\n" in done.out, done.err
    assert json.loads((tmp_path / "out/manifest.json").read_text())["totals"]["mended"] == 1
    assert " From 2 examples, 1 of their offsets mended.\n" in (tmp_path / "out/README.md").read_text()


def test_an_empty_file_makes_no_records_and_training_refuses_them(tmp_path: Path) -> None:
    source, vocabulary = write_lines(tmp_path / "a.json", []), write_vocabulary(tmp_path / "v.txt")
    schema, out = write_lines(tmp_path / "schema.json", EVENT_TYPES), tmp_path / "out"
    arguments = ["event-extraction", f"train={source}", "--vocab", vocabulary, "--schema", schema, "--out", out]
    done = hanmill("records", *arguments, "--workers", 1)
    assert (done.code, "0 records" in done.out) == (0, True), done.err
    encoder = ["--encoder", "tiny", "--epochs", 1]
    refused = hanmill("train", "event-extraction", "--records", out, "--out", tmp_path / "run", *encoder)
    assert (refused.code, refused.err) == (3, f"hanmill: {out}: no record in split train\n")
