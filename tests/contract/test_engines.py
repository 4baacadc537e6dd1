"""Whatever runs a job, the output is the same to the byte: engines, numbers of workers, shards, resumed runs.

A new job is a line of `JOBS`, a new engine one of `ENGINES`.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

import pytest
from distributed import LocalCluster

from pipelines.angles import Angles
from pipelines.engines.beam import Beam
from pipelines.engines.cluster import PRELOAD
from pipelines.engines.dask import Dask
from pipelines.engines.job import Engine, Job
from pipelines.engines.local import Local
from pipelines.engines.options import EngineOptions
from pipelines.knowledge_base import BuildKnowledgeBase
from pipelines.records import Records
from pipelines.run import Outcome, run
from pipelines.storage.manifest import CONFIGURATION, MANIFEST, SHARDS, listed, read_manifest, verify
from pipelines.tally import prepare
from pipelines.task_options import TaskOptions
from pipelines.word_count import WordCount
from tests.contract.conftest import KB_DATA, VOCABULARY
from transforms.splits import Splits


class Make(Protocol):
    """Makes a job of inputs, output folder and size of a shard."""

    def __call__(self, inputs: tuple[str, ...], directory: Path, /, *, shard_bytes: int) -> Job: ...


def word_count(inputs: tuple[str, ...], directory: Path, /, *, shard_bytes: int, **options: Any) -> Job:
    return WordCount(inputs, directory, _dictionary_hash(), shard_bytes=shard_bytes, max_bad_records="50%", **options)


def random_angles(dimensions: tuple[str, ...], directory: Path, /, *, shard_bytes: int) -> Job:
    """Random numbers are drawn in blocks: shards of so many of them that the blocks are about as many as documents."""
    numbers = tuple(map(int, dimensions))
    return Angles(numbers, directory, pairs=20_000, bins=1000, shard_bytes=shard_bytes << 8)


def records(inputs: tuple[str, ...], directory: Path, /, *, shard_bytes: int, task: str, **options: Any) -> Job:
    words = _dictionary_hash() if task == "masked-language-model" else ""
    made = TaskOptions(task, Path(inputs[0]).with_name(VOCABULARY), dictionary_hash=words, **options)
    splits = Splits((("train", 0.8), ("dev", 0.2)), named=("test",), files=3)
    named = tuple(("test" if given.endswith("lines.txt") else "", given) for given in inputs)
    return Records(named, directory, made, splits=splits, shard_bytes=shard_bytes, max_bad_records="50%")


def predictions(inputs: tuple[str, ...], directory: Path, /, *, shard_bytes: int, task: str) -> Job:
    """Of the lines that are rows of the task; all others are bad records."""
    from pipelines.predict import Predictions

    run = _untrained_run(Path(inputs[0]).parent / task, task)
    return Predictions.of(inputs, directory, model=run, task=task, shard_bytes=shard_bytes, max_bad_records="100%")


@cache
def _untrained_run(folder: Path, task: str) -> Path:
    from tests.pipelines.made_runs import untrained_run

    return untrained_run(folder, task)


def knowledge_base(inputs: tuple[str, ...], directory: Path, /, *, shard_bytes: int) -> Job:
    source = Path(inputs[0]).with_name(KB_DATA)
    return BuildKnowledgeBase((str(source),), directory, shard_bytes=shard_bytes, max_bad_records="50%")


@cache
def _dictionary_hash() -> str:
    return prepare(None, ())


JOBS: dict[str, Make] = {
    "word count": word_count,
    "word count by label": partial(word_count, by_label=True),
    "characters": partial(word_count, tokenizer="characters", normalization="nfkc", min_count=2),
    "angles": random_angles,
    "records: classification": partial(records, task="text-classification"),
    "records: masked language model": partial(records, task="masked-language-model", max_length=64),
    "knowledge base": knowledge_base,
    "records: across documents": partial(records, task="masked-language-model", max_length=64, across=True),
    "predictions": partial(predictions, task="event-extraction"),
    "predictions: entity linking": partial(predictions, task="entity-linking"),
}
# Of jobs that do not read the corpus of all formats, with its dead letters.
OWN_INPUTS: dict[str, tuple[str, ...]] = {"angles": ("40", "2", "3")}
# In the fast suite a job of each kind; each worker that predicts loads TensorFlow.
FAST_JOBS = {"word count", "angles", "knowledge base"}
# How to open an engine of so many workers.
ENGINES: dict[str, Callable[[int], AbstractContextManager[Engine]]] = {
    "local": lambda workers: nullcontext(Local(workers)),
    "dask": lambda workers: Dask(EngineOptions("dask", scheduler=dask_cluster(workers).scheduler_address)),
    "beam": lambda workers: Beam(EngineOptions("beam", workers)),
}
WORKERS = (1, 2, 7)
SLOW = {("beam", 7)}  # starts seven interpreters for each pipeline
RUNNERS = [
    pytest.param(
        (engine, workers), id=f"{engine}-{workers}", marks=pytest.mark.slow if (engine, workers) in SLOW else ()
    )
    for engine in ENGINES
    for workers in WORKERS
]
# Each engine goes on with what each began, itself among them, with another number of workers.
HANDOVERS = [
    pytest.param(
        (first, 1),
        (second, 2 if second == "beam" else 7),
        id=f"{first}-then-{second}",
        marks=pytest.mark.slow if "beam" in (first, second) and "local" not in (first, second) else (),
    )
    for first, second in itertools.product(ENGINES, repeat=2)
]
SHARD_BYTES = 2000

# A job that stands there already, with another task: it differs only in what a worker opens.
OTHER_TASKS = {"predictions: entity linking"}


def _each(names: Iterable[str]) -> pytest.MarkDecorator:
    marks = {name: () if name in FAST_JOBS else pytest.mark.slow for name in names}
    return pytest.mark.parametrize("name", [pytest.param(name, marks=of) for name, of in marks.items()])


every_job = _each(JOBS)
every_kind = _each(name for name in JOBS if name not in OTHER_TASKS)
every_runner = pytest.mark.parametrize("runner", RUNNERS)


CLUSTERS: list[LocalCluster] = []


@cache
def dask_cluster(workers: int) -> LocalCluster:
    """One for all tests, of processes; `close_clusters` ends it."""
    CLUSTERS.append(
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", preload=PRELOAD)
    )
    return CLUSTERS[-1]


@pytest.fixture(scope="module", autouse=True)
def close_clusters() -> Iterator[None]:
    yield
    for cluster in CLUSTERS:
        cluster.close()


def bring(job: Job, runner: tuple[str, int]) -> Outcome:
    """Runs a job to its end."""
    name, workers = runner
    with ENGINES[name](workers) as engine:
        assert engine.workers == workers
        return run(job, engine=engine)


def begin(job: Job, runner: tuple[str, int]) -> int:
    """Commits every other shard of a job, and the reduce of those; returns how many."""
    name, workers = runner
    (job.directory / SHARDS).mkdir(parents=True)
    plan = job.plan(workers=workers)
    half = replace(plan, shards=plan.shards[::2])
    with ENGINES[name](workers) as engine:
        engine.run(job, half, report=lambda progress: None)
    return len(half.shards)


def results(directory: Path) -> dict[str, bytes]:
    """The bytes that must not differ: the manifest, and all files that it lists."""
    assert verify(directory) == []
    manifest = read_manifest(directory)
    names = [MANIFEST, *(file.name for file in listed(manifest))]
    return {name: (directory / name).read_bytes() for name in names}


@pytest.fixture
def inputs(name: str, corpus: tuple[str, ...]) -> tuple[str, ...]:
    """What a job reads."""
    return OWN_INPUTS.get(name, corpus)


@pytest.fixture(scope="module")
def expected(corpus: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, bytes]]:
    """What a job gives in one process, all of it in a few large shards."""

    @cache
    def made(name: str) -> dict[str, bytes]:
        directory = tmp_path_factory.mktemp("expected")
        inputs = OWN_INPUTS.get(name, corpus)
        bring(JOBS[name](inputs, directory, shard_bytes=32 << 20), (next(iter(ENGINES)), 1))
        return results(directory)

    return made


@pytest.fixture
def same(name: str, expected: Callable[[str], dict[str, bytes]]) -> dict[str, bytes]:
    return expected(name)


@every_job
def test_there_is_something_to_compare(name: str, same: dict[str, bytes]) -> None:
    assert len(same) > 1
    assert all(same.values())
    if name not in OWN_INPUTS:
        assert same["dead_letters.jsonl"].count(b"\n") > 10


@every_job
@every_runner
def test_fresh(
    name: str, runner: tuple[str, int], inputs: tuple[str, ...], tmp_path: Path, same: dict[str, bytes]
) -> None:
    outcome = bring(JOBS[name](inputs, tmp_path, shard_bytes=SHARD_BYTES), runner)
    assert outcome.run["shards"]["counted"] > 20
    assert results(tmp_path) == same


@every_kind
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shard_bytes", [pytest.param(500, marks=pytest.mark.slow), 9001])
def test_other_shards(
    name: str, engine: str, shard_bytes: int, inputs: tuple[str, ...], tmp_path: Path, same: dict[str, bytes]
) -> None:
    bring(JOBS[name](inputs, tmp_path, shard_bytes=shard_bytes), (engine, 2))
    assert results(tmp_path) == same


@every_kind
@pytest.mark.parametrize(("first", "second"), HANDOVERS)
def test_one_resumes_what_another_began(
    name: str,
    first: tuple[str, int],
    second: tuple[str, int],
    inputs: tuple[str, ...],
    tmp_path: Path,
    same: dict[str, bytes],
) -> None:
    directory = tmp_path / "out"
    begun = begin(JOBS[name](inputs, directory, shard_bytes=SHARD_BYTES), first)
    outcome = bring(JOBS[name](inputs, directory, shard_bytes=SHARD_BYTES // 2), second)
    assert outcome.run["shards"]["kept"] == begun > 10
    assert outcome.run["shards"]["counted"] > 10
    assert results(directory) == same


@every_kind
@pytest.mark.parametrize("engine", ENGINES)
def test_inputs_in_another_order(
    name: str, engine: str, inputs: tuple[str, ...], tmp_path: Path, same: dict[str, bytes]
) -> None:
    """And one of them named twice."""
    bring(JOBS[name]((*sorted(inputs), inputs[0]), tmp_path, shard_bytes=SHARD_BYTES), (engine, 2))
    assert results(tmp_path) == same


@every_kind
@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_to_do(name: str, engine: str, inputs: tuple[str, ...], tmp_path: Path) -> None:
    """Another number of workers, other shards, another order: all is there, and stays as it is."""
    bring(JOBS[name](inputs, tmp_path, shard_bytes=SHARD_BYTES), (engine, 2))
    before = state(tmp_path)
    for workers, shard_bytes, named in ((2, SHARD_BYTES, inputs), (7, 1 << 20, inputs), (1, 500, inputs[::-1])):
        outcome = bring(JOBS[name](named, tmp_path, shard_bytes=shard_bytes), (engine, workers))
        assert outcome.repeated
        assert state(tmp_path) == before


def state(directory: Path) -> dict[str, tuple[int, int]]:
    """Every file: which it is, and when it was last changed."""
    paths = [path for path in directory.rglob("*") if path.is_file()]
    assert any(path.name == CONFIGURATION for path in paths)
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}
