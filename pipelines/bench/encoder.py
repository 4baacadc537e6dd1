"""How fast an encoder learns: a training step of our BERT on each backend, beside those of other libraries."""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.encoder_config import SYNTHESIZERS
from pipelines.bench.counting import Timing, interleave, print_timings
from pipelines.errors import EngineError

# The shape of m3e-small.
SIZES = {"vocabulary_size": 21128, "hidden": 512, "layers": 4, "heads": 8}


@dataclass(frozen=True, slots=True)
class Peer:
    """A library on a backend of Keras, or on none; the packages that it needs; what our config has besides `SIZES`."""

    name: str
    library: str
    backend: str
    packages: tuple[str, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        return [package for package in self.packages if importlib.util.find_spec(package) is None]


PEERS = (
    Peer("transformers, PyTorch eager", "transformers", "", ("torch", "transformers")),
    Peer("hanmill, TensorFlow", "hanmill", "tensorflow", ("tensorflow",)),
    Peer("hanmill, JAX", "hanmill", "jax", ("jax",)),
    Peer("hanmill, PyTorch", "hanmill", "torch", ("torch",)),
    Peer("keras_hub, JAX", "keras_hub", "jax", ("jax", "keras_hub")),
)


def _ours(name: str, **fields: Any) -> Peer:
    return Peer(name, "hanmill", "tensorflow", ("tensorflow",), fields)


VARIANTS = (
    _ours("dot-product"),
    _ours("one block for all layers", share_layers=True),
    _ours("key size 128", key_size=128),
    _ours("talking-heads", attention="talking-heads"),
    *(_ours(kind, attention=kind) for kind in SYNTHESIZERS if kind != "synthesizer-fixed-random"),
    _ours("random + dot-product", attention="synthesizer-random+dot-product"),
    _ours("rematerialized", rematerialize=True),
)


def bench_encoder(peers: Sequence[Peer], *, batch_size: int, length: int, rounds: int) -> None:
    """Prints medians and ratios of a step of each peer that is installed, and names the others.

    By the clock; and in seconds of processors, to which other work of the machine adds little. Threads that wait for
    each other spin, so of these only those of one core compare (`taskset -c 0 hanmill bench encoder`).
    """
    processor: dict[str, list[float]] = {}
    with contextlib.ExitStack() as processes:
        contenders: dict[str, Callable[[], object]] = {}
        for peer in peers:
            if peer.missing:
                print(f"{peer.name}: left out, not installed: {', '.join(peer.missing)}")
            else:
                spent = processor[peer.name] = []
                step = _process(peer, spent, batch_size=batch_size, length=length)
                contenders[peer.name] = processes.enter_context(step)
        timings = interleave(contenders, rounds=rounds)
    title = (
        f"A step of {batch_size} texts of up to {length} tokens, {SIZES['layers']} layers of {SIZES['hidden']}, AdamW"
    )
    spending = [Timing(name, seconds) for name, seconds in processor.items()]
    for measured, kind in ((timings, "by the clock"), (spending, "seconds of processors")):
        print_timings(measured, batch_size * length, f"{title}, {kind}", unit="ktokens", unit_size=1e3)


@contextlib.contextmanager
def _process(peer: Peer, spent: list[float], *, batch_size: int, length: int) -> Iterator[Callable[[], float]]:
    """What makes the peer's process run a step and tells its seconds; `spent` gets those of processors.

    Raises EngineError with what the process last said.
    """
    given = json.dumps({"sizes": {**SIZES, **peer.fields}, "batch_size": batch_size, "length": length})
    command = [sys.executable, "-m", "pipelines.bench.encoder_steps", peer.library, given]
    environment = os.environ | {"KERAS_BACKEND": peer.backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=said, text=True) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        sent, answers = process.stdin, process.stdout

        def answer() -> str:
            line = answers.readline()
            if not line:
                said.seek(0)
                raise EngineError(f"{peer.name}: its process ended: {said.read()[-1000:]}")
            return line

        def step() -> float:
            sent.write("\n")
            sent.flush()
            clock, processor = map(float, answer().split())
            spent.append(processor)
            return clock

        answer()
        yield step
