"""Hugging Face directories: `config.json` and safetensors, read and written. Pickles are refused: they can run code."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from models.checkpoints.checkpoint import Checkpoint
from models.checkpoints.errors import CheckpointError
from models.checkpoints.foreign_config import read_json, to_encoder_config, to_huggingface
from models.checkpoints.names import NAMES, family_of
from models.checkpoints.safetensors_files import open_files, write_file
from models.encoder import encoder_of

CONFIG, WEIGHTS = "config.json", "model.safetensors"

_CLASSES = {("bert", False): "BertModel", ("bert", True): "BertForMaskedLM"}
_CLASSES |= {("albert", False): "AlbertModel", ("albert", True): "AlbertForMaskedLM"}


def read_huggingface(directory: Path) -> Checkpoint:
    """A directory of a BERT or ALBERT model with any head, in float32, float16 or bfloat16.

    Raises CheckpointError for other models, and for a directory whose weights are no safetensors.
    """
    config = directory / CONFIG
    model = read_json(config).get("model_type")
    if model not in ("bert", "albert"):
        raise CheckpointError(
            f"{config}: model_type is {model!r}, and bert and albert alone can be loaded (Chinese RoBERTa checkpoints "
            f"are of model_type bert)"
        )
    files = open_files(_weight_files(directory))
    names = {_plain(name): name for name in files}
    if (family := family_of(names, layout="huggingface")) != model:
        held = family or f"neither model's, but {', '.join(sorted(names)[:3])} …"
        raise CheckpointError(
            f"{config}: model_type is {model}, and the variables beside it are {held}: mend model_type"
        )
    shapes = {name: tuple(files[source].get_slice(source).get_shape()) for name, source in names.items()}

    def read(name: str) -> npt.NDArray[Any]:
        source = names[name]
        values: npt.NDArray[Any] = files[source].get_tensor(source)
        return values

    encoder = to_encoder_config(config, layout="huggingface", family=model)
    return Checkpoint(directory, "huggingface", encoder, shapes, read)


def save_huggingface(model: keras.layers.Layer, directory: Path) -> None:
    """Writes an `Encoder` or a `MaskedLanguageModel` as `transformers` loads it; the pooler is left out.

    Raises CheckpointError for an encoder or a head that Hugging Face has no model for.
    """
    config = encoder_of(model).config
    values = to_huggingface(config)
    family = values["model_type"]
    names, arrays = NAMES["huggingface", family], {}
    headed = any(not weight.path.startswith("encoder/") for weight in model.weights)
    for weight in model.weights:
        name = names.name_of(weight.path)
        if name is None:
            raise CheckpointError(
                f"{weight.path}: Hugging Face's {family.upper()} has no such weight: save it as our own"
            )
        array = np.asarray(weight)
        array = np.ascontiguousarray(array.T) if weight.path.endswith("/kernel") else array
        arrays[f"{family}.{name}" if headed and names.is_encoder(name) else name] = array
    values["architectures"] = [_CLASSES[family, headed]]
    directory.mkdir(parents=True, exist_ok=True)
    write_file(directory / WEIGHTS, arrays, metadata={"format": "pt"})
    (directory / CONFIG).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _plain(name: str) -> str:
    """The name without the model before it, and without TensorFlow's words for the weights of a normalization."""
    name = name.removeprefix("bert.").removeprefix("albert.")
    for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
        if name.endswith(f"LayerNorm{old}"):
            return name.removesuffix(old) + new
    return name


def _weight_files(directory: Path) -> list[Path]:
    index = directory / f"{WEIGHTS}.index.json"
    if index.exists():
        return [directory / name for name in sorted(set(read_json(index).get("weight_map", {}).values()))]
    found = sorted(directory.glob("*.safetensors"))
    if directory / WEIGHTS in found or len(found) == 1:
        return [directory / WEIGHTS] if len(found) > 1 else found
    if found:
        raise CheckpointError(f"{directory}: holds {', '.join(path.name for path in found)}: name one {WEIGHTS}")
    pickles = [path.name for path in (*sorted(directory.glob("*.bin")), *sorted(directory.glob("*.pt")))]
    if pickles:
        raise CheckpointError(
            f"{directory}: {pickles[0]} is a pickle, which can run any code when it is read: convert it with "
            f"transformers' save_pretrained(), which writes {WEIGHTS}"
        )
    raise CheckpointError(f"{directory}: has no {WEIGHTS}")
