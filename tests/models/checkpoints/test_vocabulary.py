"""Checkpoints of another vocabulary are refused."""

import hashlib
from pathlib import Path

import pytest

from models.checkpoints import Checkpoint, CheckpointError, check_vocabulary, open_checkpoint, save, vocabulary_sha256
from models.encoder import Encoder
from tests.models.strategies import small

TOKENS = [f"token{number}" for number in range(40)]
SHA256 = hashlib.sha256("".join(f"{token}\n" for token in TOKENS).encode()).hexdigest()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    save(Encoder(small()), tmp_path)
    return open_checkpoint(tmp_path)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_the_same_tokens_pass(checkpoint: Checkpoint, end: str, last: bool) -> None:
    text = end.join(TOKENS) + (end if last else "")
    (checkpoint.path / "vocab.txt").write_bytes(text.encode())
    assert vocabulary_sha256(checkpoint.path) == SHA256
    check_vocabulary(checkpoint, size=40, sha256=SHA256)


def test_another_size_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="vocabulary has 40 tokens, and that of the records 21,128"):
        check_vocabulary(checkpoint, size=21128, sha256=SHA256)


def test_other_tokens_are_refused(checkpoint: Checkpoint) -> None:
    check_vocabulary(checkpoint, size=40, sha256=SHA256)  # nothing to compare with but the size
    (checkpoint.path / "vocab.txt").write_text("\n".join(reversed(TOKENS)))
    with pytest.raises(CheckpointError, match=r"vocab.txt: as long as the vocabulary of the records \(40 tokens\)"):
        check_vocabulary(checkpoint, size=40, sha256=SHA256)
