"""Logits are those of NumPy; a description begins behind its text, however much padding stands between."""

from typing import Any

import numpy as np
import pytest

from models.heads.entity_linking_with_encoder import EntityLinkingWithEncoder
from tests.models.heads.reference import POSITIONS, VOCABULARY, dense, encoder, run, scrambled, states_of, texts, values

DESCRIPTION = 5


def made(seed: int) -> EntityLinkingWithEncoder:
    return scrambled(EntityLinkingWithEncoder(encoder(), hits=3), seed)


def inputs_of(seed: int) -> dict[str, Any]:
    """Texts short enough that the encoder has room for a description behind them, and matches nearly anywhere."""
    random = np.random.default_rng(seed)
    ids = texts(seed)[:, : POSITIONS - DESCRIPTION]
    mention = np.zeros(ids.shape, np.float32)
    mention[:, 1:3] = 1
    description = random.integers(1, VOCABULARY, (len(ids), DESCRIPTION)).astype(np.int32)
    description[1, 3:] = 0
    matches = (random.random((*ids.shape, 2)) < 0.8).astype(np.float32)
    hits = random.integers(0, 2, (*ids.shape, 3)).astype(np.float32)
    return {"ids": ids, "matches": matches, "mention": mention, "description": description, "hits": hits}


@pytest.mark.parametrize("seed", range(3))
def test_logits(seed: int) -> None:
    model, inputs = made(seed), inputs_of(seed)
    weights, logits = values(model), run(model, inputs)
    features = np.concatenate([states_of(model, inputs["ids"]), inputs["matches"]], axis=-1)
    wanted = np.where(inputs["matches"] > 0, dense(features, weights, "pointers"), -16)
    np.testing.assert_allclose(logits["mentions"], wanted, rtol=1e-4, atol=1e-5)
    for row, (text, said) in enumerate(zip(inputs["ids"], inputs["description"], strict=True)):
        text, said = text[text != 0], said[said != 0]
        paired = np.concatenate([text, said])[None].astype(np.int32)
        segments = (np.arange(paired.shape[1]) >= len(text))[None].astype(np.int32)
        states = states_of(model, paired, segments)[0]
        beside = np.concatenate([states[: len(text)], inputs["hits"][row, : len(text)]], axis=-1)
        most = np.maximum(dense(beside, weights, "tokens"), 0).max(axis=0)
        joined = np.tanh(dense(np.concatenate([states[0], states[1:3].mean(axis=0), most]), weights, "joined"))
        np.testing.assert_allclose(logits["link"][row], dense(joined, weights, "linker")[0], rtol=1e-3, atol=1e-4)


def test_without_a_description_there_is_no_link() -> None:
    inputs = inputs_of(0)
    alone = run(made(0), {name: inputs[name] for name in ("ids", "matches")})
    assert alone.keys() == {"mentions"}
    np.testing.assert_allclose(alone["mentions"], run(made(0), inputs)["mentions"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["ids", "mention", "description", "hits"])
def test_the_linker_reads_all_of_a_pair(name: str) -> None:
    model, inputs = made(1), inputs_of(1)
    changed = (inputs[name] % (VOCABULARY - 1) + 1) * (inputs[name] > 0)
    if name in ("mention", "hits"):
        changed = 1 - inputs[name]
    assert np.abs(run(model, {**inputs, name: changed})["link"] - run(model, inputs)["link"]).min() > 1e-3


def test_a_row_of_padding_alone_is_finite() -> None:
    inputs = inputs_of(0)
    for name in inputs:
        inputs[name][1] = 0
    assert all(np.isfinite(logits).all() for logits in run(made(0), inputs).values())
