"""A knowledge base is found by its folder and known by its content; another one, or none, is an error that helps."""

from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.knowledge_base import BuildKnowledgeBase
from pipelines.storage.knowledge_base import KnownBase, knowledge_base_hash
from tests.pipelines.made_records import made, write_lines


def build(folder: Path, *names: str) -> Path:
    folder.mkdir()
    rows = [{"subject_id": f"{number}", "subject": name} for number, name in enumerate(names)]
    made(BuildKnowledgeBase((str(write_lines(folder / "kb_data", rows)),), folder / "kb"))
    return folder / "kb"


def test_the_same_content_elsewhere(tmp_path: Path) -> None:
    first, second = build(tmp_path / "a", "晨星"), build(tmp_path / "b", "晨星")
    found = KnownBase.find(second, wanted=knowledge_base_hash(first), made="RUN")
    assert found == KnownBase(second, knowledge_base_hash(first))
    assert KnownBase.find(first, wanted=None, made="RUN").directory == first


def test_another_one_and_none(tmp_path: Path) -> None:
    first, second = build(tmp_path / "a", "晨星"), build(tmp_path / "b", "海雾")
    wanted, there = map(knowledge_base_hash, (first, second))
    with pytest.raises(InputError, match=f"{second}: .* is {there}, and RUN was made with .* {wanted}: .* --kb DIR"):
        KnownBase.find(second, wanted=wanted, made="RUN")
    gone = tmp_path / "gone"
    with pytest.raises(InputError, match=f"{gone}: no finished .*; RUN was made with .* {wanted}: .* --kb DIR"):
        KnownBase.find(gone, wanted=wanted, made="RUN")
    with pytest.raises(InputError, match=f"{gone}: no finished .*, or name the folder of the right one with --kb DIR"):
        KnownBase.find(gone, wanted=None, made="RUN")
