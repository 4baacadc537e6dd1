"""The same weights give the same outputs and learn the same on every backend, whichever saved them."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.checkpoints import save
from models.encoder import Encoder
from models.heads.masked_language_model import MaskedLanguageModel
from tests.models.reference import dense, encode, gelu, normalize, randomize, weights_of
from tests.models.strategies import VARIANTS, small
from tests.parity.one_backend import POSITIONS, SEGMENTS, TOKENS

ROOT = Path(__file__).parents[2]
BACKENDS = ("tensorflow", "jax", "torch")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A checkpoint of every variant, and its logits by the equations."""
    folder, expected = tmp_path_factory.mktemp("start"), {}
    for number, (name, fields) in enumerate(VARIANTS.items()):
        config = small(**fields, dropout=0.0, attention_dropout=0.0)
        model = MaskedLanguageModel(Encoder(config))
        randomize(model, seed=number, scale=0.2)
        save(model, folder / name)
        weights = weights_of(model)
        states = encode(config, weights, TOKENS, SEGMENTS, TOKENS != 0)
        masked = np.stack([row[places] for row, places in zip(states, POSITIONS, strict=True)])
        features = gelu(dense(weights, "masked_language_model/transform", masked), config.activation)
        features = normalize(weights, "masked_language_model/normalization", features, config.layer_norm_epsilon)
        expected[name] = features @ weights["encoder/embeddings/token"].T + weights["masked_language_model/bias"]
    return folder, expected


@pytest.fixture(scope="module")
def trained(start: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By backend: what it made of those checkpoints."""
    return {
        backend: run(backend, start[0], tmp_path_factory.mktemp(backend))
        for backend in BACKENDS
        if importlib.util.find_spec(backend)
    }


def run(backend: str, checkpoints: Path, out: Path) -> Path:
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "tests.parity.one_backend", str(checkpoints), str(out / "saved")]
    (out / "saved").mkdir()
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    (out / "saved" / f"{backend}.json").rename(out / "told.json")
    return out


def told(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "told.json").read_bytes())  # type: ignore[no-any-return]


def needed(trained: dict[str, Path], *backends: str) -> None:
    for backend in backends:
        if backend not in trained:
            pytest.skip(f"needs {backend}: pip install 'hanmill[parity]'")


def assert_close(found: Any, expected: Any, name: str) -> None:
    difference = np.abs(np.asarray(found) - np.asarray(expected)).max()
    assert difference <= 1e-5 * max(1, np.abs(np.asarray(expected)).max()), name


@pytest.mark.parametrize("backend", BACKENDS)
def test_logits_are_those_of_the_equations(
    start: tuple[Path, dict[str, Any]], trained: dict[str, Path], backend: str
) -> None:
    needed(trained, backend)
    found = told(trained[backend])
    assert found.keys() == VARIANTS.keys()
    for name, expected in start[1].items():
        assert_close(found[name]["before"], expected, name)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_step_teaches_the_same(trained: dict[str, Path], backend: str) -> None:
    needed(trained, "tensorflow", backend)
    first, second = told(trained["tensorflow"]), told(trained[backend])
    for name in VARIANTS:
        assert first[name]["loss"] == pytest.approx(second[name]["loss"], rel=1e-5)
        assert_close(second[name]["after"], first[name]["after"], name)
        moved = np.abs(np.asarray(first[name]["after"]) - np.asarray(first[name]["before"])).max()
        assert moved > 0.01, name


@pytest.mark.parametrize(("saved_on", "loaded_on"), [("tensorflow", "jax"), ("jax", "torch"), ("torch", "tensorflow")])
def test_what_one_saves_another_loads(trained: dict[str, Path], tmp_path: Path, saved_on: str, loaded_on: str) -> None:
    needed(trained, saved_on, loaded_on)
    there, here = told(trained[saved_on]), told(run(loaded_on, trained[saved_on] / "saved", tmp_path))
    for name in VARIANTS:
        assert_close(here[name]["before"], there[name]["after"], name)
