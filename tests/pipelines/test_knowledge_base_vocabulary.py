"""A vocabulary for the light model: characters of what is said, not of the JSON around it."""

import json
from pathlib import Path

import pytest

from tests.pipelines.command import Result, hanmill
from tests.pipelines.made_records import write_lines
from transforms.vocabulary import SPECIAL_TOKENS, Vocabulary

pytestmark = pytest.mark.usefixtures("unsynced")
ENTITY = {"subject_id": "7", "subject": "ABC", "data": [{"predicate": "年", "object": "2015{}"}]}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("known")
    source = write_lines(folder / "kb_data", [ENTITY])
    assert hanmill("kb", "build", source, "--out", folder / "kb", "--workers", 1).code == 0
    return folder / "kb"


def made(known: Path, folder: Path, *files: Path, min_count: int = 1) -> tuple[Result, list[str]]:
    result = hanmill("kb", "vocab", known, *files, "--out", folder / "new/vocab.txt", "--min-count", min_count)
    return result, list(Vocabulary.read(folder / "new/vocab.txt").tokens) if result.code == 0 else []


def test_characters_of_descriptions_and_texts_in_small_letters(known: Path, tmp_path: Path) -> None:
    """By count, then by code point; no key, quote or brace of JSON, no white space, no pieces of words."""
    train = write_lines(tmp_path / "train.json", [{"text_id": "x", "text": "年 Bb年", "mention_data": []}])
    result, tokens = made(known, tmp_path, train)
    assert result.out == f"{tmp_path / 'new/vocab.txt'}: {len(tokens)} tokens\n"
    assert tokens == [*SPECIAL_TOKENS, *"b年：", *"0125ac{}名称"]
    assert made(known, tmp_path, train, min_count=2)[1] == [*SPECIAL_TOKENS, *"b年："]


def test_how_json_is_written_does_not_matter(known: Path, tmp_path: Path) -> None:
    row = {"text": "晨星ABC号"}
    plain, escaped = tmp_path / "plain.json", tmp_path / "escaped.json"
    plain.write_text(json.dumps(row, ensure_ascii=False), "utf-8")
    escaped.write_text(json.dumps(row, ensure_ascii=True, indent=None), "utf-8")
    assert made(known, tmp_path, plain)[1] == made(known, tmp_path, escaped)[1]


def test_bad_rows_are_told(known: Path, tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text('{"text": "晨"}\n{"text": ""}\n{"text": "\\ud800"}\n', "utf-8")
    assert made(known, tmp_path, path)[0].out.endswith(" tokens; 2 bad rows left out\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}\n", "no example in it: field 'text' is missing"), ("", "no example in it")],
)
def test_files_without_a_text(known: Path, tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "train.json").write_text(content)
    result, _ = made(known, tmp_path, tmp_path / "train.json")
    assert (result.code, message in result.err) == (3, True), result.err
    half, empty = tmp_path / "half.json", tmp_path / "empty.json"
    half.write_text('{"text": "晨"}\n{"text": ""}\n', "utf-8")
    empty.write_text("")
    assert made(known, tmp_path, half, empty)[0].err == f"hanmill: {empty}: no example in it\n"
    assert made(known, tmp_path, tmp_path / "missing.json")[0].code == 3
    assert made(tmp_path, tmp_path, tmp_path / "train.json")[0].code == 3
