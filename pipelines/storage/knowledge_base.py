"""Knowledge bases that were made: opened once a process, and known by a hash of their content."""

import functools
from pathlib import Path

from pipelines.errors import InputError
from pipelines.storage.commit import digest
from pipelines.storage.manifest import MANIFEST, read_manifest
from transforms.knowledge_base import KnowledgeBase

NAME = "knowledge_base"


def knowledge_base_hash(directory: Path) -> str:
    """SHA-256 over the files of a finished knowledge base; raises InputError where there is none."""
    manifest = read_manifest(directory)
    if manifest is None:
        raise InputError(f"{directory}: no finished knowledge base there: run hanmill kb build")
    if manifest.get("job") != NAME:
        raise InputError(f"{directory}: holds no knowledge base but the output of {manifest.get('job')}")
    return digest([(part["name"], part["sha256"]) for part in manifest["parts"]])


def open_knowledge_base(directory: Path) -> KnowledgeBase:
    """Maps a finished knowledge base; raises InputError for one that is not there, or not whole."""
    return _open(directory, knowledge_base_hash(directory))


@functools.lru_cache(maxsize=1)
def _open(directory: Path, content_hash: str) -> KnowledgeBase:
    try:
        return KnowledgeBase.open(directory)
    except (OSError, EOFError, ValueError) as error:
        raise InputError(
            f"{directory}: not as {MANIFEST} says ({error}): hanmill verify tells more; run hanmill kb build again"
        ) from error
