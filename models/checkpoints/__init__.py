"""Weights in and out: Google's TensorFlow checkpoints, Hugging Face directories, and our own."""

from models.checkpoints.checkpoint import Checkpoint
from models.checkpoints.errors import CheckpointError
from models.checkpoints.huggingface import save_huggingface
from models.checkpoints.loading import Loading, load
from models.checkpoints.opening import open_checkpoint
from models.checkpoints.own import CONFIG, load_own, save
from models.checkpoints.vocabulary import check_vocabulary, vocabulary_sha256

__all__ = [
    "CONFIG",
    "Checkpoint",
    "CheckpointError",
    "Loading",
    "check_vocabulary",
    "load",
    "load_own",
    "open_checkpoint",
    "save",
    "save_huggingface",
    "vocabulary_sha256",
]
