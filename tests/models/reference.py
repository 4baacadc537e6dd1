"""The encoder once more, from its equations: NumPy in float64, one text, one head and one query at a time."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from models.encoder_config import EncoderConfig

Array = npt.NDArray[np.float64]
Weights = Mapping[str, Array]


def array(values: Any) -> npt.NDArray[Any]:
    """A tensor or variable of any backend."""
    variable = isinstance(values, keras.Variable)  # which `convert_to_numpy` reads in a way that NumPy warns of
    return np.asarray(values if variable else keras.ops.convert_to_numpy(values))


def weights_of(model: keras.layers.Layer) -> dict[str, Array]:
    return {weight.path: array(weight).astype(np.float64) for weight in model.weights}


def randomize(model: keras.layers.Layer, *, seed: int = 0, scale: float = 0.4) -> None:
    """Gives all weights values that leave nothing near 0 or 1: biases, normalizations and mixes too."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        center = 1.0 if weight.path.endswith("gamma") else 0.0
        weight.assign(random.normal(center, scale, weight.shape).astype(np.float32))


def dense(weights: Weights, layer: str, features: Array) -> Array:
    return features @ weights[f"{layer}/kernel"] + weights[f"{layer}/bias"]


def normalize(weights: Weights, layer: str, features: Array, epsilon: float) -> Array:
    centered = features - features.mean(-1, keepdims=True)
    scaled = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + epsilon)
    return scaled * weights[f"{layer}/gamma"] + weights[f"{layer}/beta"]


def gelu(features: Array, activation: str) -> Array:
    if activation == "gelu-erf":
        return features * 0.5 * (1 + np.vectorize(math.erf)(features / math.sqrt(2)))
    return features * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (features + 0.044715 * features**3)))


def softmax(logits: Array) -> Array:
    exponents = np.exp(logits - logits.max())
    return exponents / exponents.sum()


def logits_of(kind: str, config: EncoderConfig, weights: Weights, layer: str, states: Array, head: int) -> Array:
    """(length, length) of one head, before any mix, mask and softmax."""
    length, width = len(states), slice(head * config.key_size, (head + 1) * config.key_size)
    name = "dot_product" if kind == "talking-heads" else kind.removeprefix("synthesizer-").replace("-", "_")
    layer = f"{layer}/{name}"
    logits = np.zeros((length, length))
    if kind in ("dot-product", "talking-heads"):
        queries, keys = dense(weights, f"{layer}/query", states), dense(weights, f"{layer}/key", states)
        for query in range(length):
            for key in range(length):
                logits[query, key] = queries[query, width] @ keys[key, width] / math.sqrt(config.key_size)
    elif kind == "synthesizer-dense":
        inner = np.maximum(dense(weights, f"{layer}/inner", states)[:, width], 0)
        for query in range(length):
            full = inner[query] @ weights[f"{layer}/outer_kernel"][head] + weights[f"{layer}/outer_bias"][head, 0]
            logits[query] = full[:length]
    elif kind == "synthesizer-factorized-dense":
        inner = np.maximum(dense(weights, f"{layer}/inner", states)[:, width], 0)
        slow, fast = [
            inner @ weights[f"{layer}/{name}_kernel"][head] + weights[f"{layer}/{name}_bias"][head]
            for name in ("slow", "fast")
        ]
        for query in range(length):
            for key in range(length):
                logits[query, key] = slow[query, key // fast.shape[1]] * fast[query, key % fast.shape[1]]
    elif kind in ("synthesizer-random", "synthesizer-fixed-random"):
        logits[:] = weights[f"{layer}/logits"][head, :length, :length]
    elif kind == "synthesizer-factorized-random":
        left, right = weights[f"{layer}/left"][head], weights[f"{layer}/right"][head]
        for query in range(length):
            for key in range(length):
                logits[query, key] = sum(left[query, rank] * right[key, rank] for rank in range(left.shape[1]))
    else:
        raise AssertionError(kind)
    return logits


def attend(config: EncoderConfig, weights: Weights, layer: str, states: Array, mask: npt.NDArray[np.bool_]) -> Array:
    """Self-attention over one text, (length, hidden)."""
    layer = f"{layer}/attention"
    if len(config.mixed) > 1:
        shares = softmax(weights[f"{layer}/mixture/shares"])
        heads = [
            sum(
                share * logits_of(kind, config, weights, f"{layer}/mixture", states, head)
                for share, kind in zip(shares, config.mixed, strict=True)
            )
            for head in range(config.heads)
        ]
    else:
        heads = [logits_of(config.attention, config, weights, layer, states, head) for head in range(config.key_heads)]
    if config.attention == "talking-heads":
        mix = weights[f"{layer}/mix_before/kernel"]
        heads = [
            sum(mix[before, after] * heads[before] for before in range(config.key_heads))
            for after in range(config.heads)
        ]
    attention = [np.stack([softmax(np.where(mask, row, -1e300)) for row in logits]) for logits in heads]
    if config.mix_after_softmax:
        mix = weights[f"{layer}/mix_after/kernel"]
        attention = [
            sum(mix[before, after] * attention[before] for before in range(config.heads))
            for after in range(config.value_heads)
        ]
    values = dense(weights, f"{layer}/value", states)
    size = config.head_size
    joined = np.concatenate(
        [attention[head] @ values[:, head * size : (head + 1) * size] for head in range(config.value_heads)], -1
    )
    return dense(weights, f"{layer}/output", joined)


def run_block(config: EncoderConfig, weights: Weights, block: str, states: Array, mask: npt.NDArray[np.bool_]) -> Array:
    epsilon = config.layer_norm_epsilon
    attended = attend(config, weights, block, states, mask)
    states = normalize(weights, f"{block}/attention_normalization", states + attended, epsilon)
    inner = gelu(dense(weights, f"{block}/intermediate", states), config.activation)
    return normalize(
        weights, f"{block}/output_normalization", states + dense(weights, f"{block}/output", inner), epsilon
    )


def embed(
    config: EncoderConfig, weights: Weights, token_ids: npt.NDArray[np.int32], segment_ids: npt.NDArray[np.int32]
) -> Array:
    tables = {name: weights[f"encoder/embeddings/{name}"] for name in ("token", "position", "segment")}
    states = np.stack(
        [
            tables["token"][token] + tables["position"][place] + tables["segment"][segment]
            for place, (token, segment) in enumerate(zip(token_ids, segment_ids, strict=True))
        ]
    )
    states = normalize(weights, "encoder/embeddings/normalization", states, config.layer_norm_epsilon)
    return dense(weights, "encoder/embeddings/projection", states) if config.embedding_size != config.hidden else states


def encode(
    config: EncoderConfig,
    weights: Weights,
    token_ids: npt.NDArray[np.int32],
    segment_ids: npt.NDArray[np.int32],
    mask: npt.NDArray[np.bool_],
) -> Array:
    """States (batch, length, hidden)."""
    texts = []
    for tokens, segments, kept in zip(token_ids, segment_ids, mask, strict=True):
        states = embed(config, weights, tokens, segments)
        for layer in range(config.layers):
            block = f"encoder/block_{0 if config.share_layers else layer}"
            states = run_block(config, weights, block, states, kept)
        texts.append(states)
    return np.stack(texts)
