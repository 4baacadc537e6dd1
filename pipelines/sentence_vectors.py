"""Sentence vectors: what a checkpoint's encoder makes of texts, the states of a layer averaged over the tokens."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from keras import ops

from models.checkpoints import CheckpointError, load, open_checkpoint
from models.checkpoints.checkpoint import Checkpoint
from models.encoder import Encoder, padding_mask_of
from pipelines.errors import InputError, UsageError
from transforms.isotropy import Rows
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import WordPiece, pair

VOCABULARY = "vocab.txt"
_AT_ONCE, _MULTIPLE = 64, 16  # texts in a batch, and what its length is a multiple of, as each shape costs memory


def layer_of(checkpoint: Path, layer: int | None) -> int:
    """The number of a layer of a checkpoint, the last if none is given; 0 are the embeddings.

    Raises InputError for what is no checkpoint in a folder, UsageError for a layer that it does not have.
    """
    layers = _open(checkpoint).config.layers
    if layer is not None and not 0 <= layer <= layers:
        raise UsageError(f"--layer {layer}: {checkpoint} has {layers} layers, and embeddings as layer 0")
    return layers if layer is None else layer


def sentence_vectors(checkpoint: Path, texts: Sequence[str], *, layer: int) -> Rows:
    """A vector a text, float32 [texts, hidden]: the mean of the layer's states, special tokens included.

    A text is cut to the encoder's positions. Raises InputError for a checkpoint that cannot be read, or that has no
    `vocab.txt` with padding first beside it.
    """
    opened = _open(checkpoint)
    try:
        vocabulary = Vocabulary.read(checkpoint / VOCABULARY)
        if vocabulary.pad != 0 or len(vocabulary) > opened.config.vocabulary_size:
            raise ValueError(f"{checkpoint / VOCABULARY}: not the vocabulary of the checkpoint")
        encoder = Encoder(opened.config)
        load(encoder, opened)
    except OSError as error:
        raise InputError(f"{checkpoint / VOCABULARY}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(str(error)) from error
    most, tokens = opened.config.positions, WordPiece(vocabulary, lowercase=not vocabulary.cased).tokenize(texts)
    ids = [pair(of_text, vocabulary=vocabulary, max_length=most).ids for of_text in tokens]
    vectors = np.empty((len(texts), opened.config.hidden), np.float32)
    by_length = sorted(range(len(texts)), key=lambda number: len(ids[number]))
    for begin in range(0, len(texts), _AT_ONCE):
        rows = by_length[begin : begin + _AT_ONCE]
        length = min(most, -(-len(ids[rows[-1]]) // _MULTIPLE) * _MULTIPLE)
        batch = np.zeros((len(rows), length), np.int32)
        for place, number in enumerate(rows):
            batch[place, : len(ids[number])] = ids[number]
        token_ids = ops.convert_to_tensor(batch)
        weights = ops.cast(padding_mask_of(token_ids), "float32")
        states = ops.einsum("blh,bl->bh", encoder(token_ids, layers=layer), weights)
        vectors[rows] = ops.convert_to_numpy(states / ops.sum(weights, axis=1, keepdims=True))
    return vectors


def _open(checkpoint: Path) -> Checkpoint:
    try:
        return open_checkpoint(checkpoint)
    except CheckpointError as error:
        raise InputError(str(error)) from error
