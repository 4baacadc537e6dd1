"""What a result tells of where it was measured, and how tables are printed."""

import subprocess
from pathlib import Path

import pytest

from pipelines.bench import results
from pipelines.bench.results import commit, described, print_table, table


def test_the_commit_is_told_and_whether_files_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() == ""
    (tmp_path / "a").write_text("1")
    name = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "a"], [*name, "commit", "-q", "-m", "a"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    clean = commit()
    assert len(clean) == 12
    (tmp_path / "a").write_text("2")
    assert commit() == f"{clean}+"


def test_figures_come_with_machine_and_versions() -> None:
    made = described("count", {"rounds": 5})
    assert (made["kind"], made["rounds"]) == ("count", 5)
    assert made["environment"]["packages"]["jieba"] == "0.42.1"
    assert made["environment"]["cores"] >= 1


def test_columns_stand_below_their_headings(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(table("", "", ("", "MB", "x"), [["ours", "1,000.0", "50"], ["a peer", "1.0", "1"]]))
    assert capsys.readouterr().out.splitlines() == [
        "             MB   x",
        "ours    1,000.0  50",
        "a peer      1.0   1",
    ]
