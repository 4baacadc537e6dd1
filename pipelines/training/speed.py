"""How fast a step was: tokens a second, and the share of the machine's rate that went into the model."""

from collections.abc import Sequence

import numpy as np

from models.cost import training_flops
from models.encoder_config import EncoderConfig
from pipelines.batching import Arrays


def speed_of(
    batches: Sequence[Arrays], config: EncoderConfig | None, *, seconds: float, rate: float
) -> dict[str, float]:
    """Tokens that are no padding, seconds, tokens a second, and MFU: model operations a second over `rate`.

    No MFU of a model without an encoder.
    """
    lengths = np.concatenate([np.count_nonzero(batch["ids"], axis=1) for batch in batches])
    tokens = int(lengths.sum())
    found = {"tokens": tokens, "seconds": round(seconds, 4), "tokens_per_second": round(tokens / seconds, 1)}
    if config is None:
        return found
    guesses = sum(int(np.sum(batch["weights"])) for batch in batches if "weights" in batch)
    length = float((lengths**2).sum() / max(tokens, 1))
    flops = training_flops(config, tokens=tokens, length=length, predictions=guesses)
    if "description" in batches[0]:  # read a second time, as pairs
        pairs = lengths + np.concatenate([np.count_nonzero(batch["description"], axis=1) for batch in batches])
        flops += training_flops(config, tokens=int(pairs.sum()), length=float((pairs**2).sum() / max(pairs.sum(), 1)))
    return {**found, "mfu": round(flops / seconds / rate, 5)}
