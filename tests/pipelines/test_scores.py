"""Files that are scored: plain or in an archive, and what is wrong with them."""

import json
import zipfile
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.scores import score_files
from tests.pipelines.made_records import EVENT, LINKED, READING, RELATION, write_lines

RIGHT = {"precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_gold_against_itself(tmp_path: Path) -> None:
    for name, row in (("relation-extraction", RELATION), ("event-extraction", EVENT)):
        gold = write_lines(tmp_path / "gold.json", [row])
        assert score_files(name, gold, gold) == RIGHT
    gold = write_lines(tmp_path / "gold.json", [READING])
    said = tmp_path / "said.json"
    said.write_text("\ufeff" + json.dumps({"q1": "北京"}), "utf-8")
    assert score_files("reading-comprehension", said, gold) == {"f1": 1.0, "exact_match": 1.0}


def test_aliases(tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", [{**RELATION, "spo_list": RELATION["spo_list"][1:]}])  # type: ignore[index]
    other = {"subject": "沪", "predicate": "国家", "object": {"@value": "中国"}}
    said = write_lines(tmp_path / "said.json", [{**RELATION, "spo_list": [other]}])
    aliases = tmp_path / "aliases.txt"
    aliases.write_text("沪\t上海\r\n上海\t沪\n", "utf-8")
    assert score_files("relation-extraction", said, gold)["f1"] == 0
    assert score_files("relation-extraction", said, gold, aliases=aliases) == RIGHT


def zipped(path: Path, *files: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            archive.write(file, file.name)
    return path


def test_an_archive_of_predictions(tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", [RELATION])
    assert score_files("relation-extraction", zipped(tmp_path / "a.zip", gold), gold) == RIGHT
    with zipfile.ZipFile(tmp_path / "mac.zip", "w") as archive:
        for name, content in (("of/", b""), ("of/a.json", gold.read_bytes()), ("__MACOSX/of/._a.json", b"\0")):
            archive.writestr(name, content)
    assert score_files("relation-extraction", tmp_path / "mac.zip", gold) == RIGHT
    two = zipped(tmp_path / "b.zip", gold, Path(__file__))
    with pytest.raises(InputError, match=r"b\.zip: an archive of 2 files: give the one with predictions$"):
        score_files("relation-extraction", two, gold)
    broken = bytearray((tmp_path / "a.zip").read_bytes())
    broken[60] ^= 1
    (tmp_path / "c.zip").write_bytes(broken)
    with pytest.raises(InputError, match=r"c\.zip: damaged archive: Bad CRC-32"):
        score_files("relation-extraction", tmp_path / "c.zip", gold)


def test_errors_name_the_file_and_the_line(tmp_path: Path) -> None:
    gold, bad = write_lines(tmp_path / "gold.json", [EVENT]), tmp_path / "bad.json"
    bad.write_bytes(gold.read_bytes() + b"{\n")
    for files in ((bad, gold), (gold, bad)):
        with pytest.raises(InputError, match=r"bad\.json: line 2: not JSON: "):
            score_files("event-extraction", *files)
    with pytest.raises(InputError, match=r"none\.json: No such file or directory$"):
        score_files("event-extraction", tmp_path / "none.json", gold)


def test_a_row_without_text_is_scored_as_it_was_predicted(tmp_path: Path) -> None:
    """A bad row gets a prediction, an empty one: its file can be scored all the same."""
    gold = write_lines(tmp_path / "gold.json", [LINKED, {"text_id": "9", "text": "", "mention_data": []}])
    assert score_files("entity-linking", gold, gold) == RIGHT


def test_what_is_wrong_with_gold_is_told_before_what_follows_it(tmp_path: Path) -> None:
    gold, said = tmp_path / "gold.json", tmp_path / "said.json"
    for path in (gold, said):
        path.write_text("no JSON\n")
    with pytest.raises(InputError, match=r"gold\.json: line 1: not JSON"):
        score_files("entity-linking", said, gold)
