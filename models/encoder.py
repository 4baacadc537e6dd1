"""One encoder for BERT, RoBERTa, ALBERT and ALBERT unshared, with any attention: what its config says."""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from models.block import Block
from models.embeddings import Embeddings
from models.encoder_config import EncoderConfig
from models.projection import Tensor
from models.rematerialization import draw_seeds, rematerialized

SEEDS_A_BLOCK = 3


class Encoder(keras.layers.Layer):
    """Token ids to one state a token.

    Weights are named by path, such as `encoder/block_0/attention/value/kernel`, the same alone and below a head.

    >>> encoder = Encoder(EncoderConfig(vocabulary_size=100, hidden=32, layers=2, heads=4, positions=16))
    >>> tuple(encoder(ops.convert_to_tensor([[2, 7, 3, 0]])).shape), encoder.count_params()
    ((1, 4, 32), 29248)
    """

    def __init__(self, config: EncoderConfig, *, dtype: Any = None) -> None:
        super().__init__(name="encoder", dtype=dtype)
        self.config = config
        self.embeddings = Embeddings(config, dtype=self.dtype_policy)
        blocks = 1 if config.share_layers else config.layers
        self.blocks = [Block(config, name=f"block_{number}", dtype=self.dtype_policy) for number in range(blocks)]
        self.seeds = keras.random.SeedGenerator()
        self.build()

    def build(self, _: object = None) -> None:
        self.embeddings.build()
        for block in self.blocks:
            block.build((None, None, self.config.hidden))

    def call(
        self,
        token_ids: Tensor,
        segment_ids: Tensor | None = None,
        padding_mask: Tensor | None = None,
        training: bool = False,
        layers: int | None = None,
    ) -> Tensor:
        """States (batch, length, hidden), in the dtype that the policy computes in.

        token_ids, segment_ids: int (batch, length); segments are 0 if not given. padding_mask: bool (batch, length),
        true where there is a token; `token_ids != 0` if not given. layers: how many are run, all if not given; 0 gives
        the embeddings. Raises ValueError for a length over `positions`.
        """
        length, positions = token_ids.shape[1], self.config.positions
        if length is not None and length > positions:
            raise ValueError(f"inputs of {length} tokens, and the encoder has {positions} positions: cut the inputs")
        mask = padding_mask_of(token_ids) if padding_mask is None else ops.cast(padding_mask, "bool")
        seeds: list[Tensor | None] = [None] * (1 + SEEDS_A_BLOCK * self.config.layers)
        if training:
            seeds = draw_seeds(self.seeds, count=len(seeds))
        states = self.embeddings(token_ids, segment_ids, seed=seeds.pop())
        for layer in range(self.config.layers if layers is None else layers):
            block = self.blocks[0 if self.config.share_layers else layer]
            run: Callable[..., Tensor] = functools.partial(_run, block, mask)
            if training and self.config.rematerialize:
                run = rematerialized(run)
            states = run(states, *(seeds.pop() for _ in range(SEEDS_A_BLOCK)))
        return states


def _run(block: Block, mask: Tensor, states: Tensor, *seeds: Tensor | None) -> Tensor:
    return block(states, mask, *seeds)


def padding_mask_of(token_ids: Tensor) -> Tensor:
    """True where there is a token, that is, where the id is not 0."""
    return ops.not_equal(token_ids, 0)


def encoder_of(model: keras.layers.Layer) -> Encoder:
    """The encoder itself, or that of a model with a head."""
    return model if isinstance(model, Encoder) else model.encoder


def config_of(model: keras.layers.Layer) -> EncoderConfig | None:
    """The config of a model's encoder; None for a model that has no encoder."""
    encoder: Encoder | None = model if isinstance(model, Encoder) else getattr(model, "encoder", None)
    return encoder.config if encoder is not None else None
