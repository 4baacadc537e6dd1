"""A process on the backend that KERAS_BACKEND names: what checkpoints compute there, and after a step of training."""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from models.checkpoints import load, open_checkpoint, save
from models.encoder import Encoder
from models.heads.masked_language_model import MaskedLanguageModel

TOKENS = np.array([[3, 9, 4, 7, 2, 0], [5, 6, 0, 0, 0, 0], [7, 0, 0, 0, 0, 0]], np.int32)
SEGMENTS = np.array([[0, 0, 1, 1, 1, 0], [0, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]], np.int32)
POSITIONS = np.array([[1, 4], [0, 1], [0, 0]], np.int32)
LABELS, WEIGHTS = np.array([[8, 3], [39, 1], [6, 6]], np.int32), np.array([[1, 1], [1, 1], [1, 0]], np.float32)
INPUTS = {"token_ids": TOKENS, "segment_ids": SEGMENTS, "padding_mask": TOKENS != 0, "masked_positions": POSITIONS}


def logits(model: keras.Model) -> Any:
    return np.asarray(model.predict_on_batch(INPUTS))


def main(checkpoints: Path, out: Path) -> None:
    """For each checkpoint the logits, the logits after a step, and what was saved then."""
    found = {}
    for directory in sorted(checkpoints.iterdir()):
        checkpoint = open_checkpoint(directory)
        model = MaskedLanguageModel(Encoder(checkpoint.config))
        load(model, checkpoint)
        model.compile(
            keras.optimizers.SGD(0.1),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=keras.backend.backend() == "jax",
        )
        before = logits(model)
        loss = model.train_on_batch(INPUTS, LABELS, sample_weight=WEIGHTS)
        save(model, out / directory.name)
        found[directory.name] = {
            "before": before.tolist(),
            "loss": float(loss),
            "after": logits(model).tolist(),
        }
    (out / f"{keras.backend.backend()}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
