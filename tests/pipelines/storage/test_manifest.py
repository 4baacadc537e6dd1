"""Entries and manifests come back as they were written or not at all, and every flipped bit is found."""

import hashlib
import json
import os
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.storage.commit import AttemptFile, write_json
from pipelines.storage.manifest import (
    CONFIGURATION,
    MANIFEST,
    RUN,
    SHARDS,
    SUCCESS,
    Entry,
    File,
    check_configuration,
    check_file,
    check_range,
    clear,
    has_size,
    publish,
    read_entry,
    read_json,
    retract,
    verify,
    write_entry,
)

pytestmark = pytest.mark.usefixtures("unsynced")


def committed(directory: Path, name: str, content: bytes) -> File:
    (directory / name).parent.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(content)
    return File(name, hashlib.sha256(content).hexdigest(), len(content), 3)


def entry_in(directory: Path, fingerprint: str = "f" * 64) -> Entry:
    run = committed(directory, f"{SHARDS}/{fingerprint}.arrow", b"two runs")
    runs = (replace(run, sha256=hashlib.sha256(b"two ").hexdigest(), bytes=4), committed_range(b"runs", run, 4))
    dead = committed(directory, f"{SHARDS}/{fingerprint}.dead.jsonl", b"{}\n")
    return Entry(fingerprint, runs, {"documents": 2, "tokens": 5}, {"标签": {"documents": 2, "tokens": 5}}, dead)


def committed_range(content: bytes, file: File, offset: int) -> File:
    return File(file.name, hashlib.sha256(content).hexdigest(), len(content), 1, offset)


@pytest.mark.parametrize("more", [{}, {"slices": [["/a", "标签", 0, 3], ["/\udcd6", "b", 0, 3]]}])
def test_an_entry_comes_back(tmp_path: Path, more: dict[str, Any]) -> None:
    entry = entry_in(tmp_path)
    write_entry(tmp_path / SHARDS, entry, **more)
    assert read_entry(tmp_path / SHARDS, entry.fingerprint) == entry
    content = read_json(tmp_path / SHARDS / f"{entry.fingerprint}.json")
    assert {name: content[name] for name in more} == more
    assert entry.all_files == (*entry.files, entry.dead_letters)
    assert replace(entry, dead_letters=None).all_files == entry.files


def test_an_entry_is_none_without_its_files(tmp_path: Path) -> None:
    entry = entry_in(tmp_path)
    write_entry(tmp_path / SHARDS, entry)
    path = tmp_path / entry.files[1].name
    for content in (b"two run", b""):
        path.write_bytes(content)
        assert read_entry(tmp_path / SHARDS, entry.fingerprint) is None
    path.unlink()
    assert read_entry(tmp_path / SHARDS, entry.fingerprint) is None
    path.write_bytes(b"two runs")
    assert read_entry(tmp_path / SHARDS, entry.fingerprint) == entry
    assert read_entry(tmp_path / SHARDS, "0" * 64) is None


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b'"text"', b"{}", b"\xff", b'{"files": 3}'])
def test_what_is_no_entry_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SHARDS).mkdir()
    (tmp_path / SHARDS / "f.json").write_bytes(content)
    assert read_entry(tmp_path / SHARDS, "f") is None


@pytest.mark.parametrize(("name", "content"), [("a", b"{"), ("a", b"\xff\xfe"), ("b", b"{}")])
def test_json_that_is_not_whole_is_none(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert read_json(tmp_path / "a") is None


def test_sizes(tmp_path: Path) -> None:
    file = committed(tmp_path, "a", b"12345")
    assert has_size(tmp_path, file)
    assert has_size(tmp_path, replace(file, bytes=2, offset=3))
    assert not has_size(tmp_path, replace(file, offset=1))
    assert not has_size(tmp_path, replace(file, name="b"))


# Configuration


def test_the_first_run_writes_its_configuration_down(tmp_path: Path) -> None:
    (tmp_path / SHARDS).mkdir()
    check_configuration(tmp_path, {"hmm": True, "encoding": "auto"})
    check_configuration(tmp_path, {"encoding": "auto", "hmm": True})
    assert read_json(tmp_path / SHARDS / CONFIGURATION) == {"hmm": True, "encoding": "auto"}


def test_another_configuration_is_refused_by_its_differences(tmp_path: Path) -> None:
    (tmp_path / SHARDS).mkdir()
    check_configuration(tmp_path, {"hmm": True, "encoding": "auto", "same": 1, "gone": 2})
    message = (
        f"{tmp_path} holds a run with other options "
        "(encoding: 'auto', now 'big5'; gone: 2, now None; hmm: True, now False): name another --out, or add --fresh"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_configuration(tmp_path, {"hmm": False, "encoding": "big5", "same": 1})
    assert read_json(tmp_path / SHARDS / CONFIGURATION)["hmm"] is True


def test_the_output_of_another_job_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / SHARDS).mkdir()
    check_configuration(tmp_path, {"job": "records", "task": "a", "vocabulary": "b" * 64})
    message = f"{tmp_path} holds the output of another job, records: name another --out, or add --fresh"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_configuration(tmp_path, {"job": "knowledge_base", "encoding": "auto"})


# Outputs


def published(directory: Path, parts: dict[str, bytes], **more: Any) -> dict[str, Any]:
    """Publishes these parts, with one shard beside them."""
    attempts, files = [], []
    for name, content in parts.items():
        file = AttemptFile(directory / name)
        file.write(content)
        file.sync()
        attempts.append(file)
        files.append(asdict(File(name, file.sha256, file.size, 1)))
    manifest = {"configuration": {"hmm": True}, "parts": files, "dead_letters": None, **more}
    (directory / SHARDS).mkdir(exist_ok=True)
    check_configuration(directory, {"hmm": True})
    write_entry(directory / SHARDS, entry_in(directory))
    publish(directory, attempts, manifest, lambda: {"seconds": 1}, old="part-*.parquet")
    return manifest


def test_an_output_is_replaced(tmp_path: Path) -> None:
    published(tmp_path, {"part-0-of-2.parquet": b"old", "part-1-of-2.parquet": b"old"})
    (tmp_path / "report.html").write_text("a report")
    manifest = published(tmp_path, {"part-0-of-1.parquet": b"new"})
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"part-0-of-1.parquet", MANIFEST, RUN, SUCCESS, SHARDS, "report.html"}
    assert read_json(tmp_path / MANIFEST) == manifest
    assert read_json(tmp_path / RUN) == {"seconds": 1}
    assert (tmp_path / SUCCESS).read_text() == hashlib.sha256((tmp_path / MANIFEST).read_bytes()).hexdigest() + "\n"
    assert verify(tmp_path) == []


