"""Heads over small random encoders, and the layers of heads by themselves in NumPy, one number at a time."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from models.encoder import Encoder
from models.encoder_config import EncoderConfig

Floats = npt.NDArray[np.float64]
VOCABULARY, POSITIONS = 40, 12


def encoder(**more: Any) -> Encoder:
    return Encoder(EncoderConfig(vocabulary_size=VOCABULARY, hidden=16, layers=2, heads=2, positions=POSITIONS, **more))


def scrambled(model: keras.Model, seed: int) -> keras.Model:
    """The model with weights that are all random, none of them small, so that nothing goes unseen."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" not in weight.path:
            weight.assign(random.normal(0, 0.4, weight.shape).astype(np.float32))
    return model


def values(model: keras.Model) -> dict[str, Floats]:
    """Weights by their path below the head."""
    return {
        weight.path.removeprefix(f"{model.name}/"): np.asarray(weight.numpy(), np.float64) for weight in model.weights
    }


def run(model: keras.Model, inputs: Mapping[str, Any], **more: Any) -> dict[str, Floats]:
    """Outputs in NumPy, their dtype checked."""
    outputs = model(inputs, **more)
    assert {keras.backend.standardize_dtype(output.dtype) for output in outputs.values()} == {"float32"}
    return {name: keras.ops.convert_to_numpy(output).astype(np.float64) for name, output in outputs.items()}


def states_of(model: keras.Model, ids: Any, segments: Any = None) -> Floats:
    return keras.ops.convert_to_numpy(model.encoder(ids, segments)).astype(np.float64)


def texts(seed: int, *, rows: int = 3) -> npt.NDArray[np.int32]:
    """Ids of texts of different lengths, the first as long as can be, 0 behind the others."""
    random = np.random.default_rng(seed)
    ids = random.integers(1, VOCABULARY, (rows, POSITIONS)).astype(np.int32)
    for row in range(1, rows):
        ids[row, random.integers(4, POSITIONS) :] = 0
    return ids


def dense(states: Floats, weights: Mapping[str, Floats], name: str) -> Floats:
    return states @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]


def normalized(state: Floats, epsilon: float) -> Floats:
    return (state - state.mean()) / np.sqrt(state.var() + epsilon)


def cross_entropy(logit: float, target: float) -> float:
    probability = 1 / (1 + np.exp(-logit))
    return float(-(target * np.log(probability) + (1 - target) * np.log(1 - probability)))
