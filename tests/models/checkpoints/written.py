"""Checkpoints as others write them: every name spelt out, every value drawn, none taken from the code under test."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[np.float32]]

# Two layers of 12, three heads of 4, a feed-forward layer of 20; ALBERT's embeddings have 5.
VOCABULARY, HIDDEN, INNER, POSITIONS, EMBEDDING = 40, 12, 20, 16, 5
CONFIG: Mapping[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": INNER,
    "max_position_embeddings": POSITIONS,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.2,
}
ALBERT: Mapping[str, Any] = {**CONFIG, "embedding_size": EMBEDDING, "num_hidden_groups": 1, "inner_group_num": 1}

_BERT_LAYER = {
    "attention/self/query": (HIDDEN, HIDDEN),
    "attention/self/key": (HIDDEN, HIDDEN),
    "attention/self/value": (HIDDEN, HIDDEN),
    "attention/output/dense": (HIDDEN, HIDDEN),
    "attention/output/LayerNorm": HIDDEN,
    "intermediate/dense": (HIDDEN, INNER),
    "output/dense": (INNER, HIDDEN),
    "output/LayerNorm": HIDDEN,
}
_ALBERT_LAYER = {
    "attention_1/self/query": (HIDDEN, HIDDEN),
    "attention_1/self/key": (HIDDEN, HIDDEN),
    "attention_1/self/value": (HIDDEN, HIDDEN),
    "attention_1/output/dense": (HIDDEN, HIDDEN),
    "LayerNorm": HIDDEN,
    "ffn_1/intermediate/dense": (HIDDEN, INNER),
    "ffn_1/intermediate/output/dense": (INNER, HIDDEN),
    "LayerNorm_1": HIDDEN,
}
# Our layers in the order of both.
OURS = (
    "attention/dot_product/query",
    "attention/dot_product/key",
    "attention/value",
    "attention/output",
    "attention_normalization",
    "intermediate",
    "output",
    "output_normalization",
)


def drawn(*shape: int, random: np.random.Generator) -> npt.NDArray[np.float32]:
    return random.normal(0, 0.3, shape).astype(np.float32)


def google_arrays(family: str, *, head: bool = True, optimizer: bool = True, seed: int = 0) -> Arrays:
    """All variables of a checkpoint of google-research/bert or google-research/albert, and no others."""
    random, arrays = np.random.default_rng(seed), Arrays()
    width = HIDDEN if family == "bert" else EMBEDDING

    def dense(name: str, inputs: int, outputs: int) -> None:
        arrays[f"{name}/kernel"] = drawn(inputs, outputs, random=random)
        arrays[f"{name}/bias"] = drawn(outputs, random=random)

    def normalization(name: str, size: int) -> None:
        arrays[f"{name}/beta"] = drawn(size, random=random)
        arrays[f"{name}/gamma"] = 1 + drawn(size, random=random)

    arrays["bert/embeddings/word_embeddings"] = drawn(VOCABULARY, width, random=random)
    arrays["bert/embeddings/token_type_embeddings"] = drawn(2, width, random=random)
    arrays["bert/embeddings/position_embeddings"] = drawn(POSITIONS, width, random=random)
    normalization("bert/embeddings/LayerNorm", width)
    if family == "albert":
        dense("bert/encoder/embedding_hidden_mapping_in", EMBEDDING, HIDDEN)
    blocks = {
        "bert": ["bert/encoder/layer_0", "bert/encoder/layer_1"],
        "albert": ["bert/encoder/transformer/group_0/inner_group_0"],
    }[family]
    for block in blocks:
        for layer, shape in (_BERT_LAYER if family == "bert" else _ALBERT_LAYER).items():
            if isinstance(shape, int):
                normalization(f"{block}/{layer}", shape)
            else:
                dense(f"{block}/{layer}", *shape)
    dense("bert/pooler/dense", HIDDEN, HIDDEN)
    if head:
        dense("cls/predictions/transform/dense", HIDDEN, width)
        normalization("cls/predictions/transform/LayerNorm", width)
        arrays["cls/predictions/output_bias"] = drawn(VOCABULARY, random=random)
        arrays["cls/seq_relationship/output_weights"] = drawn(2, HIDDEN, random=random)
        arrays["cls/seq_relationship/output_bias"] = drawn(2, random=random)
    if optimizer:
        for name in list(arrays):
            arrays[f"{name}/adam_m"] = np.zeros_like(arrays[name])
            arrays[f"{name}/adam_v"] = np.zeros_like(arrays[name])
        arrays["global_step"] = np.float32(9)  # type: ignore[assignment]
    return arrays


def write_google(
    directory: Path, arrays: Arrays, *, config: Mapping[str, Any] = CONFIG, name: str = "bert_model.ckpt"
) -> Path:
    """As TensorFlow saves it; the path without suffix."""
    import tensorflow as tf

    directory.mkdir(parents=True, exist_ok=True)
    names = sorted(arrays)
    tf.raw_ops.SaveV2(
        prefix=str(directory / name),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(arrays[name]) for name in names],
    )
    (directory / "bert_config.json").write_text(json.dumps(config))
    return directory / name


_HUGGINGFACE_BERT = {
    "attention/self": "attention.self",
    "attention/output/dense": "attention.output.dense",
    "attention/output/LayerNorm": "attention.output.LayerNorm",
    "intermediate/dense": "intermediate.dense",
    "output/dense": "output.dense",
    "output/LayerNorm": "output.LayerNorm",
}
_HUGGINGFACE_ALBERT = {
    "attention_1/self": "attention",
    "attention_1/output/dense": "attention.dense",
    "ffn_1/intermediate/dense": "ffn",
    "ffn_1/intermediate/output/dense": "ffn_output",
    "LayerNorm_1": "full_layer_layer_norm",
    "LayerNorm": "attention.LayerNorm",
}


def huggingface_arrays(google: Arrays, family: str, *, prefix: bool = True) -> Arrays:
    """The same weights under the names of `transformers`, kernels transposed; its heads keep no second table."""
    tables = {
        "bert/embeddings/word_embeddings": "embeddings.word_embeddings.weight",
        "bert/embeddings/token_type_embeddings": "embeddings.token_type_embeddings.weight",
        "bert/embeddings/position_embeddings": "embeddings.position_embeddings.weight",
        "cls/predictions/output_bias": "cls.predictions.bias" if family == "bert" else "predictions.bias",
    }
    layers = _HUGGINGFACE_BERT if family == "bert" else _HUGGINGFACE_ALBERT
    found = Arrays()
    for name, values in google.items():
        if name.startswith("cls/seq_relationship") or "adam_" in name or name == "global_step":
            continue
        if name in tables:
            theirs = tables[name]
        else:
            path, _, kind = name.rpartition("/")
            kind = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}[kind]
            if path.startswith("bert/encoder/layer_"):
                number, _, layer = path.removeprefix("bert/encoder/layer_").partition("/")
                theirs = f"encoder.layer.{number}.{_renamed(layer, layers)}.{kind}"
            elif path.startswith("bert/encoder/transformer"):
                layer = path.removeprefix("bert/encoder/transformer/group_0/inner_group_0/")
                theirs = f"encoder.albert_layer_groups.0.albert_layers.0.{_renamed(layer, layers)}.{kind}"
            elif path.startswith("cls/"):
                path = path.removeprefix("cls/predictions/transform/")
                theirs = (
                    f"cls.predictions.transform.{path}.{kind}" if family == "bert" else f"predictions.{path}.{kind}"
                )
            elif path == "bert/pooler/dense" and family == "albert":
                theirs = f"pooler.{kind}"
            else:
                theirs = f"{path.removeprefix('bert/').replace('/', '.')}.{kind}"
        values = np.ascontiguousarray(values.T) if name.endswith("/kernel") else values
        inside = theirs.startswith(("embeddings.", "encoder.", "pooler."))
        found[f"{family}.{theirs}" if prefix and inside else theirs] = values
    return found


def _renamed(layer: str, names: Mapping[str, str]) -> str:
    for theirs, huggingface in names.items():
        if layer == theirs or layer.startswith(f"{theirs}/"):
            return (huggingface + layer.removeprefix(theirs)).replace("/", ".")
    raise AssertionError(layer)


def write_huggingface(directory: Path, arrays: Mapping[str, npt.NDArray[Any]], config: Mapping[str, Any]) -> Path:
    from safetensors.numpy import save_file

    directory.mkdir(parents=True, exist_ok=True)
    save_file(dict(arrays), directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def expected(google: Arrays, family: str) -> Arrays:
    """By our names: what an encoder and its masked language model must hold after loading."""
    width = {"bert": "layer_{}", "albert": "transformer/group_0/inner_group_0"}[family]
    layers = _BERT_LAYER if family == "bert" else _ALBERT_LAYER
    named = {
        "bert/embeddings/word_embeddings": "encoder/embeddings/token",
        "bert/embeddings/token_type_embeddings": "encoder/embeddings/segment",
        "bert/embeddings/position_embeddings": "encoder/embeddings/position",
        "cls/predictions/output_bias": "masked_language_model/bias",
    }
    places = {
        "bert/embeddings/LayerNorm": "encoder/embeddings/normalization",
        "bert/encoder/embedding_hidden_mapping_in": "encoder/embeddings/projection",
        "cls/predictions/transform/dense": "masked_language_model/transform",
        "cls/predictions/transform/LayerNorm": "masked_language_model/normalization",
    }
    for block in range(2 if family == "bert" else 1):
        for theirs, ours in zip(layers, OURS, strict=True):
            places[f"bert/encoder/{width.format(block)}/{theirs}"] = f"encoder/block_{block}/{ours}"
    for theirs, ours in places.items():
        for kind in ("kernel", "bias", "gamma", "beta"):
            named[f"{theirs}/{kind}"] = f"{ours}/{kind}"
    return {ours: google[theirs] for theirs, ours in named.items() if theirs in google}