def test_success_goes_first_and_comes_last(tmp_path: Path) -> None:
    published(tmp_path, {"part-0.parquet": b"old"})
    seen = []

    def describe() -> dict[str, Any]:
        seen.append(
            (
                not (tmp_path / SUCCESS).exists(),
                (tmp_path / "part-0.parquet").read_bytes(),
                read_json(tmp_path / MANIFEST),
            )
        )
        return {}

    file = AttemptFile(tmp_path / "part-0.parquet")
    file.write(b"new")
    file.sync()
    publish(tmp_path, [file], {"parts": 7}, describe, old="part-*.parquet")
    assert seen == [(True, b"new", {"parts": 7})]
    assert (tmp_path / SUCCESS).exists()


def test_success_is_the_first_to_be_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / SHARDS).mkdir()
    published(tmp_path, {"part-0.parquet": b"rows"})
    (tmp_path / "mine.txt").touch()
    gone: list[str] = []
    unlink = os.unlink

    def recorded(path: Path, **options: Any) -> None:
        gone.append(os.path.basename(path))
        unlink(path, **options)

    monkeypatch.setattr(os, "unlink", recorded)
    clear(tmp_path)
    assert gone[0] == SUCCESS
    assert sorted(path.name for path in tmp_path.iterdir()) == [SHARDS, "mine.txt"]
    clear(tmp_path)  # when there is nothing left it does nothing


def test_an_output_is_taken_back(tmp_path: Path) -> None:
    retract(tmp_path)
    published(tmp_path, {"part-0.parquet": b"x"})
    retract(tmp_path)
    with pytest.raises(
        InputError, match=r"no finished output there \(no _SUCCESS\): run the command that writes it again"
    ):
        verify(tmp_path)


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    """One bit of each byte of each file that a run commits, the times of the run aside."""
    dead = committed(tmp_path, "dead_letters.jsonl", b'{"source": "a"}\n')
    published(tmp_path, {"part-0.parquet": b"some rows"}, dead_letters=asdict(dead))
    paths = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != RUN]
    assert len(paths) == 8
    for path in paths:
        content = path.read_bytes()
        for position in range(len(content) - (path.name == SUCCESS)):
            path.write_bytes(
                content[:position] + bytes([content[position] ^ 1 << position % 8]) + content[position + 1 :]
            )
            wrong = verify(tmp_path)
            assert wrong, f"byte {position} of {path.name}: {content[position : position + 20]!r}"
            named = {path.name, MANIFEST, CONFIGURATION}
            assert any(name in line for line in wrong for name in named)
        path.write_bytes(content)
    assert verify(tmp_path) == []


def test_a_file_that_is_gone_or_cut_is_found(tmp_path: Path) -> None:
    published(tmp_path, {"part-0.parquet": b"some rows"})
    for path in [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in (RUN, SUCCESS)]:
        content = path.read_bytes()
        path.write_bytes(content[:-2])
        assert verify(tmp_path), path.name
        path.unlink()
        expected = [] if path.suffix == ".json" and len(path.stem) == 64 else [True]  # then its shard is counted again
        assert [True for _ in verify(tmp_path)][:1] == expected, path.name
        path.write_bytes(content)
    assert verify(tmp_path) == []


@given(content=st.binary(min_size=1, max_size=60), offset=st.integers(0, 20), size=st.integers(0, 60))
def test_ranges_are_checked_by_their_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, offset: int, size: int
) -> None:
    directory = tmp_path_factory.getbasetemp()
    (directory / "range").write_bytes(content)
    piece = content[offset : offset + size]
    file = File("range", hashlib.sha256(piece).hexdigest(), len(piece), 0, offset)
    check_range(directory, file)
    assert check_file(directory, file) == ""
    for other in (replace(file, sha256="0" * 64), replace(file, bytes=len(content) - min(offset, len(content)) + 1)):
        assert "range: damaged between bytes" in check_file(directory, other)
    assert check_file(directory, replace(file, name="gone")) == f"{directory / 'gone'}: missing"


def test_a_manifest_is_the_same_bytes_for_the_same_values(tmp_path: Path) -> None:
    first = write_json(tmp_path / "a", {"b": 1, "a": {"d": 1, "c": 2}})
    assert write_json(tmp_path / "b", json.loads((tmp_path / "a").read_bytes())) == first
