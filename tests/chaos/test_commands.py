"""Whole commands that are killed, that meet each other, or that lose a worker."""

import json
import os
import random
import shutil
import signal
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from pipelines.errors import DONE, ENGINE, INPUT
from pipelines.storage.commit import LOCK
from pipelines.storage.manifest import MANIFEST, PARTS, RUN, SHARDS, SUCCESS, read_json
from tests.chaos.commands import Command, count, run, running
from tests.chaos.corpora import NOT_TEXT, write_document
from tests.chaos.forks import Forks, Request
from tests.chaos.outputs import entries, finished, half_entries, left_over, results, verify
from tests.chaos.watching import Event, Kind, Watch, watching
from tests.strategies import stock_words

WORKERS = 2
ATTEMPTS = 8
FOLDERS = (".", SHARDS, PARTS)
ALL_WORDS_IN_ONE_PART = 4 << 20


@dataclass(frozen=True, slots=True)
class Moment:
    """The `number`-th event of a kind that concerns such a name. `workers`: whether they are killed as well."""

    kind: Kind
    folder: str
    pattern: str
    number: int
    workers: bool

    def fits(self, event: Event) -> bool:
        folder, _, name = event.name.rpartition("/")
        return self.kind in event.kind and (folder or ".") == self.folder and fnmatch(name, self.pattern)


