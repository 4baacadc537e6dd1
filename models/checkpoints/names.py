"""What Google's and Hugging Face's checkpoints call the weights of an encoder and of its masked language model."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Family = Literal["bert", "albert"]
Layout = Literal["google", "huggingface"]

_BLOCK = re.compile(r"encoder/block_(\d+)/(.+)/(\w+)")
_ADAM = re.compile(r"/(adam|lamb)_[mv]$|/Adam(_1)?$")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one layout and family.

    block: of a block's layers, with a place for its number; layers: our layer to theirs, below `block` or complete.
    tables: what is not in a layer, complete. weights: the last part of a name. prefixes: what the encoder's variables
    begin with, but for those that are `ignored`.
    """

    separator: str
    block: str
    layers: Mapping[str, str]
    tables: Mapping[str, str]
    weights: Mapping[str, str]
    prefixes: tuple[str, ...]
    ignored: re.Pattern[str]

    def name_of(self, weight: str) -> str | None:
        """Their name of our weight, None where they have none.

        >>> NAMES["google", "bert"].name_of("encoder/block_3/attention/dot_product/query/kernel")
        'bert/encoder/layer_3/attention/self/query/kernel'
        >>> NAMES["huggingface", "albert"].name_of("encoder/block_0/output_normalization/gamma")
        'encoder.albert_layer_groups.0.albert_layers.0.full_layer_layer_norm.weight'
        """
        if weight in self.tables:
            return self.tables[weight]
        layer, _, kind = weight.rpartition("/")
        prefix = ""
        if found := _BLOCK.fullmatch(weight):
            number, layer, kind = found.groups()
            prefix, layer = self.block.format(number), layer.replace("dot_product/", "")
        if layer not in self.layers or kind not in self.weights:
            return None
        return f"{prefix}{self.layers[layer]}{self.separator}{self.weights[kind]}"

    def is_encoder(self, name: str) -> bool:
        """Whether a name is a weight of the encoder."""
        return name.startswith(self.prefixes) and not self.ignored.search(name)


def _bert_layers(separator: str) -> dict[str, str]:
    layers = {
        "attention/query": "attention/self/query",
        "attention/key": "attention/self/key",
        "attention/value": "attention/self/value",
        "attention/output": "attention/output/dense",
        "attention_normalization": "attention/output/LayerNorm",
        "intermediate": "intermediate/dense",
        "output": "output/dense",
        "output_normalization": "output/LayerNorm",
    }
    return {ours: theirs.replace("/", separator) for ours, theirs in layers.items()}


_GOOGLE_ALBERT = {
    "attention/query": "attention_1/self/query",
    "attention/key": "attention_1/self/key",
    "attention/value": "attention_1/self/value",
    "attention/output": "attention_1/output/dense",
    "attention_normalization": "LayerNorm",
    "intermediate": "ffn_1/intermediate/dense",
    "output": "ffn_1/intermediate/output/dense",
    "output_normalization": "LayerNorm_1",
}
_HUGGINGFACE_ALBERT = {
    "attention/query": "attention.query",
    "attention/key": "attention.key",
    "attention/value": "attention.value",
    "attention/output": "attention.dense",
    "attention_normalization": "attention.LayerNorm",
    "intermediate": "ffn",
    "output": "ffn_output",
    "output_normalization": "full_layer_layer_norm",
}


def _google(block: str, layers: Mapping[str, str]) -> Names:
    return Names(
        separator="/",
        block=block,
        layers={
            **layers,
            "encoder/embeddings/normalization": "bert/embeddings/LayerNorm",
            "encoder/embeddings/projection": "bert/encoder/embedding_hidden_mapping_in",
            "masked_language_model/transform": "cls/predictions/transform/dense",
            "masked_language_model/normalization": "cls/predictions/transform/LayerNorm",
        },
        tables={
            "encoder/embeddings/token": "bert/embeddings/word_embeddings",
            "encoder/embeddings/position": "bert/embeddings/position_embeddings",
            "encoder/embeddings/segment": "bert/embeddings/token_type_embeddings",
            "masked_language_model/bias": "cls/predictions/output_bias",
        },
        weights={name: name for name in ("kernel", "bias", "gamma", "beta")},
        prefixes=("bert/embeddings/", "bert/encoder/"),
        ignored=_ADAM,
    )


def _huggingface(block: str, layers: Mapping[str, str], head: str, transform: str) -> Names:
    return Names(
        separator=".",
        block=block,
        layers={
            **layers,
            "encoder/embeddings/normalization": "embeddings.LayerNorm",
            "encoder/embeddings/projection": "encoder.embedding_hidden_mapping_in",
            "masked_language_model/transform": f"{head}.{transform}dense",
            "masked_language_model/normalization": f"{head}.{transform}LayerNorm",
        },
        tables={
            "encoder/embeddings/token": "embeddings.word_embeddings.weight",
            "encoder/embeddings/position": "embeddings.position_embeddings.weight",
            "encoder/embeddings/segment": "embeddings.token_type_embeddings.weight",
            "masked_language_model/bias": f"{head}.bias",
        },
        weights={"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"},
        prefixes=("embeddings.", "encoder."),
        ignored=re.compile(r"\.(position_ids|token_type_ids)$"),
    )


NAMES: Mapping[tuple[Layout, Family], Names] = {
    ("google", "bert"): _google("bert/encoder/layer_{}/", _bert_layers("/")),
    ("google", "albert"): _google("bert/encoder/transformer/group_0/inner_group_0/", _GOOGLE_ALBERT),
    ("huggingface", "bert"): _huggingface("encoder.layer.{}.", _bert_layers("."), "cls.predictions", "transform."),
    ("huggingface", "albert"): _huggingface(
        "encoder.albert_layer_groups.0.albert_layers.0.", _HUGGINGFACE_ALBERT, "predictions", ""
    ),
}


def family_of(names: Collection[str], *, layout: Layout) -> Family | None:
    """Whose blocks a file's variables are; None if they are nobody's."""
    for family in get_args(Family):
        start = NAMES[layout, family].block.format(0)
        if any(name.startswith(start) for name in names):
            return family  # type: ignore[no-any-return]
    return None
