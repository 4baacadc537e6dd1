"""One contender in a process of its own: what it takes to start, to count, and what it counts."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.bench.watched import run_watched
from pipelines.engines.choice import open_engine
from pipelines.engines.options import EngineName, EngineOptions

ENGINES: tuple[EngineName, ...] = ("local", "dask", "beam")


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds from the process's start to where it could count, seconds of counting, and its largest process."""

    startup: float
    seconds: float
    peak_bytes: int
    counts: dict[str, int] | None


def measure(name: str, *, workers: int, corpus: Path, counts: bool = False) -> Measured:
    """Runs a peer of `peers.PEERS`, or an engine of ours, over a folder of documents.

    `counts`: whether to hand the counts over, without white space. Raises EngineError where it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        arguments = [name, str(workers), str(corpus), str(told), repr(time.time()), "counts" if counts else ""]
        peak = run_watched(__name__, *arguments)
        return Measured(peak_bytes=peak, **json.loads(told.read_bytes()))


def documents_of(corpus: Path) -> list[str]:
    """The texts of a folder of documents in UTF-8, ordered by name."""
    return [path.read_bytes().decode() for path in sorted(corpus.rglob("*.txt"))]


@contextmanager
def _hanmill(engine: EngineName, workers: int) -> Iterator[Callable[[Path], Path]]:
    """A count of a folder into another one, as `hanmill count` makes it; returns where the counts are."""
    from pipelines.engines.local import start_early
    from pipelines.run import run
    from pipelines.tally import prepare
    from pipelines.word_count import WordCount

    start_early()
    content_hash = prepare(None, ())
    options = EngineOptions(engine, workers)
    with tempfile.TemporaryDirectory() as folder, open_engine(options, tell=lambda text: None) as opened:

        def count(corpus: Path) -> Path:
            job = WordCount((str(corpus),), Path(folder) / "counts", content_hash)
            run(job, engine=opened)
            return job.directory

        yield count


def _counts_in(directory: Path) -> dict[str, int]:
    import pyarrow.parquet as pq

    table = pq.read_table(sorted(directory.glob("*.parquet")), columns=["word", "count"])
    return dict(zip(table["word"].to_pylist(), table["count"].to_pylist(), strict=True))


def _run(
    name: str, workers: int, corpus: Path, *, process_started: float, wanted: bool
) -> tuple[float, float, dict[str, int]]:
    """Seconds of start-up and of counting, and the counts, which those of ours are only read for who wants them."""
    if name in ENGINES:
        with _hanmill(name, workers) as count_folder:
            startup = time.time() - process_started
            begun = time.perf_counter()
            directory = count_folder(corpus)
            return startup, time.perf_counter() - begun, _counts_in(directory) if wanted else {}
    from pipelines.bench.peers import PEERS

    with PEERS[name].opened(workers) as count_texts:
        startup = time.time() - process_started
        texts = documents_of(corpus)
        begun = time.perf_counter()
        counts = count_texts(texts)
        return startup, time.perf_counter() - begun, counts


def main() -> None:
    """Arguments as `measure` gives them."""
    name, workers, corpus, told, started, wanted = sys.argv[1:]
    startup, seconds, counts = _run(
        name, int(workers), Path(corpus), process_started=float(started), wanted=bool(wanted)
    )
    # White space is what hanmill leaves out.
    kept = {word: count for word, count in counts.items() if not word.isspace()} if wanted else None
    Path(told).write_text(json.dumps({"startup": startup, "seconds": seconds, "counts": kept}))


if __name__ == "__main__":
    main()
