"""What a person sees of records, and what is found wrong with their files."""

import json
from pathlib import Path

import pytest

from pipelines.datasets import DataSet
from pipelines.errors import InputError
from pipelines.inspection import show_records, verify_records
from pipelines.records import Records
from pipelines.storage.manifest import verify
from pipelines.storage.sources import Reading
from tests.pipelines.made_records import (
    EVENT,
    EVENT_TYPES,
    LINES,
    LINKED,
    PREDICATES,
    READING,
    RELATION,
    classification,
    data_set,
    made,
    task_options,
    write_labelled,
    write_lines,
)
from transforms.splits import Splits

pytestmark = pytest.mark.usefixtures("unsynced")

SHOWN = {
    "text-classification": ["北京大学", "    甲", "6 tokens  [CLS]|北|京|大|学|[SEP]"],
    "relation-extraction": ["《甲》是上海的", "甲  0 作者_@value subject  1-2", "中国  1 国家_@value object  7-9"],
    "event-extraction": ["大学生在北京发了标题", "发  0 发  6-7", "北京  0 地  4-6"],
    "entity-linking": ["北京大学在北京", "北京大学  12  0-4", "北京  NIL  5-7", "entities  12, NIL"],
    "reading-comprehension": ["question  大学在上海", "北京  answer  0-2", "window  0", "answers  北京"],
    "masked-language-model": ["[CLS] 北京大学|的|上海 [SEP]", "documents  "],
}  # fmt: skip


def written(folder: Path, name: str) -> Path:
    """A record of a task."""
    (folder / "in.json").write_text(json.dumps(READING))
    (folder / "in.txt").write_text("北京大学的上海")
    rows = {"relation-extraction": RELATION, "event-extraction": EVENT, "entity-linking": LINKED}
    if name in rows:
        write_lines(folder / "in.json", [rows[name]])
    schemas = {"relation-extraction": PREDICATES, "event-extraction": EVENT_TYPES}
    schema = write_lines(folder / "s.json", schemas[name]) if name in schemas else None
    source, reading = folder / "in.json", LINES
    if name == "reading-comprehension":
        reading = Reading(format="paragraphs")
    elif name == "masked-language-model":
        source = folder / "in.txt"
    elif name == "text-classification":
        source, reading = write_labelled(folder / "in.tsv", [("甲", "北京大学")]), Reading()
    options = task_options(folder, name, schema=schema)
    made(Records((("", str(source)),), folder / "out", options, reading, Splits(files=1)))
    return folder / "out"


@pytest.mark.parametrize("name", SHOWN)
def test_a_record_as_a_person_reads_it(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_records(written(tmp_path, name), split=None, count=3, skip=0)
    shown = capsys.readouterr().out
    for part in SHOWN[name]:
        assert part in shown
    identifier = next(DataSet.open(str(tmp_path / "out")).records("train"))["id"]
    assert shown.startswith(f"train 0  {identifier} ─")


def test_which_and_how_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = data_set(tmp_path, 9, files=2)
    ids = [record["id"] for record in found.records("train")]
    show_records(tmp_path / "out", split="train", count=2, skip=3)
    rules = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("train")]
    assert [(number, one) for _, number, one, *_ in rules] == [("3", ids[3]), ("4", ids[4])]
    show_records(tmp_path / "out", split=None, count=5, skip=8)
    assert capsys.readouterr().out.count("train ") == 1


def test_none_to_show(tmp_path: Path) -> None:
    data_set(tmp_path, 9, files=1)
    with pytest.raises(InputError, match=r"out: split train has 9 records, no more$"):
        show_records(tmp_path / "out", split=None, count=1, skip=9)
    with pytest.raises(InputError, match=r"out: no split 'dev': it has train$"):
        show_records(tmp_path / "out", split="dev", count=1, skip=0)
    with pytest.raises(InputError, match="no finished output there"):
        show_records(tmp_path, split=None, count=1, skip=0)


