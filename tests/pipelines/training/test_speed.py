"""Speed: the formula of model FLOP utilization, over tokens that are no padding."""

import numpy as np
import pytest

from models.encoder_config import EncoderConfig
from pipelines.training.speed import speed_of


def test_mfu_of_full_batches() -> None:
    config = EncoderConfig(hidden=64, layers=3, heads=4, key_size=8, vocabulary_size=100, positions=32)
    ids = np.ones((5, 32), np.int32)
    kernels = 3 * (2 * 64 * 4 * 8 + 2 * 64 * 64 + 2 * 64 * 256)
    a_token = 6 * kernels + 12 * 3 * 4 * (8 + 16) / 2 * 32
    found = speed_of([{"ids": ids}, {"ids": ids}], config, seconds=2.0, rate=1e9)
    assert found["tokens"] == 320
    assert found["tokens_per_second"] == 160.0
    assert found["mfu"] == pytest.approx(a_token * 320 / 2.0 / 1e9, abs=1e-5)


def test_padding_does_not_count_and_predictions_do() -> None:
    config = EncoderConfig(hidden=64, layers=3, heads=4, vocabulary_size=100, positions=32)
    ids = np.zeros((2, 32), np.int32)
    ids[:, :8] = 1
    padded = speed_of([{"ids": ids}], config, seconds=1.0, rate=1e9)
    assert padded == speed_of([{"ids": ids[:, :8]}], config, seconds=1.0, rate=1e9)
    guesses = {"ids": ids, "weights": np.ones((2, 4), np.float32)}
    more = speed_of([guesses], config, seconds=1.0, rate=1e9)["mfu"] - padded["mfu"]
    assert more == pytest.approx(6 * 8 * 64 * (64 + 100) / 1e9, abs=2e-5)


def test_pairs_are_read_beside_texts() -> None:
    config = EncoderConfig(hidden=64, layers=3, heads=4, vocabulary_size=100, positions=32)
    batch = {"ids": np.ones((2, 8), np.int32)}
    pairs = {**batch, "description": np.ones((2, 24), np.int32)}
    alone, longer, both = (
        speed_of([of], config, seconds=1.0, rate=1e6) for of in (batch, {"ids": np.ones((2, 32), np.int32)}, pairs)
    )
    assert both["tokens"] == 16
    assert both["mfu"] == pytest.approx(alone["mfu"] + longer["mfu"], rel=1e-4)


def test_without_an_encoder_there_is_no_mfu() -> None:
    found = speed_of([{"ids": np.ones((2, 8), np.int32)}], None, seconds=2.0, rate=0.0)
    assert found == {"tokens": 16, "seconds": 2.0, "tokens_per_second": 8.0}
