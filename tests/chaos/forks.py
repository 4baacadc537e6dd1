"""A Python that has imported everything and forks for each run: hundreds of runs can be killed in a minute."""

import functools
import gc
import importlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KILLED_AT = ("write", "pwrite", "ftruncate", "fsync", "replace", "unlink", "mkdir", "rmdir")
# What a run would import by and by, and slowly.
_MODULES = (
    "pipelines.engines.preload",
    "pipelines.run",
    "pipelines.engines.local",
    "pipelines.records",
    "pyarrow.acero",
)


@dataclass(frozen=True, slots=True)
class Kill:
    """Ends the process before its `number`-th call (from 1) of `os.<call>`, or half-way through a write."""

    call: str
    number: int
    half: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A word count by label, or with a `vocabulary` records for text classification.

    Its tasks run in one process; `workers` only says how the shards are cut.
    """

    inputs: tuple[str, ...]
    directory: Path
    dictionary: str | None = None
    vocabulary: Path | None = None
    workers: int = 1
    shard_bytes: int = 150
    min_count: int = 1
    words_a_part: int = 2
    fresh: bool = False
    kill: Kill | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call that returned. `path` is what it was about; a replacement has a `target`, a write its `size`."""

    name: str
    path: str
    target: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """How a run ended. `threads`: of the process that was forked. `error`: the type, and the message."""

    threads: int = 1
    killed: bool = False
    error: tuple[str, str] | None = None
    calls: tuple[Call, ...] = ()
    repeated: bool = False
    shards: tuple[int, int] = (0, 0)

    @property
    def counted(self) -> int:
        return self.shards[0]

    @property
    def kept(self) -> int:
        return self.shards[1]


class Forks:
    """The way to the process that forks."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def run(self, request: Request) -> Reply:
        """Forks for one run and waits for its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(request, self._process.stdin)
        self._process.stdin.flush()
        reply: Reply = pickle.load(self._process.stdout)
        assert reply.threads == 1, "a thread of the forking process could hold a lock that no fork ever frees"
        return reply


@contextmanager
def forking() -> Iterator[Forks]:
    """Starts the process that forks. Arrow's allocator would have a thread of its own, and so would OpenBLAS."""
    environment = {**os.environ, "JE_ARROW_MALLOC_CONF": "background_thread:false", "OPENBLAS_NUM_THREADS": "1"}
    environment["TOKENIZERS_PARALLELISM"] = "false"
    command = [sys.executable, "-c", "from tests.chaos.forks import serve; serve()"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Forks(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0


def serve() -> None:
    """Answers requests from standard input until it ends."""
    for module in _MODULES:
        importlib.import_module(module)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a run prints is not a reply
    while (request := _next(sys.stdin.buffer)) is not None:
        content_hash = _prepared(request.dictionary)
        threads = len(os.listdir("/proc/self/task"))
        begin, end = os.pipe()
        child = os.fork()
        if not child:
            _answer(request, content_hash, end)
        os.close(end)
        with os.fdopen(begin, "rb") as pipe:
            content = pipe.read()
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or content, f"the fork ended with status {status} and without an answer"
        reply = Reply(killed=True) if killed else pickle.loads(content)
        pickle.dump(replace(reply, threads=threads), replies)
        replies.flush()


def _next(file: Any) -> Request | None:
    try:
        request: Request = pickle.load(file)
    except EOFError:
        return None
    return request


@functools.cache
def _prepared(dictionary: str | None) -> str:
    """Makes ready what does not change; in a fork first, as every later one would bear what compiling needs."""
    import numpy as np

    from pipelines import run
    from pipelines.tally import counter_of, prepare
    from pipelines.word_count import code_version
    from transforms.decoding import decode

    if not (child := os.fork()):
        prepare(dictionary, ())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, dictionary
    code_version()
    content = "中文".encode("gb18030")
    decoded = decode(content, np.array([0, len(content)]), encoding="auto")
    content_hash = prepare(dictionary, ())
    counter = counter_of("words", True, dictionary, (), content_hash)
    counter.add(decoded.points, decoded.offsets)
    counter.counts()
    run.environment()
    gc.freeze()
    gc.disable()
    return content_hash


def _answer(request: Request, content_hash: str, pipe: int) -> None:
    """Runs in the fork, tells how it went, and ends the fork."""
    write, calls = os.write, list[Call]()
    try:
        reply = _run(request, content_hash, calls)
    except Exception as error:
        reply = Reply(error=(type(error).__name__, str(error)))
    answer = memoryview(pickle.dumps(replace(reply, calls=tuple(calls))))
    while answer:
        answer = answer[write(pipe, answer) :]
    os._exit(0)


def _run(request: Request, content_hash: str, calls: list[Call]) -> Reply:
    from pipelines.engines.job import Job, Report
    from pipelines.engines.local import Local
    from pipelines.run import run
    from pipelines.storage.manifest import Entry
    from pipelines.storage.resume import Plan

    class InProcess(Local):
        """Shards are cut for many workers, and all the work is done here."""

        def run(self, job: Job, plan: Plan, *, report: Report) -> tuple[list[Entry], list[Entry]]:
            return Local(1).run(job, plan, report=report)

    job = _records(request) if request.vocabulary else _word_count(request, content_hash)
    for name in KILLED_AT:
        setattr(os, name, _watched(name, getattr(os, name), calls, request.kill))
    outcome = run(job, engine=InProcess(request.workers), fresh=request.fresh)
    shards = outcome.run["shards"]
    return Reply(repeated=outcome.repeated, shards=(shards["counted"], shards["kept"]))


def _records(request: Request) -> Any:
    from pipelines.records import Records
    from pipelines.task_options import TaskOptions
    from transforms.splits import Splits

    assert request.vocabulary is not None
    return Records(
        tuple(("", given) for given in request.inputs),
        request.directory,
        TaskOptions("text-classification", request.vocabulary),
        splits=Splits((("train", 0.5), ("dev", 0.5)), files=2),
        shard_bytes=request.shard_bytes,
        max_bad_records="50%",
    )


def _word_count(request: Request, content_hash: str) -> Any:
    from pipelines import word_count

    word_count.WORDS_A_PART = request.words_a_part
    return word_count.WordCount(
        request.inputs,
        request.directory,
        content_hash,
        dictionary=request.dictionary,
        by_label=True,
        min_count=request.min_count,
        shard_bytes=request.shard_bytes,
        max_bad_records="50%",
    )


def _watched(name: str, call: Callable[..., Any], calls: list[Call], kill: Kill | None) -> Callable[..., Any]:
    """The call, which writes itself down, or kills the process when its time has come."""
    begun = 0

    def watched(*arguments: Any, **named: Any) -> Any:
        nonlocal begun
        begun += 1
        if kill is not None and (kill.call, kill.number) == (name, begun):
            if kill.half:
                call(arguments[0], arguments[1][: len(arguments[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        path = _path(arguments[0], named.get("dir_fd"))
        result = call(*arguments, **named)
        target = _path(arguments[1], None) if name == "replace" else ""
        calls.append(Call(name, path, target, len(arguments[1]) if name == "write" else 0))
        return result

    return watched


def _path(place: Any, folder: int | None) -> str:
    if isinstance(place, int):
        return os.readlink(f"/proc/self/fd/{place}")
    return os.path.join(_path(folder, None), place) if folder is not None else os.fspath(place)
