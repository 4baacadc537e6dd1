"""Learning rates as their formulas have them, and steps of several batches that equal one large batch."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines.training.options import TrainOptions
from tests.pipelines.keras_modules import with_keras


@pytest.fixture(scope="module")
def optimizer() -> Any:
    return with_keras("pipelines.training.optimizer")


def rates(optimizer: Any, *, steps: int = 20, accumulate: int = 1, **options: Any) -> list[float]:
    given = TrainOptions(records="", out=Path(), learning_rate=2.0, accumulate=accumulate, **options)
    schedule = optimizer.schedule_of(given, steps=steps)
    return [float(schedule(batch)) for batch in range(steps * accumulate)]


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("cosine", lambda done: (1 + math.cos(math.pi * done)) / 2),
        ("linear", lambda done: 1 - done),
        ("constant", lambda done: 1.0),
    ],
)
def test_schedules(optimizer: Any, name: str, share: Any) -> None:
    up = [2 * (step + 1) / 5 for step in range(4)]
    down = [2 * share(step / 16) for step in range(16)]
    assert rates(optimizer, schedule=name, warmup=0.2) == pytest.approx(up + down, rel=1e-5)
    without = [2 * share(step / 20) for step in range(20)]
    assert rates(optimizer, schedule=name, warmup=0.0) == pytest.approx(without, rel=1e-5)
    assert rates(optimizer, schedule=name, warmup=1.0)[-1] == pytest.approx(2 * 20 / 21)


def test_rates_go_by_steps_and_not_by_batches(optimizer: Any) -> None:
    of_batches = rates(optimizer, accumulate=3, schedule="linear")
    assert of_batches == [rate for rate in rates(optimizer, schedule="linear") for _ in range(3)]


HOW = SimpleNamespace(triple=lambda batch: (batch["x"], batch["y"], batch["w"]))


def model(keras: Any, accumulate: int) -> Any:
    made = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, kernel_initializer="ones")])
    sgd = keras.optimizers.SGD(0.5, gradient_accumulation_steps=accumulate if accumulate > 1 else None)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    made.compile(optimizer=sgd, loss=loss, jit_compile=False)
    return made


@pytest.mark.parametrize(("batches", "accumulate"), [(1, 1), (3, 3), (2, 4), (1, 3)])
def test_a_step_of_batches_is_one_of_all_their_targets(optimizer: Any, batches: int, accumulate: int) -> None:
    """Also where they have different numbers of targets, and where the last step of a run has fewer batches."""
    keras, random = optimizer.keras, np.random.default_rng(batches)
    made = [
        {
            "x": random.standard_normal((4, 6), np.float32),
            "y": random.integers(0, 3, 4),
            "w": (np.arange(4) <= number).astype(np.float32),
        }
        for number in range(batches)
    ]
    whole = {name: np.concatenate([batch[name] for batch in made]) for name in ("x", "y", "w")}
    in_parts, at_once = model(keras, accumulate), model(keras, 1)
    loss = optimizer.train_step(in_parts, HOW, made, accumulate=accumulate)
    assert loss == pytest.approx(optimizer.train_step(at_once, HOW, [whole], accumulate=1), rel=1e-5)
    assert loss == pytest.approx(math.log(3), rel=1e-5)  # the kernel is all ones
    for part, one in zip(in_parts.get_weights(), at_once.get_weights(), strict=True):
        assert part == pytest.approx(one, abs=1e-6)
        assert np.ptp(part) > 0.01


@pytest.mark.parametrize("head_rate", [1.0, 20.0])
def test_a_head_learns_at_a_rate_of_its_own(optimizer: Any, head_rate: float) -> None:
    """Adam's steps with the rate times the factor; those of the encoder are as they were."""
    keras, start = optimizer.keras, np.linspace(-1, 1, 6, dtype=np.float32)
    gradients = [np.sin(start * number) for number in range(1, 5)]

    def after(make: Any, name: str) -> Any:
        with keras.name_scope(name):
            weight = keras.Variable(start, name="kernel")
        made = make()
        for gradient in gradients:
            made.apply([keras.ops.convert_to_tensor(gradient)], [weight])
        return np.asarray(weight)

    def with_head_rate() -> Any:
        return optimizer.HeadRate(0.01, weight_decay=0.0, head_rate=head_rate)

    def plain(rate: float) -> Any:
        return lambda: keras.optimizers.AdamW(rate, weight_decay=0.0)

    assert after(with_head_rate, "encoder") == pytest.approx(after(plain(0.01), "encoder"), abs=1e-7)
    assert after(with_head_rate, "head") == pytest.approx(after(plain(0.01 * head_rate), "head"), rel=1e-5)
