"""Finds out what a checkpoint is by looking at its files."""

from pathlib import Path

from models.checkpoints import google, huggingface, own
from models.checkpoints.checkpoint import Checkpoint
from models.checkpoints.errors import CheckpointError


def open_checkpoint(path: str | Path, *, config: Path | None = None) -> Checkpoint:
    """Our own or a Hugging Face directory, or a Google TensorFlow checkpoint: its directory, or the path of its files.

    config: the JSON file of a Google checkpoint, where there is not exactly one beside it. Nothing but names, shapes
    and config is read yet. Raises CheckpointError that says what was found, and what to pass.
    """
    path = Path(path)
    if path.is_dir():
        if (path / own.CONFIG).exists():
            return own.read_own(path)
        if indices := sorted(path.glob("*.index")):
            if len(indices) > 1:
                names = ", ".join(index.stem for index in indices)
                raise CheckpointError(f"{path}: holds several TensorFlow checkpoints, {names}: pass the path of one")
            return google.read_google(indices[0].with_suffix(""), config=config)
        if (path / huggingface.CONFIG).exists():
            return huggingface.read_huggingface(path)
        if (path / own.WEIGHTS).exists():
            raise CheckpointError(
                f"{path}: weights without {own.CONFIG}: of a light model, which has no encoder, or not whole"
            )
        raise CheckpointError(
            f"{path}: no checkpoint: it has neither {own.CONFIG} (ours), nor {huggingface.CONFIG} (Hugging Face), nor "
            f"a .index file (TensorFlow)"
        )
    prefix = path.with_suffix("") if path.suffix in (".index", ".meta") else path
    if prefix.with_name(f"{prefix.name}.index").exists():
        return google.read_google(prefix, config=config)
    if path.exists():
        raise CheckpointError(f"{path}: a file: pass the directory that holds it and its config")
    raise CheckpointError(f"{path}: there is no such directory, and no TensorFlow checkpoint of that name")
