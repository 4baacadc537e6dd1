"""Vectors from files: which tensor is taken, every precision, and what is refused."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import InputError
from pipelines.storage.embeddings import find_embeddings, read_embeddings

numpy_safetensors = pytest.importorskip("safetensors.numpy")

VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3)


def checkpoint(path: Path, **tensors: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    numpy_safetensors.save_file({name.replace("__", "."): value for name, value in tensors.items()}, path)
    return path


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_matrices(tmp_path: Path, kind: type[np.floating]) -> None:
    np.save(tmp_path / "v.npy", VECTORS.astype(kind))
    found = read_embeddings(find_embeddings(tmp_path / "v.npy"))
    assert found.dtype == kind
    assert found.tolist() == VECTORS.tolist()
    assert isinstance(found, np.memmap)


@pytest.mark.parametrize(
    "name",
    [
        "embeddings__word_embeddings__weight",
        "bert__embeddings__word_embeddings__weight",
        "model__embed_tokens__weight",
        "wte__weight",
        "shared__weight",
        "transformer__word_embedding__weight",
    ],
)
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_token_embeddings_are_found_by_name(tmp_path: Path, name: str, kind: type[np.floating]) -> None:
    others = {"embeddings__position_embeddings__weight": np.zeros((9, 3)), "pooler__weight": np.zeros((3, 3))}
    file = checkpoint(tmp_path / "model/model.safetensors", **others, **{name: VECTORS.astype(kind)})
    assert find_embeddings(tmp_path / "model") == file
    found = read_embeddings(file)
    assert (found.dtype, found.tolist()) == (kind, VECTORS.tolist())


def test_the_file_of_several_that_holds_them(tmp_path: Path) -> None:
    checkpoint(tmp_path / "model-00001-of-00002.safetensors", model__layers__0__weight=np.zeros((3, 3)))
    file = checkpoint(tmp_path / "model-00002-of-00002.safetensors", model__embed_tokens__weight=VECTORS)
    assert find_embeddings(tmp_path) == file
    copy = checkpoint(tmp_path / "model.fp16.safetensors", model__embed_tokens__weight=VECTORS)
    told = "model-00002-of-00002.safetensors and model.fp16.safetensors hold token embeddings: name one file"
    with pytest.raises(InputError, match=told):
        find_embeddings(tmp_path)
    assert find_embeddings(copy) == copy


def test_copies_of_decoders_are_not_taken(tmp_path: Path) -> None:
    zeros = np.zeros((4, 3), np.float32)
    file = checkpoint(
        tmp_path / "a.safetensors",
        decoder__word_embeddings__weight=zeros,
        bert__word_embeddings__weight=VECTORS,
        shared__weight=zeros,
    )
    assert read_embeddings(file).tolist() == VECTORS.tolist()


def test_bfloat16(tmp_path: Path) -> None:
    pytest.importorskip("ml_dtypes")
    content = (VECTORS.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    header = {"wte.weight": {"dtype": "BF16", "shape": [4, 3], "data_offsets": [0, len(content)]}}
    text = json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + content)
    assert read_embeddings(tmp_path / "a.safetensors").astype(np.float64).tolist() == VECTORS.tolist()


def test_what_holds_no_vectors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"{tmp_path}: no .safetensors file there to hold a tensor that ends"):
        find_embeddings(tmp_path)
    file = checkpoint(tmp_path / "a.safetensors", pooler__weight=VECTORS, swte__weight=VECTORS)
    with pytest.raises(InputError, match=r"none of a\.safetensors has a tensor that ends with word_embeddings"):
        find_embeddings(tmp_path)
    with pytest.raises(InputError, match=r"a\.safetensors: no tensor in it ends with word_embeddings\.weight or"):
        read_embeddings(file)
    for name in ("a.txt", "a.bin", "missing"):
        with pytest.raises(InputError, match=r"a folder with \.safetensors files, one of them, or a \.npy matrix"):
            find_embeddings(tmp_path / name)


@pytest.mark.parametrize(
    ("vectors", "told"),
    [
        (np.zeros(5), "5 of float64"),
        (np.zeros((1, 5)), "1 x 5 of float64"),
        (np.zeros((5, 1)), "5 x 1 of float64"),
        (np.zeros((5, 0)), "5 x 0 of float64"),
        (np.zeros((2, 3, 4)), "2 x 3 x 4 of float64"),
        (np.zeros((5, 5), np.int32), "5 x 5 of int32"),
        (np.zeros((5, 5), np.complex64), "5 x 5 of complex64"),
    ],
)
def test_what_is_no_matrix_of_floats(tmp_path: Path, vectors: np.ndarray, told: str) -> None:
    np.save(tmp_path / "v.npy", vectors)
    with pytest.raises(InputError, match=rf"v\.npy is {told}: two or more rows of two or more floats|v\.npy: "):
        read_embeddings(tmp_path / "v.npy")
    if vectors.size and not np.iscomplexobj(vectors):
        checkpoint(tmp_path / "v.safetensors", wte__weight=vectors)
        with pytest.raises(InputError, match=rf"v\.safetensors: wte\.weight is {told}: two or more rows"):
            read_embeddings(tmp_path / "v.safetensors")


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "evil"),)

    np.save(tmp_path / "v.npy", np.array([[Evil()]], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"v\.npy: "):
        read_embeddings(tmp_path / "v.npy")
    assert not (tmp_path / "evil").exists()


def test_damaged_files_are_named(tmp_path: Path) -> None:
    file = checkpoint(tmp_path / "a.safetensors", wte__weight=VECTORS)
    np.save(tmp_path / "a.npy", VECTORS)
    for path in (file, tmp_path / "a.npy"):
        path.write_bytes(path.read_bytes()[:-5])
        with pytest.raises(InputError, match=rf"{path}: "):
            read_embeddings(path)
        path.unlink()
        with pytest.raises(InputError, match=rf"{path}: "):
            read_embeddings(path)
