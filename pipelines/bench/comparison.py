"""Words counted by everything a user could pick, in one run: interleaved, over the same decoded documents."""

import importlib.util
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.bench.contender import ENGINES, Measured, measure
from pipelines.bench.corpora import Corpus, gathered, thinned, write_documents
from pipelines.bench.peers import LOOP, PEERS
from pipelines.bench.standings import Contender, difference, standing, with_ratios
from pipelines.errors import EngineError

SECONDS = 540.0
PILOT_BYTES = 400_000
MOST_OF_THE_LOOP = 1.5  # what a peer that cuts with jieba takes for more text, at most, in times of the loop
PACKAGES = {"dask": "distributed", "beam": "apache_beam"}
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pilot:
    """One contender over a little: seconds of counting, and of the whole process."""

    contender: Contender
    seconds: float
    wall: float


def compare(
    inputs: Sequence[str], *, size: int, workers: Sequence[int], rounds: int, tell: Tell, seconds: float = SECONDS
) -> dict[str, Any]:
    """Measures ours with each number of workers over `size` bytes, peers with the greatest over a sample of them.

    The sample is as large as lets the whole take `seconds`. Raises EngineError where the loop or one of ours fails.
    """
    begun = time.monotonic()
    left_out: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        documents = gathered(inputs, Path(scratch), limit=size)
        corpus = write_documents(documents, Path(scratch) / "corpus")
        little = write_documents(thinned(documents, limit=PILOT_BYTES), Path(scratch) / "pilot")
        pilots = _pilots(contenders(workers, left_out), corpus, little, left_out=left_out, tell=tell)
        budget = (seconds - (time.monotonic() - begun)) / (rounds + 1)
        limit = sample_size(pilots, little.size, seconds=budget)
        sample = write_documents(thinned(documents, limit=limit), Path(scratch) / "sample")
        tell(f"{corpus.megabytes:,.1f} MB, {sample.megabytes:,.1f} MB for peers, {rounds} rounds")
        found = _check([pilot.contender for pilot in pilots], sample)
        measured: dict[Contender, list[Measured]] = {pilot.contender: [] for pilot in pilots}
        for number in range(rounds):
            for contender, so_far in measured.items():
                so_far.append(_measure(contender, corpus if contender.ours else sample))
            tell(f"round {number + 1} of {rounds}, {time.monotonic() - begun:,.0f} s so far")
    rows = [
        standing(contender, so_far, corpus if contender.ours else sample, found[contender])
        for contender, so_far in measured.items()
    ]
    return {
        "corpus": {"inputs": list(inputs) or ["hanmill sample"], **corpus.facts()},
        "sample": sample.facts(),
        "rounds": rounds,
        "contenders": with_ratios(rows),
        "left_out": left_out,
    }


def contenders(workers: Sequence[int], left_out: dict[str, str]) -> list[Contender]:
    """All whose packages are there; ours with each number of workers, and with one, which E_self needs."""
    most = max(workers)
    peers = [Contender(name, most if peer.parallel else 1) for name, peer in PEERS.items()]
    ours = [Contender(engine, number) for engine in ENGINES for number in sorted({1, *workers})]
    needed = {**{name: peer.package for name, peer in PEERS.items()}, **PACKAGES}
    kept = []
    for contender in [*peers, *ours]:
        package = needed.get(contender.name)
        if package and importlib.util.find_spec(package) is None:
            left_out[contender.title] = f"{package} is not installed"
        else:
            kept.append(contender)
    return kept


def sample_size(pilots: Sequence[Pilot], size: int, *, seconds: float) -> int:
    """Bytes for peers that let one round of all take so many seconds, from what each took for `size` bytes.

    A peer that cuts with jieba cannot take much more than the loop for each further byte, shared among workers.
    """
    [loop] = [pilot.seconds for pilot in pilots if pilot.contender.name == LOOP]
    slopes = [
        min(pilot.seconds, MOST_OF_THE_LOOP * loop / pilot.contender.workers) / size
        for pilot in pilots
        if not pilot.contender.ours
    ]
    spare = seconds - sum(pilot.wall for pilot in pilots)
    return size + max(0, int(spare / sum(slopes)))


def _pilots(
    chosen: Sequence[Contender], corpus: Corpus, little: Corpus, *, left_out: dict[str, str], tell: Tell
) -> list[Pilot]:
    """Every contender once, which also warms files, kernels and caches; a peer that fails is left out and told."""
    pilots = []
    for contender in chosen:
        begun = time.monotonic()
        try:
            measured = _measure(contender, corpus if contender.ours else little)
        except EngineError as error:
            if contender.ours or contender.name == LOOP:
                raise
            left_out[contender.title] = str(error)
        else:
            pilots.append(Pilot(contender, measured.seconds, time.monotonic() - begun))
    for title, why in left_out.items():
        tell(f"left out: {title}: {why}")
    return pilots


def _check(chosen: Sequence[Contender], sample: Corpus) -> dict[Contender, dict[str, int]]:
    """How the counts of each differ from the loop's, over the sample; untimed, as handing them over takes memory."""
    expected: dict[str, int] = {}
    found = {}
    for contender in chosen:
        counts = _measure(contender, sample, counts=True).counts or {}
        if contender.name == LOOP:
            expected = counts
        found[contender] = difference(counts, expected)
    return found


def _measure(contender: Contender, corpus: Corpus, *, counts: bool = False) -> Measured:
    return measure(contender.name, workers=contender.workers, corpus=corpus.folder, counts=counts)
