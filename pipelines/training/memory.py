"""What to do when memory runs out: what to lower, and what that saves."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import keras

from models.cost import activation_bytes
from models.encoder_config import EncoderConfig
from pipelines.batching import Arrays
from pipelines.errors import EngineError
from pipelines.training.options import TrainOptions

_NAMES = {"ResourceExhaustedError", "OutOfMemoryError", "MemoryError", "_ArrayMemoryError"}
_WORDS = ("RESOURCE_EXHAUSTED", "OOM when allocating", "out of memory", "not enough memory", "can't allocate memory")
_ADAM = 4  # of each weight: itself, its gradient, two moments


def is_out_of_memory(error: BaseException) -> bool:
    """Whether that is what a backend or NumPy failed of: each has a word of its own for it.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("RESOURCE_EXHAUSTED: Out of memory"))
    (True, True)
    >>> is_out_of_memory(RuntimeError("shapes do not fit"))
    False
    """
    kinds = {kind.__name__ for kind in type(error).__mro__}
    text = str(error).lower()
    return bool(kinds & _NAMES) or any(word.lower() in text for word in _WORDS)


@contextlib.contextmanager
def room_for_weights() -> Iterator[None]:
    """Raises EngineError where memory runs out before the first step: weights and optimizer alone are too much."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise EngineError(
            f"out of memory on {keras.backend.backend()} for weights and optimizer: take a smaller --encoder"
        ) from error


def out_of_memory(
    step: int, options: TrainOptions, config: EncoderConfig | None, batch: Arrays, *, parameters: int
) -> EngineError:
    """The failure of a step, with the ways to go on and about what each would need; of an encoder that is known."""
    rows, length = options.batch_size, batch["ids"].shape[1]
    start = f"step {step}: out of memory on {keras.backend.backend()}: {rows:,} records of {length} tokens"
    lower = rows // 2
    smaller = f"--batch-size {lower} --accumulate {options.accumulate * -(-rows // max(lower, 1))}"
    shorter = "records made with a smaller --max-length"
    if config is None:
        ways = [f"{smaller} (the same steps)", shorter][rows == 1 :]
        return EngineError(f"{start}. Lower one of these, with --fresh or another --out: {'; '.join(ways)}")
    guesses = batch["weights"].shape[1] if "weights" in batch else 0
    # A text alone, and read a second time with a description.
    inputs = [length] + ([length + batch["description"].shape[1]] if "description" in batch else [])
    half = options.precision != "float32"
    weights = 4 * _ADAM * parameters

    def needs(rows: int, *, remat: bool = config.rematerialize, half: bool = half) -> str:
        changed = replace(config, rematerialize=remat)
        of_batch = sum(
            activation_bytes(
                changed, tokens=rows * size, length=size, predictions=rows * guesses, width=2 if half else 4
            )
            for size in inputs
        )
        return f"{(weights + of_batch) / 1e9:,.1f} GB"

    ways = list[str]()
    if rows > 1:
        ways.append(f"{smaller} (about {needs(lower)}, the same steps)")
    if not config.rematerialize:
        ways.append(f"--remat (about {needs(rows, remat=True)}, a third more time)")
    if not half:
        ways.append(f"--precision mixed_bfloat16 (about {needs(rows, half=True)})")
    ways.append(shorter)
    return EngineError(
        f"{start} need about {needs(rows)}, {weights / 1e9:,.1f} GB of it for weights and optimizer. Lower one of "
        f"these, with --fresh or another --out: {'; '.join(ways)}"
    )