# Five kills, one run after another, each of which goes on where the last was killed.
CHAINS = {
    "shards": [
        Moment(Kind.BEGUN, SHARDS, "*.attempt", 2, workers=True),
        Moment(Kind.NAMED, SHARDS, "*.arrow", 1, workers=False),
        Moment(Kind.NAMED, SHARDS, "*.json", 3, workers=True),
        Moment(Kind.NAMED, SHARDS, "*.json", 5, workers=False),
        Moment(Kind.BEGUN, SHARDS, "*.json.*.attempt", 3, workers=True),
    ],
    "parts": [
        Moment(Kind.NAMED, SHARDS, "*.json", 1, workers=False),
        # With the workers: alone they might finish all parts before they notice, and leave none to the next kill.
        Moment(Kind.NAMED, PARTS, "*.json", 1, workers=True),
        Moment(Kind.BEGUN, PARTS, "*.attempt", 1, workers=False),
        Moment(Kind.BEGUN, ".", "*.attempt", 2, workers=True),
        Moment(Kind.NAMED, ".", MANIFEST, 1, workers=True),
    ],
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four hundred documents of random words, some of them no text."""
    directory, draw, words = tmp_path_factory.mktemp("corpus"), random.Random(7), stock_words()
    for number in range(400):
        text = "".join(draw.choices(words, k=draw.randrange(40, 160)))
        content = NOT_TEXT * 20 if number % 50 == 7 else text.encode()
        write_document(directory / f"类{number % 4}/{number}.txt", content)
    return directory


@pytest.fixture(scope="module")
def undisturbed(corpus: Path, memory: Path) -> dict[str, bytes]:
    out = memory / "undisturbed"
    code, printed = run(*count([corpus], out, "--workers", WORKERS))
    assert code == DONE, printed
    assert verify(out) == left_over(out) == []
    return results(out)


@pytest.fixture
def out(memory: Path) -> Iterator[Path]:
    yield memory / "out"
    shutil.rmtree(memory / "out", ignore_errors=True)


def arguments(corpus: Path, out: Path) -> list[object]:
    return count([corpus], out, "--workers", WORKERS, "--shard-bytes", "8kB")


class Outrun(Exception):
    """A command was done before it could be killed, as the machine had other things to do."""


def killed_at(moment: Moment, command: Sequence[object], out: Path) -> Command:
    """Runs a command until the moment, kills it, and waits until none of its processes is left behind.

    Raises Outrun.
    """
    with watching(out, FOLDERS) as watch, running(*command) as started:
        reached(moment, watch, started)
        started.kill(workers=moment.workers)
        code, printed = started.end()
    assert code in (-signal.SIGKILL, DONE), printed
    if code == DONE:
        raise Outrun(moment)
    return started


def reached(moment: Moment, watch: Watch, started: Command) -> None:
    number = 0
    for event in watch.events(started.pid):
        number += moment.fits(event)
        if number == moment.number:
            return
    code, printed = started.end()
    assert code == DONE, printed
    raise Outrun(moment)


@pytest.mark.parametrize("chain", CHAINS)
def test_killed_commands_go_on(
    chain: str, corpus: Path, undisturbed: dict[str, bytes], out: Path, memory: Path, forks: Forks
) -> None:
    for attempt in range(ATTEMPTS):
        try:
            go_through(CHAINS[chain], corpus, undisturbed, out, memory / f"{chain}-{attempt}", forks)
            return
        except Outrun:
            shutil.rmtree(out)
    pytest.fail(f"each of {ATTEMPTS} times a command was done before it was killed")


def go_through(
    chain: Sequence[Moment], corpus: Path, undisturbed: dict[str, bytes], out: Path, copies: Path, forks: Forks
) -> None:
    """Kills a run at each of the moments, one after another, and lets it end."""
    before, lost = 0, set[str]()
    for number, moment in enumerate(chain):
        started = killed_at(moment, arguments(corpus, out), out)
        if finished(out):
            raise Outrun(moment)
        assert json.loads((out / LOCK).read_bytes())["pid"] == started.pid
        assert half_entries(out) == []
        kept = {path.stem for path in entries(out)}
        begun = {path.name.lstrip(".").partition(".")[0] for path in (out / SHARDS).iterdir()} - {"configuration"}
        assert len(begun - kept - lost) <= WORKERS
        assert len(kept) >= before
        before, lost = len(kept), lost | (begun - kept)
        # Another number of workers and other shards, in a copy: the next kill is to find this state too.
        copy = copies / str(number)
        shutil.copytree(out, copy)
        resumed = Request(
            inputs=(str(corpus),),
            directory=copy,
            workers=3 + number,
            shard_bytes=30_000,
            words_a_part=ALL_WORDS_IN_ONE_PART,
        )
        reply = forks.run(resumed)
        assert reply.error is None
        assert reply.kept == len(kept)
        assert results(copy) == undisturbed
        assert verify(copy) == left_over(copy) == []
    code, printed = run(*arguments(corpus, out))
    assert code == DONE, printed
    assert read_json(out / RUN)["shards"]["kept"] == before
    assert results(out) == undisturbed
    assert verify(out) == left_over(out) == []


def test_killed_beside_success(corpus: Path, undisturbed: dict[str, bytes], out: Path) -> None:
    """The output stands; the same command only clears away."""
    killed_at(Moment(Kind.NAMED, ".", SUCCESS, 1, workers=True), arguments(corpus, out), out)
    assert results(out) == undisturbed
    assert verify(out) == []
    changed = {name: os.stat(out / name).st_mtime_ns for name in (*undisturbed, RUN, SUCCESS)}
    code, printed = run(*arguments(corpus, out))
    assert code == DONE, printed
    assert "nothing to do" in printed
    assert {name: os.stat(out / name).st_mtime_ns for name in changed} == changed
    assert left_over(out) == []


def test_two_drivers(corpus: Path, undisturbed: dict[str, bytes], out: Path) -> None:
    """The second is refused and told of the first, which goes on."""
    with watching(out, FOLDERS) as watch, running(*arguments(corpus, out)) as first:
        reached(Moment(Kind.NAMED, SHARDS, "*.json", 2, workers=False), watch, first)
        os.kill(first.pid, signal.SIGSTOP)
        code, printed = run(*arguments(corpus, out))
        assert code == INPUT
        assert f"{out} is being written by another run" in printed
        assert f"host {socket.gethostname()}, process {first.pid}" in printed
        os.kill(first.pid, signal.SIGCONT)
        code, printed = first.end()
    assert code == DONE, printed
    assert results(out) == undisturbed
    assert verify(out) == left_over(out) == []


def test_lock_of_a_dead_process(corpus: Path, undisturbed: dict[str, bytes], out: Path) -> None:
    out.mkdir()
    dead = Command("--help")
    dead.end()
    (out / LOCK).write_text(json.dumps({"host": socket.gethostname(), "pid": dead.pid, "since": 0}))
    code, printed = run(*arguments(corpus, out))
    assert code == DONE, printed
    assert results(out) == undisturbed
    assert left_over(out) == []


def test_lock_of_another_host(corpus: Path, undisturbed: dict[str, bytes], out: Path) -> None:
    out.mkdir()
    content = json.dumps({"host": "elsewhere", "pid": 1, "since": 0})
    (out / LOCK).write_text(content)
    code, printed = run(*arguments(corpus, out))
    assert code == INPUT
    assert "host elsewhere, process 1" in printed
    assert f"remove {out / LOCK}" in printed
    assert (out / LOCK).read_text() == content
    (out / LOCK).unlink()
    code, printed = run(*arguments(corpus, out))
    assert code == DONE, printed
    assert results(out) == undisturbed


def test_killed_worker(corpus: Path, undisturbed: dict[str, bytes], out: Path) -> None:
    """The command ends by itself, says how to go on, and what was counted is kept."""
    with watching(out, FOLDERS) as watch, running(*arguments(corpus, out)) as started:
        reached(Moment(Kind.NAMED, SHARDS, "*.json", 4, workers=True), watch, started)
        os.kill(started.workers()[0], signal.SIGKILL)
        code, printed = started.end()
    assert code == ENGINE
    assert "a worker process died" in printed
    assert "run the same command again" in printed
    kept = len(entries(out))
    assert left_over(out) == [] or not finished(out)
    code, printed = run(*arguments(corpus, out))
    assert code == DONE, printed
    assert read_json(out / RUN)["shards"]["kept"] == kept >= 3
    assert results(out) == undisturbed
