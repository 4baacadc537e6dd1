"""Rematerialized blocks: the same loss and gradients with dropout inside, and each block run twice."""

from collections import Counter
from typing import Any
from unittest import mock

import keras
import numpy as np
import pytest
from keras import ops

import models.block
from models.encoder import Encoder
from models.rematerialization import DrawnSeed, draw_seeds, dropout
from tests.models.gradients import MODES, loss_and_gradients, stateless_loss, step_of
from tests.models.reference import array, randomize
from tests.models.strategies import VARIANTS, small

BACKEND = keras.backend.backend()
TOKENS = np.array([[3, 9, 4, 7, 2, 0], [5, 6, 0, 0, 0, 0]], np.int32)


def encoder_with(*, rematerialize: bool, **fields: Any) -> Encoder:
    encoder = Encoder(small(**{"dropout": 0.3, "attention_dropout": 0.3, **fields, "rematerialize": rematerialize}))
    randomize(encoder, scale=0.2)
    encoder.seeds.state.assign(np.array([5, 0]))
    return encoder


def assert_same_step(mode: str, **fields: Any) -> None:
    plain, again = (encoder_with(rematerialize=remat, **fields) for remat in (False, True))
    steps = [step_of(encoder, ops.convert_to_tensor(TOKENS), mode=mode) for encoder in (plain, again)]
    for _ in range(2):  # the second step draws other masks
        (loss, gradients), (other_loss, others) = (step() for step in steps)
        assert loss == pytest.approx(other_loss, rel=1e-6)
        assert gradients.keys() == others.keys()
        for path, gradient in gradients.items():
            assert np.abs(gradient - others[path]).max() <= 1e-5 * max(1, np.abs(gradient).max()), path
    assert np.array_equal(array(plain.seeds.state), array(again.seeds.state))


@pytest.mark.parametrize(
    ("mode", "share_layers"), [*((mode, False) for mode in MODES), *((mode, True) for mode in MODES if mode != "xla")]
)
def test_loss_and_gradients_are_the_same(mode: str, share_layers: bool) -> None:
    assert_same_step(mode, share_layers=share_layers)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_can_be_rematerialized(variant: str) -> None:
    assert_same_step("eager", **VARIANTS[variant])


def test_gradients_differ_where_seeds_are_drawn_inside() -> None:
    """That the comparison can fail: with a generator inside, TensorFlow differentiates another mask."""
    if BACKEND != "tensorflow":
        pytest.skip("JAX refuses a generator inside, and PyTorch restores its state")
    generator = keras.random.SeedGenerator(5)

    def drawn_inside(features: Any, rate: float, *, seed: Any) -> Any:
        return keras.random.dropout(features, rate, seed=generator)

    plain, again = (encoder_with(rematerialize=remat) for remat in (False, True))
    with mock.patch.object(models.block, "dropout", drawn_inside):
        _, gradients = loss_and_gradients(plain, ops.convert_to_tensor(TOKENS))
        generator.state.assign(np.array([5, 0]))
        _, others = loss_and_gradients(again, ops.convert_to_tensor(TOKENS))
    path = "encoder/block_0/output/kernel"
    assert np.abs(gradients[path] - others[path]).max() > 1e-3


# --- blocks run twice ---


@pytest.mark.parametrize("rematerialize", [False, True])
def test_each_block_runs_again_in_the_backward_pass(rematerialize: bool) -> None:
    """By calls: eager on TensorFlow and PyTorch, while tracing on JAX, whose gradients are checked below."""
    if BACKEND == "jax":
        pytest.skip("JAX recomputes from the trace, not by calling: its program is counted instead")
    encoder = encoder_with(rematerialize=rematerialize, layers=3)
    with mock.patch.object(models.block.ops, "gelu", side_effect=ops.gelu) as gelu:
        loss_and_gradients(encoder, ops.convert_to_tensor(TOKENS))
    assert gelu.call_count == (6 if rematerialize else 3)


