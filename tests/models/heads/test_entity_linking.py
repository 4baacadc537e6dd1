"""The light model of entity linking: shapes, padding, the gate, what the linker reads, and that it learns."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from models.checkpoints import CheckpointError, load_own, save
from models.heads.entity_linking import BinaryLoss, EntityLinking
from tests.models.heads.reference import cross_entropy

ROWS, TOKENS, CHARACTERS, WORDS = 4, 7, 9, 30


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(7)


def small(**options: Any) -> EntityLinking:
    return EntityLinking(**{"vocabulary_size": WORDS, "hits": 3, "size": 8, "heads": 2, **options})


def inputs_of(seed: int = 0, *, tokens: int = TOKENS, characters: int = CHARACTERS) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    mention = np.zeros((ROWS, tokens), np.float32)
    mention[:, 1:3] = 1
    return {
        "ids": random.integers(1, WORDS, (ROWS, tokens), np.int32),
        "matches": random.integers(0, 2, (ROWS, tokens, 2)).astype(np.float32),
        "mention": mention,
        "description": random.integers(1, WORDS, (ROWS, characters), np.int32),
        "hits": random.integers(0, 2, (ROWS, tokens, 3)).astype(np.float32),
    }


def answers(model: EntityLinking, inputs: dict[str, Any], *, training: bool = False) -> dict[str, Any]:
    made = model({name: ops.convert_to_tensor(value) for name, value in inputs.items()}, training=training)
    return {name: ops.convert_to_numpy(value) for name, value in made.items()}


def test_what_is_asked_is_answered() -> None:
    model, inputs = small(), inputs_of()
    both = answers(model, inputs)
    assert (both["mentions"].shape, both["link"].shape) == ((ROWS, TOKENS, 2), (ROWS,))
    assert both["mentions"].dtype == both["link"].dtype == np.float32
    alone = answers(model, {name: inputs[name] for name in ("ids", "matches")})
    assert set(alone) == {"mentions"}
    np.testing.assert_allclose(alone["mentions"], both["mentions"], atol=1e-6)


def test_padding_changes_nothing() -> None:
    model, inputs = small(), inputs_of()
    longer = {name: np.pad(value, [(0, 0), (0, 3), *([(0, 0)] * (value.ndim - 2))]) for name, value in inputs.items()}
    short, long = answers(model, inputs), answers(model, longer)
    np.testing.assert_allclose(short["mentions"], long["mentions"][:, :TOKENS], atol=1e-5)
    np.testing.assert_allclose(short["link"], long["link"], atol=1e-5)


def test_a_row_of_padding_alone_is_finite() -> None:
    inputs = inputs_of()
    for name in inputs:
        inputs[name][1] = 0
    found = answers(small(), inputs)
    assert all(np.isfinite(value).all() for value in found.values())


def test_the_gate() -> None:
    """A mention begins and ends only where a match does."""
    inputs = inputs_of()
    assert np.all((answers(small(), inputs)["mentions"] == -16) == (inputs["matches"] == 0))
    assert not np.any(answers(small(gated=False), inputs)["mentions"] == -16)


@pytest.mark.parametrize("name", ["ids", "matches", "mention", "description", "hits"])
def test_the_linker_reads_all_of_a_pair(name: str) -> None:
    model, inputs = small(), inputs_of()
    before = answers(model, inputs)["link"]
    changed = inputs_of(1)[name]
    if name == "mention":
        changed = changed[:, ::-1]
    assert np.abs(answers(model, {**inputs, name: changed})["link"] - before).min() > 0


def test_both_directions_and_all_of_the_description_are_read() -> None:
    model, inputs = small(), inputs_of()
    before = answers(model, inputs)
    inputs["ids"][:, -1] = inputs["ids"][:, -1] % (WORDS - 1) + 1
    inputs["matches"][:] = 1
    after = answers(model, {**inputs})
    assert np.all(after["mentions"][:, 0] != before["mentions"][:, 0])
    inputs["description"][:, -1] = inputs["description"][:, -1] % (WORDS - 1) + 1
    assert np.all(answers(model, inputs)["link"] != after["link"])


def test_dropout_is_drawn_in_training_alone() -> None:
    model, inputs = small(dropout=0.5), inputs_of()
    assert np.array_equal(answers(model, inputs)["link"], answers(model, inputs)["link"])
    assert not np.array_equal(
        answers(model, inputs, training=True)["link"], answers(model, inputs, training=True)["link"]
    )


def test_sizes_are_checked() -> None:
    with pytest.raises(ValueError, match="size 10: an even multiple of heads, 4"):
        small(size=10, heads=4)


@pytest.mark.slow
def test_it_learns_what_stands_in_its_inputs() -> None:
    """Both at once: mentions at one token, and links where the description has a token of the text."""
    random = np.random.default_rng(3)
    inputs = inputs_of()
    inputs = {name: np.concatenate([inputs_of(seed)[name] for seed in range(8)]) for name in inputs}
    inputs["matches"][:] = 1
    mentions = np.stack([inputs["ids"] % 5 == 0, inputs["ids"] % 5 == 1], axis=-1).astype(np.float32)
    link = random.integers(0, 2, len(mentions)).astype(np.float32)
    inputs["hits"][:, :, 1] = link[:, None]
    model = small(size=16, dropout=0.0)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss={"mentions": loss, "link": loss}, jit_compile=False)
    targets = {"mentions": mentions, "link": link}
    for _ in range(200):
        model.train_on_batch(inputs, targets)
    found = answers(model, inputs)
    assert np.mean((found["mentions"] > 0) == (mentions > 0)) > 0.98
    assert np.all((found["link"] > 0) == (link > 0))


@pytest.mark.parametrize("axes", [1, 2])
def test_loss(axes: int) -> None:
    """A number for each place, so that weights leave padding out."""
    random = np.random.default_rng(1)
    shape = (3,) if axes == 1 else (3, 4, 2)
    logits, weights = random.normal(size=shape).astype(np.float32), random.random(shape[:axes]).astype(np.float32)
    targets = random.integers(0, 2, shape).astype(np.float32)
    wanted = sum(
        weights[place[:axes]] * cross_entropy(float(logits[place]), float(targets[place]))
        for place in np.ndindex(*shape)
    )
    assert float(BinaryLoss(axes=axes)(targets, logits, weights)) == pytest.approx(wanted, rel=1e-5)


def test_weights_have_the_same_names_in_each_model() -> None:
    """However many others were made before: that is how they are found again in a file."""
    assert [weight.path for weight in small().weights] == [weight.path for weight in small().weights]


def test_it_comes_back(tmp_path: Path) -> None:
    model, other = small(), small()
    save(model, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weights.safetensors"]
    load_own(other, tmp_path)
    for first, second in zip(model.weights, other.weights, strict=True):
        assert np.array_equal(ops.convert_to_numpy(first), ops.convert_to_numpy(second)), first.path
    with pytest.raises(
        CheckpointError, match=r"weights\.safetensors: not of this model: it differs in entity_linking/emb"
    ):
        load_own(small(vocabulary_size=WORDS + 1), tmp_path)
