"""A disk that is full, or may not be written: exit code 3, a message that says where, and nothing lost."""

import shutil
from dataclasses import replace
from itertools import count as numbers
from pathlib import Path

import pytest

from pipelines.errors import DONE, INPUT
from tests.chaos.commands import count, run
from tests.chaos.corpora import change_corpus, write_corpus, write_dictionary
from tests.chaos.disks import NO_SPACE, Disk
from tests.chaos.forks import Forks, Request
from tests.chaos.outputs import finished, half_entries, left_over, results, verify


@pytest.fixture
def request_(tmp_path: Path, disk: Disk) -> Request:
    inputs, dictionary = write_corpus(tmp_path / "corpus"), write_dictionary(tmp_path / "dictionary")
    return Request(inputs=inputs, directory=disk.path / "out", dictionary=dictionary)


@pytest.mark.parametrize("before", [False, True], ids=["first", "changed"])
def test_full_at_any_page(before: bool, request_: Request, disk: Disk, forks: Forks, tmp_path: Path) -> None:
    """However many pages are free, it is a plain error; with all of them free, the same command goes on."""
    out, kept = request_.directory, tmp_path / "before"
    if before:
        assert forks.run(replace(request_, directory=kept)).error is None
        change_corpus(Path(request_.inputs[0]))
    elsewhere = replace(request_, directory=tmp_path / "elsewhere")
    assert forks.run(elsewhere).error is None
    whole, failed = results(elsewhere.directory), 0
    for pages in numbers():
        shutil.rmtree(out, ignore_errors=True)
        if before:
            disk.free()
            shutil.copytree(kept, out)
        disk.leave(pages)
        reply = forks.run(request_)
        if reply.error is None:
            break
        kind, message = reply.error
        assert kind == "InputError"
        assert str(out) in message
        assert NO_SPACE in message
        assert not [path for path in left_over(out) if path.endswith(".attempt")], pages
        assert half_entries(out) == []
        if finished(out):
            assert before
            assert verify(out) == []
            assert results(out) == results(kept)
        disk.free()
        assert forks.run(request_).error is None
        assert results(out) == whole
        assert verify(out) == left_over(out) == []
        failed += 1
    assert failed > 10
    assert results(out) == whole


def test_full(disk: Disk, tmp_path: Path) -> None:
    """The command with its workers."""
    inputs, dictionary = write_corpus(tmp_path / "corpus"), write_dictionary(tmp_path / "dictionary")
    options = ("--dictionary", dictionary, "--shard-bytes", "100", "--workers", 2)
    assert run(*count(inputs, tmp_path / "elsewhere", *options))[0] == DONE
    out = disk.path / "out"
    disk.leave(5)
    code, printed = run(*count(inputs, out, *options))
    assert code == INPUT, printed
    assert str(out) in printed
    assert NO_SPACE in printed
    assert "Traceback" not in printed
    assert not finished(out)
    disk.remount("size=2m")
    code, printed = run(*count(inputs, out, *options))
    assert code == DONE, printed
    assert results(out) == results(tmp_path / "elsewhere")
    assert verify(out) == left_over(out) == []


def test_full_at_the_report(disk: Disk, tmp_path: Path) -> None:
    """The output is whole when its report, many times as large, finds no room."""
    inputs, dictionary = write_corpus(tmp_path / "corpus"), write_dictionary(tmp_path / "dictionary")
    out = disk.path / "out"
    disk.leave(60)
    command = count(inputs, out, "--dictionary", dictionary, "--workers", 1)
    code, printed = run(*(argument for argument in command if argument != "--no-report"))
    assert finished(out)
    assert verify(out) == left_over(out) == []
    assert code == INPUT
    assert NO_SPACE in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("there", [False, True], ids=["new folder", "finished output"])
def test_read_only(there: bool, disk: Disk, tmp_path: Path) -> None:
    inputs, dictionary = write_corpus(tmp_path / "corpus"), write_dictionary(tmp_path / "dictionary")
    command = count(inputs, disk.path / "out", "--dictionary", dictionary, "--workers", 1)
    if there:
        assert run(*command)[0] == DONE
        change_corpus(tmp_path / "corpus")
    disk.remount("ro")
    code, printed = run(*command)
    assert code == INPUT, printed
    assert str(disk.path / "out") in printed
    assert "Read-only file system" in printed
    assert "Traceback" not in printed
    if there:
        assert verify(disk.path / "out") == []
    disk.remount("rw")
    assert run(*command)[0] == DONE
    assert verify(disk.path / "out") == []


@pytest.mark.parametrize("below", [".", "below"], ids=["the target", "its parent"])
def test_target_is_a_file(below: str, tmp_path: Path) -> None:
    inputs, dictionary = write_corpus(tmp_path / "corpus"), write_dictionary(tmp_path / "dictionary")
    file = tmp_path / "file"
    file.write_text("mine")
    code, printed = run(*count(inputs, file / below, "--dictionary", dictionary, "--workers", 1))
    assert code == INPUT, printed
    assert str(file) in printed
    assert "Not a directory" in printed
    assert "Traceback" not in printed
    assert file.read_text() == "mine"
