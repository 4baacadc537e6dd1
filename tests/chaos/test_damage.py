"""A bit that flips in an output: `verify` names the file, and what the message says mends it.

`run.json` and `report.html` are not covered: they tell of a run, and nothing is made of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.errors import INPUT
from pipelines.storage.manifest import CONFIGURATION, MANIFEST, SHARDS, SUCCESS
from tests.chaos.commands import run
from tests.chaos.corpora import write_corpus, write_dictionary, write_document
from tests.chaos.forks import Forks, Request
from tests.chaos.outputs import DEAD_LETTERS, left_over, results, verify

KINDS = {
    "part": "*.parquet",
    "manifest": MANIFEST,
    "run file": f"{SHARDS}/*.arrow",
    "entry": f"{SHARDS}/*.json",
    "dead letters": DEAD_LETTERS,
    "dead letters of a shard": f"{SHARDS}/*.dead.jsonl",
    "configuration": f"{SHARDS}/{CONFIGURATION}",
    "success": SUCCESS,
}
many = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def request_(memory: Path, forks: Forks) -> Request:
    """A finished output."""
    inputs, dictionary = write_corpus(memory / "corpus"), write_dictionary(memory / "dictionary")
    made = Request(inputs=inputs, directory=memory / "out", dictionary=dictionary)
    assert forks.run(made).error is None
    return made


@pytest.fixture(scope="module")
def directory(request_: Request) -> Path:
    return request_.directory


def chosen(directory: Path, kind: str) -> list[Path]:
    found = sorted(path for path in directory.glob(KINDS[kind]))
    return [path for path in found if path.name != CONFIGURATION] if kind == "entry" else found


def flip(path: Path, bit: int) -> None:
    """Turns over a bit, counted from the file's first and round again behind its last."""
    content = bytearray(path.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    path.write_bytes(content)


@contextmanager
def flipped(path: Path, bit: int) -> Iterator[None]:
    content = path.read_bytes()
    flip(path, bit)
    try:
        yield
    finally:
        path.write_bytes(content)


bits = st.integers(0, 1 << 17)


@pytest.mark.parametrize("kind", KINDS)
@many
@given(which=st.integers(0, 99), bit=bits)
@example(which=0, bit=-1)
@example(which=0, bit=-8)
@example(which=0, bit=0)
def test_any_bit_is_found(kind: str, which: int, bit: int, directory: Path) -> None:
    paths = chosen(directory, kind)
    path = paths[which % len(paths)]
    with flipped(path, bit):
        wrong = verify(directory)
        assert any(str(path) in line or (kind == "success" and SUCCESS in line) for line in wrong), wrong
    assert verify(directory) == []


def test_every_bit_of_small_files(directory: Path) -> None:
    for path in (directory / SUCCESS, directory / DEAD_LETTERS):
        for bit in range(8 * path.stat().st_size):
            with flipped(path, bit):
                assert any(path.name in line for line in verify(directory)), (path, bit)


@pytest.mark.parametrize("kind", KINDS)
def test_cut_off_or_gone(kind: str, directory: Path) -> None:
    path = chosen(directory, kind)[0]
    content = path.read_bytes()
    try:
        for left in (content[:-2], content[: len(content) // 2], b""):
            path.write_bytes(left)
            assert any(path.name in line for line in verify(directory)), len(left)
        if kind not in ("success", "entry"):  # without an entry, its shard is one that nobody has counted
            path.unlink()
            assert any(path.name in line for line in verify(directory))
    finally:
        path.write_bytes(content)


def test_command(directory: Path) -> None:
    """Exit code 3, and each damaged file by name."""
    damaged = [chosen(directory, kind)[0] for kind in ("part", "run file", "dead letters")]
    contents = [path.read_bytes() for path in damaged]
    for path in damaged:
        flip(path, 800)
    code, printed = run("verify", directory)
    for path, content in zip(damaged, contents, strict=True):
        path.write_bytes(content)
    assert code == INPUT
    assert "Traceback" not in printed
    for path in damaged:
        assert str(path) in printed
    code, printed = run("verify", directory)
    assert code == 0, printed


@pytest.mark.parametrize("kind", KINDS)
def test_mend(kind: str, request_: Request, forks: Forks, memory: Path) -> None:
    """Remove the file, run the same command again: the output is what it was."""
    asked = replace(request_, directory=memory / "mend" / kind)
    assert forks.run(asked).error is None
    whole, path = results(asked.directory), chosen(asked.directory, kind)[0]
    flip(path, 801)
    (wrong, *_) = verify(asked.directory)
    if kind == "manifest":
        assert "run the same command again" in wrong
    else:
        assert "remove it" in wrong or kind == "success"
        path.unlink()
    assert forks.run(asked).error is None
    assert results(asked.directory) == whole
    assert verify(asked.directory) == left_over(asked.directory) == []


@pytest.mark.parametrize("kind", ["run file", "dead letters of a shard"])
@pytest.mark.parametrize("bit", [3, 805])
def test_damaged_shard_in_a_later_run(kind: str, bit: int, request_: Request, forks: Forks, memory: Path) -> None:
    """It is met when an input was added: the run stops, names the file and its mend, and the mend works."""
    place = memory / f"later {kind} {bit}"
    inputs = write_corpus(place / "corpus")
    asked = replace(request_, inputs=inputs, directory=place / "out")
    assert forks.run(asked).error is None
    path = chosen(asked.directory, kind)[0]
    flip(path, bit)
    write_document(place / "corpus/体育/8.txt", "股票大学")
    reply = forks.run(asked)
    assert reply.error is not None
    name, message = reply.error
    assert name == "InputError"
    assert str(path) in message
    assert "remove it and run the same command again" in message
    path.unlink()
    again = forks.run(asked)
    assert again.error is None
    assert again.kept
    fresh = replace(asked, directory=place / "fresh")
    assert forks.run(fresh).error is None
    assert results(asked.directory) == results(fresh.directory)
    assert verify(asked.directory) == left_over(asked.directory) == []
