"""A small encoder to train from, saved as a user's checkpoint is."""

from pathlib import Path
from typing import Any

SIZES: dict[str, Any] = {
    "hidden": 16, "layers": 2, "heads": 2, "head_size": 8, "key_size": 8, "key_heads": 2, "value_heads": 2,
    "intermediate": 32, "embedding_size": 8, "positions": 64,
}  # fmt: skip


def write_checkpoint(directory: Path, vocabulary: Path, **changes: Any) -> Path:
    """A checkpoint of ours with random weights and this vocabulary; imports Keras."""
    from models.checkpoints import save
    from models.encoder import Encoder
    from models.encoder_config import EncoderConfig

    tokens = len(vocabulary.read_text("utf-8").split("\n")) - 1
    save(Encoder(EncoderConfig(**{"vocabulary_size": tokens, **SIZES, **changes})), directory)
    (directory / "vocab.txt").write_bytes(vocabulary.read_bytes())
    return directory
