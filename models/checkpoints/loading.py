"""Values of a checkpoint into the weights of a model: all that belong there, and each accounted for."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from models.checkpoints.checkpoint import Checkpoint
from models.checkpoints.errors import CheckpointError
from models.encoder import encoder_of
from models.encoder_config import EncoderConfig

# What is one row or number a token of the vocabulary.
_BY_TOKEN = ("encoder/embeddings/token", "masked_language_model/bias")
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Loading:
    """What became of each variable.

    loaded: the model's, with the checkpoint's values now. fresh: the model's, as they were initialized. unused: the
    checkpoint's, by its names, of heads that the model does not have, and of optimizers.
    """

    loaded: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]


def load(
    model: keras.layers.Layer,
    checkpoint: Checkpoint,
    *,
    keep_tokens: Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
    fresh_head: bool = False,
) -> Loading:
    """Assigns the checkpoint's values to an `Encoder`, or to a model that has one and a head.

    An encoder with a block for each layer takes ALBERT's one block for all (kexue.fm 7187); one with talking heads
    takes plain attention, and its heads do not talk yet.

    keep_tokens: ids of the checkpoint's vocabulary in the order of the model's, of which rows of the embedding table
    and of the masked language model's bias are taken. fresh_head: a head of which the checkpoint has nothing stays as
    it is initialized.

    Raises CheckpointError if the configs differ, and for variables that are missing, left over, or of other shapes.
    """
    _check_config(checkpoint, encoder_of(model).config, keep_tokens)
    found, fresh = _find(model, checkpoint, fresh_head=fresh_head)
    unused = [name for name in checkpoint.shapes if name not in set(found.values())]
    if left_over := [name for name in unused if checkpoint.is_encoder(name)]:
        raise CheckpointError(f"{checkpoint.path}: the encoder has no place for {_listed(left_over)}")
    weights = {weight.path: weight for weight in model.weights}
    wrong = []
    for path, name in found.items():
        shape = checkpoint.shapes[name][::-1] if checkpoint.transposes(path) else checkpoint.shapes[name]
        if keep_tokens is not None and path in _BY_TOKEN:
            shape = (len(keep_tokens), *shape[1:])
        if shape != tuple(weights[path].shape):
            wrong.append(f"{name} {checkpoint.shapes[name]} for {path} {tuple(weights[path].shape)}")
    if wrong:
        raise CheckpointError(f"{checkpoint.path}: shapes are not those of its config: {_listed(wrong)}")
    for path, name in found.items():
        values = checkpoint.read(name)
        values = values.T if checkpoint.transposes(path) else values
        if keep_tokens is not None and path in _BY_TOKEN:
            values = values[np.asarray(keep_tokens)]
        weights[path].assign(values.astype(np.float32))
    return Loading(tuple(found), tuple(fresh), tuple(unused))


def _check_config(checkpoint: Checkpoint, config: EncoderConfig, keep_tokens: Collection[int] | None) -> None:
    there = checkpoint.config
    talks = (there.attention, config.attention) == ("dot-product", "talking-heads")
    free = {"dropout", "attention_dropout", "rematerialize"}
    free |= {"share_layers"} if there.share_layers else set()
    free |= {"attention", "mix_after_softmax"} if talks else set()
    free |= {"synthesizer_rank"} if "synthesizer-factorized-random" not in config.mixed else set()
    if keep_tokens is not None:
        free |= {"vocabulary_size"}
        if len(keep_tokens) != config.vocabulary_size:
            raise CheckpointError(
                f"keep_tokens: {len(keep_tokens):,} ids for an encoder of vocabulary_size {config.vocabulary_size:,}"
            )
        if not 0 <= min(keep_tokens) <= max(keep_tokens) < there.vocabulary_size:
            raise CheckpointError(f"keep_tokens: ids must lie from 0 to {there.vocabulary_size - 1:,}")
    differences = [
        f"{field.name} {getattr(there, field.name)}, not {getattr(config, field.name)}"
        for field in fields(EncoderConfig)
        if field.name not in free and getattr(there, field.name) != getattr(config, field.name)
    ]
    if differences:
        raise CheckpointError(
            f"{checkpoint} does not fit the encoder: it has {'; '.join(differences)}. Build the encoder from the "
            f"checkpoint's config, or train without the checkpoint"
        )


def _find(model: keras.layers.Layer, checkpoint: Checkpoint, *, fresh_head: bool) -> tuple[dict[str, str], list[str]]:
    """The checkpoint's name of each weight that it has, and the weights that it need not have."""
    found: dict[str, str] = {}
    absent: list[str] = []
    unshared = checkpoint.config.share_layers and not encoder_of(model).config.share_layers
    for weight in model.weights:
        path = re.sub(r"^encoder/block_\d+/", "encoder/block_0/", weight.path) if unshared else weight.path
        name = checkpoint.name_of(path)
        if name is not None and name in checkpoint.shapes:
            found[weight.path] = name
        else:
            absent.append(weight.path)
    headless = all(path.startswith("encoder/") for path in found)
    mixing = checkpoint.config.attention == "dot-product"
    fresh = [path for path in absent if _may_be_fresh(path, head=fresh_head and headless, mix=mixing)]
    missing = [path for path in absent if path not in fresh]
    if missing:
        head = all(not path.startswith("encoder/") for path in missing) and headless
        mend = ": pass fresh_head for one that is still to be trained" if head else ""
        raise CheckpointError(f"{checkpoint.path}: has nothing for {_listed(missing)}{mend}")
    return found, fresh


def _may_be_fresh(path: str, *, head: bool, mix: bool) -> bool:
    return mix and "/mix_" in path if path.startswith("encoder/") else head


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