@pytest.mark.parametrize("rematerialize", [False, True])
def test_compiled_blocks_run_twice_on_tensorflow(rematerialize: bool) -> None:
    """By the operations that TensorFlow's optimizer leaves: it might have merged what is computed twice."""
    if BACKEND != "tensorflow":
        pytest.skip(f"runs on TensorFlow, and this is {BACKEND}")
    from tensorflow.python.eager import context

    encoder = encoder_with(rematerialize=rematerialize, layers=3)
    context.enable_run_metadata()
    try:
        loss_and_gradients(encoder, ops.convert_to_tensor(TOKENS), mode="graph")
        metadata = context.export_run_metadata()
    finally:
        context.disable_run_metadata()
    operations = Counter(node.op for graph in metadata.function_graphs for node in graph.post_optimization_graph.node)
    assert operations["Tanh"] == (6 if rematerialize else 3)
    assert operations["StatelessRandomUniformV2"] == (1 + 2 * 9 if rematerialize else 1 + 9)


@pytest.mark.parametrize("rematerialize", [False, True])
def test_blocks_run_twice_on_jax(rematerialize: bool) -> None:
    """By the program: one `remat` a layer, each gelu's tanh once more; and little is kept for the way back."""
    if BACKEND != "jax":
        pytest.skip(f"runs on JAX, and this is {BACKEND}")
    import jax

    encoder = encoder_with(rematerialize=rematerialize, layers=3)
    step = stateless_loss(encoder, (ops.convert_to_tensor(TOKENS),))
    others = [variable.value for variable in encoder.non_trainable_variables]

    def loss(trainable: Any) -> Any:
        return step(trainable, others)[0]

    trainable = [weight.value for weight in encoder.trainable_variables]
    forward, backward = (str(jax.make_jaxpr(function)(trainable)) for function in (loss, jax.grad(loss)))
    assert forward.count("= remat") == (3 if rematerialize else 0)
    assert (forward.count("= tanh"), backward.count("= tanh")) == (3, 6 if rematerialize else 3)
    _, pullback = jax.vjp(loss, trainable)
    kept = {id(leaf): leaf.nbytes for leaf in jax.tree.leaves(pullback) if hasattr(leaf, "nbytes")}
    inner = sum(kept.values()) - sum(weight.nbytes for weight in trainable)
    states = TOKENS.size * encoder.config.hidden * 4  # bytes of the input of a block
    assert inner < 5 * states if rematerialize else inner > 100 * states


# --- seeds ---


def test_drawn_seeds_all_differ() -> None:
    generator = keras.random.SeedGenerator(1)
    seeds = [*draw_seeds(generator, count=3), *draw_seeds(generator, count=3)]
    assert len({tuple(array(seed).tolist()) for seed in seeds}) == 6


def test_a_seed_gives_one_mask() -> None:
    features = ops.ones((50, 50))
    seeds = draw_seeds(keras.random.SeedGenerator(1), count=2)
    masks = [array(dropout(features, 0.25, seed=seed)) for seed in (seeds[0], seeds[0], seeds[1])]
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])
    assert set(np.unique(masks[0])) == {np.float32(0), np.float32(1 / 0.75)}
    assert 0.7 < (masks[0] > 0).mean() < 0.8


def test_without_a_seed_or_a_rate_nothing_is_dropped() -> None:
    features = ops.ones((3, 3))
    assert dropout(features, 0.5, seed=None) is features
    assert dropout(features, 0.0, seed=draw_seeds(keras.random.SeedGenerator(1), count=1)[0]) is features


def test_a_drawn_seed_stands_for_a_generator() -> None:
    seed = draw_seeds(keras.random.SeedGenerator(9), count=1)[0]
    once = keras.random.uniform((4,), seed=DrawnSeed(seed))
    assert np.array_equal(array(once), array(keras.random.uniform((4,), seed=9)))
