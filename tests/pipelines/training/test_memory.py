"""What is said when memory runs out: what to lower, and about what that saves."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.encoder_config import EncoderConfig
from pipelines.errors import EngineError
from pipelines.training.options import TrainOptions
from tests.pipelines.keras_modules import with_keras


@pytest.fixture(scope="module")
def memory() -> Any:
    return with_keras("pipelines.training.memory")


class OutOfMemoryError(RuntimeError):
    """As PyTorch calls it."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA"),
        ValueError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("OOM when allocating tensor with shape[8]"),
    ],
)
def test_each_backend_has_a_word_for_it(memory: Any, error: Exception) -> None:
    assert memory.is_out_of_memory(error)
    assert not memory.is_out_of_memory(ValueError("memory of another kind"))


def said(memory: Any, config: EncoderConfig, **options: Any) -> str:
    batch = {"ids": np.zeros((64, 512), np.int32)}
    given = TrainOptions(records="", out=Path(), batch_size=64, accumulate=3, **options)
    return str(memory.out_of_memory(7, given, config, batch, parameters=25_000_000))


def test_what_to_lower_and_by_how_much(memory: Any) -> None:
    told = said(memory, EncoderConfig())
    assert told.startswith("step 7: out of memory on tensorflow: 64 records of 512 tokens need about 41.")
    assert "0.4 GB of it for weights" in told
    needed, half, remat, narrow = (float(number) for number in re.findall(r"about ([0-9.]+) GB", told))
    assert "--batch-size 32 --accumulate 6" in told
    for lower in (half, narrow):
        assert lower == pytest.approx(0.4 + (needed - 0.4) / 2, abs=0.1)
    assert remat < needed / 4


def test_what_is_done_already_is_not_advised(memory: Any) -> None:
    told = said(memory, EncoderConfig(rematerialize=True), precision="mixed_bfloat16")
    assert "--remat" not in told
    assert "--precision" not in told


def test_no_room_for_weights(memory: Any) -> None:
    with pytest.raises(EngineError, match="out of memory on tensorflow for weights"), memory.room_for_weights():
        raise MemoryError
    with pytest.raises(ValueError, match="shapes"), memory.room_for_weights():
        raise ValueError("shapes")


def test_of_a_model_without_an_encoder_what_it_needs_is_not_known(memory: Any) -> None:
    given = TrainOptions(records="", out=Path(), batch_size=64)
    batch = {"ids": np.zeros((64, 512), np.int32)}
    told = str(memory.out_of_memory(7, given, None, batch, parameters=1))
    assert "64 records of 512 tokens. Lower one" in told
    assert "--batch-size 32 --accumulate 2 (the same steps); records made with a smaller" in told
    assert "--remat" not in told
    alone = TrainOptions(records="", out=Path(), batch_size=1)
    assert "--batch-size" not in str(memory.out_of_memory(7, alone, None, batch, parameters=1))


def test_pairs_need_more(memory: Any) -> None:
    given = TrainOptions(records="", out=Path(), batch_size=64)
    batch = {"ids": np.zeros((64, 128), np.int32)}
    pairs = {**batch, "description": np.zeros((64, 256), np.int32)}
    alone, both = (
        float(
            re.findall(
                r"need about ([0-9.]+) GB", str(memory.out_of_memory(7, given, EncoderConfig(), of, parameters=0))
            )[0]
        )
        for of in (batch, pairs)
    )
    assert both > 3 * alone
