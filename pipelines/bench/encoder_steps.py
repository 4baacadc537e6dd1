"""A training step of BERT in one library, in a process of its own that its parent tells when to run.

Run as `python -m pipelines.bench.encoder_steps LIBRARY SIZES`; SIZES is JSON. It answers "ready" once it is warm, and
then each line on its input with the seconds of a step, by the clock and of processors.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Step = Callable[[], object]
Arrays = dict[str, npt.NDArray[np.int32]]

CLASSES, RATE, DECAY = 10, 5e-5, 0.01
WARM = 3


def texts(*, vocabulary: int, batch_size: int, length: int) -> tuple[Arrays, npt.NDArray[np.int32]]:
    """Ids and a mask of texts that are between half of `length` and all of it, and their labels."""
    random = np.random.default_rng(0)
    lengths = random.integers(length // 2, length + 1, batch_size)
    lengths[0] = length
    mask = np.arange(length) < lengths[:, None]
    ids = np.where(mask, random.integers(1, vocabulary, (batch_size, length)), 0)
    arrays = {"ids": ids.astype(np.int32), "mask": mask.astype(np.int32), "segments": np.zeros_like(ids, np.int32)}
    return arrays, random.integers(0, CLASSES, batch_size, np.int32)


def hanmill(sizes: dict[str, Any], arrays: Arrays, labels: npt.NDArray[np.int32]) -> Step:
    """Our encoder and head, trained as `hanmill train` does."""
    from models.encoder import Encoder
    from models.encoder_config import EncoderConfig
    from models.heads.text_classification import TextClassification

    model = TextClassification(Encoder(EncoderConfig(**sizes, activation="gelu-erf")), classes=CLASSES)
    inputs = {"token_ids": arrays["ids"], "segment_ids": arrays["segments"], "padding_mask": arrays["mask"]}
    return _keras_step(model, inputs, labels)


def keras_hub(sizes: dict[str, Any], arrays: Arrays, labels: npt.NDArray[np.int32]) -> Step:
    """The backbone of keras_hub, and the same head."""
    import keras
    import keras_hub  # type: ignore[import-not-found]

    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=sizes["vocabulary_size"],
        num_layers=sizes["layers"],
        num_heads=sizes["heads"],
        hidden_dim=sizes["hidden"],
        intermediate_dim=4 * sizes["hidden"],
        dropout=0.1,
    )
    first = backbone.output["sequence_output"][:, 0]
    model = keras.Model(backbone.input, keras.layers.Dense(CLASSES)(keras.layers.Dropout(0.1)(first)))
    inputs = {"token_ids": arrays["ids"], "segment_ids": arrays["segments"], "padding_mask": arrays["mask"]}
    return _keras_step(model, inputs, labels)


def _keras_step(model: Any, inputs: Arrays, labels: npt.NDArray[np.int32]) -> Step:
    import keras

    model.compile(
        keras.optimizers.AdamW(RATE, weight_decay=DECAY),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=keras.backend.backend() == "jax",
    )
    return lambda: model.train_on_batch(inputs, labels)


def transformers(sizes: dict[str, Any], arrays: Arrays, labels: npt.NDArray[np.int32]) -> Step:
    """BERT of transformers in PyTorch, not compiled, with the attention that it takes by itself, and the same head."""
    import torch
    from transformers import BertConfig, BertModel  # type: ignore[import-not-found]

    config = BertConfig(
        vocab_size=sizes["vocabulary_size"],
        num_hidden_layers=sizes["layers"],
        num_attention_heads=sizes["heads"],
        hidden_size=sizes["hidden"],
        intermediate_size=4 * sizes["hidden"],
    )
    encoder = BertModel(config, add_pooling_layer=False).train()
    head = torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(config.hidden_size, CLASSES))
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], RATE, weight_decay=DECAY)
    ids, mask, segments = (torch.from_numpy(arrays[name].astype(np.int64)) for name in ("ids", "mask", "segments"))
    targets = torch.from_numpy(labels.astype(np.int64))

    def step() -> float:
        states = encoder(input_ids=ids, attention_mask=mask, token_type_ids=segments).last_hidden_state
        loss = torch.nn.functional.cross_entropy(head(states[:, 0]), targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss)

    return step


LIBRARIES = {"hanmill": hanmill, "keras_hub": keras_hub, "transformers": transformers}


def main(library: str, sizes: dict[str, Any], *, batch_size: int, length: int) -> None:
    """Answers until its input ends."""
    step = LIBRARIES[library](sizes, *texts(vocabulary=sizes["vocabulary_size"], batch_size=batch_size, length=length))
    for _ in range(WARM):
        step()
    print("ready", flush=True)
    for _ in sys.stdin:
        begun, spent = time.perf_counter(), time.process_time()
        step()
        print(time.perf_counter() - begun, time.process_time() - spent, flush=True)


if __name__ == "__main__":
    given = json.loads(sys.argv[2])
    main(sys.argv[1], given["sizes"], batch_size=given["batch_size"], length=given["length"])
