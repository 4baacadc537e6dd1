"""What a checkpoint tells of itself."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.checkpoints import Checkpoint
from tests.models.strategies import small


def checkpoint(owner: Any, **fields: Any) -> Checkpoint:
    return Checkpoint(Path("/a/b"), owner, small(**fields), {}, np.zeros)


@pytest.mark.parametrize(
    ("owner", "fields", "told"),
    [
        ("google", {}, "a Google TensorFlow checkpoint, BERT, 2 layers of 12, 3 heads, vocabulary 40"),
        ("huggingface", {"share_layers": True}, "a Hugging Face directory, ALBERT, 2 layers of 12"),
        ("hanmill", {"attention": "talking-heads"}, "a checkpoint of hanmill, BERT, .*, talking-heads"),
    ],
)
def test_its_words_name_what_was_found(owner: str, fields: dict[str, Any], told: str) -> None:
    assert re.match(f"/a/b: {told}", str(checkpoint(owner, **fields)))


def test_hugging_face_alone_transposes_kernels() -> None:
    for owner in ("google", "huggingface", "hanmill"):
        assert checkpoint(owner).transposes("encoder/block_0/output/kernel") == (owner == "huggingface")
        assert not checkpoint(owner).transposes("encoder/embeddings/token")


def test_our_names_are_kept() -> None:
    ours = checkpoint("hanmill")
    for name in ("encoder/block_0/attention/mix_before/kernel", "text_classification/classes/kernel"):
        assert ours.name_of(name) == name
        assert ours.is_encoder(name) == name.startswith("encoder/")
