"""Whether a checkpoint and records speak of the same tokens."""

import hashlib
from pathlib import Path

from models.checkpoints.checkpoint import Checkpoint
from models.checkpoints.errors import CheckpointError

FILE = "vocab.txt"


def vocabulary_sha256(directory: Path) -> str | None:
    """Hexadecimal, of the `vocab.txt` in a checkpoint's directory with LF behind each token; None where there is none.

    It is the same whether the lines of the file end in LF or CR LF, and whether the last one ends at all.
    """
    try:
        content = (directory / FILE).read_bytes().replace(b"\r\n", b"\n")
    except FileNotFoundError:
        return None
    return hashlib.sha256(content if content.endswith(b"\n") else content + b"\n").hexdigest()


def check_vocabulary(checkpoint: Checkpoint, *, size: int, sha256: str) -> None:
    """Refuses a checkpoint for records of another vocabulary, of `size` tokens and hash `sha256`.

    Where no `vocab.txt` lies beside the checkpoint, the size alone can be compared. Raises CheckpointError.
    """
    directory = checkpoint.path if checkpoint.path.is_dir() else checkpoint.path.parent
    held = checkpoint.config.vocabulary_size
    if held != size:
        raise CheckpointError(
            f"{checkpoint.path}: its vocabulary has {held:,} tokens, and that of the records {size:,}: make the "
            f"records with {directory / FILE}"
        )
    if vocabulary_sha256(directory) not in (None, sha256):
        raise CheckpointError(
            f"{directory / FILE}: as long as the vocabulary of the records ({size:,} tokens), but not the same: make "
            f"the records with it"
        )
