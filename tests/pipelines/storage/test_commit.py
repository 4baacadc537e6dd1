"""A file is there whole or not at all, and one driver at a time writes to a folder."""

import hashlib
import json
import multiprocessing
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.storage import commit
from pipelines.storage.commit import (
    ATTEMPT,
    LOCK,
    AttemptFile,
    attempt,
    holder,
    lock,
    remove,
    write_bytes,
    write_json,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commit")


@given(pieces=st.lists(st.binary(max_size=50), max_size=6))
def test_a_file_counts_and_hashes_what_is_written(folder: Path, pieces: list[bytes]) -> None:
    with attempt(folder / "a") as file:
        for piece in pieces:
            assert file.write(piece) == len(piece)
        assert file.tell() == len(b"".join(pieces))
    content = (folder / "a").read_bytes()
    assert content == b"".join(pieces)
    assert (file.sha256, file.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert (folder / "a").read_bytes() == content


def test_a_write_that_takes_only_some_bytes_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    write_bytes(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with attempt(tmp_path / "a") as file:
        file.write(b"new")
        assert (tmp_path / "a").read_bytes() == b"old"
        assert file.path.name.startswith(".a.")
        assert file.path.name.endswith(ATTEMPT)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_attempt_that_fails_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def fail() -> None:
        with attempt(tmp_path / "a") as file:
            file.write(b"new")
            raise error

    with pytest.raises(error):
        fail()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_two_attempts_at_one_file_do_not_meet(tmp_path: Path) -> None:
    with attempt(tmp_path / "a") as first, attempt(tmp_path / "a") as second:
        first.write(b"first")
        second.write(b"second")
        assert first.path != second.path
    assert (tmp_path / "a").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_content_is_synced_before_the_rename_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def recorded(name: str) -> None:
        real = getattr(os, name)

        def step(*arguments: Any) -> Any:
            place = arguments[0] if name != "fsync" else os.readlink(f"/proc/self/fd/{arguments[0]}")
            steps.append(f"{name} {'folder' if str(place) == str(tmp_path) else 'file'}")
            return real(*arguments)

        monkeypatch.setattr(os, name, step)

    for name in ("write", "fsync", "replace"):
        recorded(name)
    write_bytes(tmp_path / "a", b"x")
    assert steps == ["write file", "fsync file", "replace file", "fsync folder"]


def test_equal_values_are_equal_json(tmp_path: Path) -> None:
    value = {"b": "中文", "a": [1, None, {"y": 1.5, "x": True}]}
    digest = write_json(tmp_path / "a", value)
    assert write_json(tmp_path / "b", dict(reversed(list(value.items())))) == digest
    assert digest == hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest()
    assert "中文" in (tmp_path / "a").read_text("utf-8")
    assert json.loads((tmp_path / "a").read_bytes()) == value


@given(value=st.text(st.characters(exclude_categories=())))
def test_json_of_any_path_is_utf8_and_comes_back(folder: Path, value: str) -> None:
    write_json(folder / "a", {value: value}, indent=None)
    assert json.loads((folder / "a").read_bytes().decode("utf-8")) == {value: value}


def test_removing_what_is_gone(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"")
    remove(tmp_path / "a")
    remove(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


# The lock


def hold(directory: Path, pipe: Any) -> None:
    with lock(directory):
        pipe.send("held")
        pipe.recv()


@pytest.fixture
def other(tmp_path: Path) -> Any:
    """Another process that holds the lock of a folder; a pipe, unlike an event, outlives one that is killed."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold, args=(tmp_path, theirs))
    process.start()
    theirs.close()
    assert ours.recv() == "held"
    yield process
    if process.is_alive():
        ours.send("leave")
    process.join(60)
    ours.close()


def test_a_second_driver_is_kept_out_and_told_who_is_there(tmp_path: Path, other: Any) -> None:
    with pytest.raises(
        InputError,
        match=rf"is being written by another run \(host {socket.gethostname()}, process {other.pid}, for \d+ s\)",
    ):
        with lock(tmp_path):
            pytest.fail("two drivers")
    assert holder(tmp_path / LOCK).startswith(f"host {socket.gethostname()}, process {other.pid},")


def test_the_lock_of_a_killed_driver_is_free(tmp_path: Path, other: Any) -> None:
    left = AttemptFile(tmp_path / "_shards.json")
    left.write(b"half")
    left.close()
    other.kill()
    other.join(60)
    assert (tmp_path / LOCK).exists()
    assert holder(tmp_path / LOCK) == ""
    with lock(tmp_path):
        assert not left.path.exists()
        assert f"process {os.getpid()}," in holder(tmp_path / LOCK)
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_another_host_is_kept(tmp_path: Path) -> None:
    content = {"host": "elsewhere", "pid": 1, "since": time.time() - 100}
    (tmp_path / LOCK).write_text(json.dumps(content))
    with pytest.raises(
        InputError, match=r"on another host \(host elsewhere, process 1, for 10\d s\): if it is dead, remove"
    ):
        with lock(tmp_path):
            pytest.fail("nobody knows whether it is dead")
    assert json.loads((tmp_path / LOCK).read_bytes()) == content


def test_the_lock_is_free_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), lock(tmp_path):
        raise ValueError("no")
    with lock(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_is_replaced_between_two_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder removes it after we opened it: the lock we get is of a file that nobody else will see."""
    flock, calls = commit.fcntl.flock, []

    def slow(descriptor: int, how: int) -> None:
        if not calls:
            os.unlink(tmp_path / LOCK)
            (tmp_path / LOCK).write_bytes(b"")
        calls.append(os.fstat(descriptor).st_ino)
        flock(descriptor, how)

    monkeypatch.setattr(commit.fcntl, "flock", slow)
    with lock(tmp_path):
        assert len(calls) == 2
        assert (tmp_path / LOCK).stat().st_ino == calls[1]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"host": 1}', b'{"host": "h", "pid": 1, "since": "x"}']
)
def test_a_lock_file_that_is_not_whole_names_nobody(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LOCK).write_bytes(content)
    assert holder(tmp_path / LOCK) == ""
    with lock(tmp_path):
        pass


def test_no_lock_file_is_held_by_nobody(tmp_path: Path) -> None:
    assert holder(tmp_path / LOCK) == ""