def test_without_train_the_first_split_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_labelled(tmp_path / "a.tsv", [("甲", "北京")])
    made(classification(tmp_path, tmp_path / "out", ("test", source), splits=Splits((("test", 1.0),), ("test",))))
    show_records(tmp_path / "out", split=None, count=1, skip=0)
    assert capsys.readouterr().out.startswith("test 0  ")


def test_what_a_terminal_would_take_for_styles_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Square brackets and colons mean something to the library that prints."""
    row = {"text_id": "[/red]:smile:", "text": "[bold]北京[/]:smile:", "mention_data": []}
    source = write_lines(tmp_path / "a.json", [row])
    options = task_options(tmp_path, "entity-linking")
    made(Records((("", str(source)),), tmp_path / "out", options, LINES, Splits(files=1)))
    show_records(tmp_path / "out", split=None, count=1, skip=0)
    shown = capsys.readouterr().out
    assert shown.startswith("train 0  [/red]:smile: ─")
    assert "\n[bold]北京[/]:smile:\n" in shown


def test_what_a_terminal_would_obey_is_a_sign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One for one: spans stay where they are."""
    mention = {"mention": "北京", "offset": "4", "kb_id": "\x1b]0;"}
    row = {"text_id": "\x1b[2J", "text": "\x1b[2J北京\x9b\x00", "mention_data": [mention]}
    options = task_options(tmp_path, "entity-linking")
    source = write_lines(tmp_path / "a.json", [row])
    made(Records((("", str(source)),), tmp_path / "out", options, LINES, Splits(files=1)))
    show_records(tmp_path / "out", split=None, count=1, skip=0)
    shown = capsys.readouterr().out
    assert shown.startswith("train 0  ␛[2J ")
    assert "\n␛[2J北京\ufffd␀\n  北京  ␛]0;  4-6\n" in shown
    assert "entities  ␛]0;" in shown
    assert {character for character in shown if not character.isprintable()} == {"\n"}


def test_a_whole_output(tmp_path: Path) -> None:
    data_set(tmp_path, 9, files=3)
    assert verify_records(tmp_path / "out") == verify(tmp_path / "out") == []


@pytest.mark.parametrize("place", range(7))
def test_a_flipped_bit_is_named_by_file_and_byte(tmp_path: Path, place: int) -> None:
    """In the length, in its CRC, in the record, in its CRC: of the first record or of a later one."""
    found = data_set(tmp_path, 9, files=1)
    (name,) = found.files("train")
    offsets = [offset for offset, _ in found.frames(name)]
    path = tmp_path / "out" / name
    content = bytearray(path.read_bytes())
    begin, end = offsets[place], [*offsets, len(content)][place + 1]
    content[(begin, begin + 7, begin + 8, begin + 11, begin + 12, end - 5, end - 1)[place]] ^= 16
    path.write_bytes(content)
    (wrong,) = verify_records(tmp_path / "out")
    assert wrong.startswith(f"{path}: damaged: ")
    assert f" byte {begin}," in wrong or f" byte {begin} " in wrong
    assert any(str(path) in line for line in verify(tmp_path / "out"))


def test_files_that_are_torn_missing_or_changed(tmp_path: Path) -> None:
    found = data_set(tmp_path, 9, files=3)
    torn, missing, short = (tmp_path / "out" / name for name in found.files("train"))
    torn.write_bytes(torn.read_bytes()[:-1])
    missing.unlink()
    offsets = [offset for offset, _ in found.frames(short.name)]
    short.write_bytes(short.read_bytes()[: offsets[-1]])
    first, second, third = verify_records(tmp_path / "out")
    assert first.startswith(f"{torn}: torn at byte ")
    assert f"No such file or directory: '{missing}'" in second
    assert third == f"{short}: {len(offsets) - 1} records, the manifest has {len(offsets)}"
