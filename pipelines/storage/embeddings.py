"""Vectors that were trained: the token embeddings of a Hugging Face checkpoint, or a matrix in a .npy file."""

import contextlib
import os
from pathlib import Path

import numpy as np

from pipelines.errors import InputError, UsageError
from transforms.isotropy import Rows

# Of BERT and its kin, Llama and most that came after it, GPT-2, T5 and BART, XLNet.
TENSORS = ("word_embeddings.weight", "embed_tokens.weight", "wte.weight", "shared.weight", "word_embedding.weight")


def find_embeddings(path: Path) -> Path:
    """The file that holds the vectors: `path` itself, or the one of a checkpoint's files with token embeddings.

    Raises InputError where there is none, or more than one.
    """
    if not path.is_dir():
        if path.suffix not in (".npy", ".safetensors"):
            raise InputError(f"{path}: a folder with .safetensors files, one of them, or a .npy matrix is read here")
        return path
    files = sorted(path.glob("*.safetensors"))
    holding = [file for file in files if _token_embeddings(_names(file))]
    if len(holding) == 1:
        return holding[0]
    if holding:
        raise InputError(f"{path}: {' and '.join(file.name for file in holding)} hold token embeddings: name one file")
    where = f"none of {', '.join(file.name for file in files)} has" if files else "no .safetensors file there to hold"
    raise InputError(f"{path}: {where} a tensor that ends with {' or '.join(TENSORS)}")


def read_embeddings(file: Path) -> Rows:
    """The vectors, one a row, in the precision in which they are stored; a matrix is mapped, not read.

    Raises InputError for what holds none, or is damaged; pickled objects are never loaded.
    """
    name = ""
    vectors: Rows
    try:
        if file.suffix == ".npy":
            vectors = np.load(file, mmap_mode="r", allow_pickle=False)
        else:
            name = _token_embeddings(_names(file))
            if not name:
                raise InputError(f"{file}: no tensor in it ends with {' or '.join(TENSORS)}")
            with contextlib.suppress(ImportError):
                import ml_dtypes  # noqa: F401  which teaches NumPy bfloat16
            with _opened(file) as tensors:
                vectors = tensors.get_tensor(name)
    except TypeError as error:
        raise InputError(f"{file}: {name}: {error}: pip install ml_dtypes") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: {error}") from error
    what = f"{file}: {name}".removesuffix(": ")
    if (
        vectors.ndim != 2
        or min(vectors.shape) < 2
        or not (vectors.dtype.kind == "f" or vectors.dtype.name == "bfloat16")
    ):
        shape = " x ".join(map(str, vectors.shape))
        raise InputError(f"{what} is {shape} of {vectors.dtype}: two or more rows of two or more floats are needed")
    return vectors


def _token_embeddings(names: list[str]) -> str:
    """The tensor's name: copies that a decoder or head shares come later, or are longer."""
    found = [(TENSORS.index(tensor), len(name), name) for name in names for tensor in TENSORS if _ends(name, tensor)]
    return min(found)[2] if found else ""


def _ends(name: str, tensor: str) -> bool:
    return f".{name}".endswith(f".{tensor}")


def _names(file: Path) -> list[str]:
    with _opened(file) as tensors:
        return list(tensors.keys())


@contextlib.contextmanager
def _opened(file: Path):  # type: ignore[no-untyped-def]
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError:
        raise UsageError(f"{file}: reading it needs the package safetensors: pip install safetensors") from None
    try:
        with safe_open(os.fspath(file), framework="np") as tensors:
            yield tensors
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file}: {error}: fetch it again") from error
