"""Google's and Hugging Face's `config.json` to ours, and back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.checkpoints.errors import CheckpointError
from models.checkpoints.names import Family, Layout
from models.encoder_config import EncoderConfig, unknown

_FIELDS = {
    "vocabulary_size": "vocab_size",
    "hidden": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "intermediate": "intermediate_size",
    "positions": "max_position_embeddings",
    "segment_types": "type_vocab_size",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
}
# As bert4keras writes them; and what Google's code has as constants.
_OPTIONAL = {
    "embedding_size": "embedding_size",
    "head_size": "attention_head_size",
    "key_size": "attention_key_size",
    "layer_norm_epsilon": "layer_norm_eps",
}
# Google's gelu is the tanh form, though both call theirs "gelu".
_ACTIVATIONS: Mapping[Layout, Mapping[str, str]] = {
    "google": {"gelu": "gelu-tanh"},
    "huggingface": {
        "gelu": "gelu-erf",
        "gelu_python": "gelu-erf",
        "gelu_new": "gelu-tanh",
        "gelu_fast": "gelu-tanh",
        "gelu_pytorch_tanh": "gelu-tanh",
    },
}
# What would change the computation, and the values with which ours is the same.
_ASSUMED: Mapping[str, Any] = {
    "num_hidden_groups": 1,
    "inner_group_num": 1,
    "net_structure_type": 0,
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
}


def read_json(path: Path) -> dict[str, Any]:
    """Raises CheckpointError that names the file if it is no JSON object."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: holds no JSON object: it is not the config of a model")
    return values


def to_encoder_config(path: Path, *, layout: Layout, family: Family) -> EncoderConfig:
    """Raises CheckpointError for a field that is missing, and for one that asks for what no encoder of ours does."""
    values = read_json(path)
    if missing := [name for name in _FIELDS.values() if name not in values]:
        raise CheckpointError(f"{path}: has no {', '.join(missing)}: it is not the config of a BERT or ALBERT encoder")
    for name, assumed in _ASSUMED.items():
        if (found := values.get(name, assumed)) != assumed:
            raise CheckpointError(f"{path}: {name} is {found!r}, and encoders here have {assumed!r} only")
    activations = _ACTIVATIONS[layout]
    if (activation := values.get("hidden_act", "gelu")) not in activations:
        raise CheckpointError(f"{path}: hidden_act {unknown(str(activation), activations)}")
    fields = {ours: values[theirs] for ours, theirs in _FIELDS.items()}
    fields |= {ours: values[theirs] for ours, theirs in _OPTIONAL.items() if theirs in values}
    try:
        return EncoderConfig.of(fields | {"activation": activations[activation], "share_layers": family == "albert"})
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def to_huggingface(config: EncoderConfig) -> dict[str, Any]:
    """The fields of a `config.json`; raises CheckpointError for an encoder that Hugging Face has no model for."""
    plain = EncoderConfig(hidden=config.hidden, heads=config.heads) if config.hidden % config.heads == 0 else None
    lacking = [
        name
        for name, fits in {
            f"attention {config.attention}": config.attention == "dot-product",
            f"key_size {config.key_size}": plain is not None and config.key_size == plain.key_size,
            f"head_size {config.head_size}": plain is not None and config.head_size == plain.head_size,
            "a block for each layer behind small embeddings": config.share_layers
            or config.embedding_size == config.hidden,
            "one block for all layers behind embeddings as wide": not config.share_layers
            or config.embedding_size != config.hidden,
        }.items()
        if not fits
    ]
    if lacking:
        raise CheckpointError(f"Hugging Face's BERT and ALBERT do not have {', '.join(lacking)}: save it as our own")
    values = {theirs: getattr(config, ours) for ours, theirs in _FIELDS.items()}
    values["hidden_act"] = "gelu" if config.activation == "gelu-erf" else "gelu_new"
    values |= {"layer_norm_eps": config.layer_norm_epsilon, "pad_token_id": 0, "tie_word_embeddings": True}
    if config.share_layers:
        values |= {"embedding_size": config.embedding_size, "num_hidden_groups": 1, "inner_group_num": 1}
    return {"model_type": "albert" if config.share_layers else "bert", **values}
