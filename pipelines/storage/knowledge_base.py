"""Knowledge bases that were made: opened once a process, and known by a hash of their content."""

import functools
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import InputError
from pipelines.storage.commit import digest
from pipelines.storage.manifest import File, check_file, read_manifest
from transforms.knowledge_base import KnowledgeBase

NAME = "knowledge_base"


@dataclass(frozen=True, slots=True)
class KnownBase:
    """Where a knowledge base lies, and the hash of its content, by which another one is told from it."""

    directory: Path
    sha256: str

    @staticmethod
    def find(directory: Path, *, wanted: str | None, made: Path | str) -> "KnownBase":
        """The knowledge base of a folder; `wanted`: the hash of that with which `made` was made, if it is known.

        Raises InputError where there is none, or one of another hash.
        """
        mend = "name the folder of the right one with --kb DIR"
        known = f"{made} was made with the knowledge base {wanted}"
        try:
            found = knowledge_base_hash(directory)
        except InputError as error:
            raise InputError(f"{error}; {known}: {mend}" if wanted else f"{error}, or {mend}") from error
        if wanted not in (None, found):
            raise InputError(f"{directory}: the knowledge base there is {found}, and {known}: {mend}")
        return KnownBase(directory, found)


def knowledge_base_hash(directory: Path) -> str:
    """SHA-256 over the files of a finished knowledge base; raises InputError where there is none."""
    manifest = read_manifest(directory)
    if manifest is None:
        raise InputError(f"{directory}: no finished knowledge base there: run hanmill kb build")
    if manifest.get("job") != NAME:
        raise InputError(f"{directory}: holds no knowledge base but the output of {manifest.get('job')}")
    return digest([(part["name"], part["sha256"]) for part in manifest["parts"]])


def open_knowledge_base(directory: Path) -> KnowledgeBase:
    """Maps a finished knowledge base, whose files it reads; raises InputError for one that is missing or damaged."""
    return _open(directory, knowledge_base_hash(directory))


@functools.lru_cache(maxsize=1)
def _open(directory: Path, content_hash: str) -> KnowledgeBase:
    for part in read_manifest(directory)["parts"]:
        # Other bytes may still be arrays: numbers of other entities, which nothing would notice.
        if check_file(directory, File(**part)):
            path = directory / part["name"]
            raise InputError(f"{path}: missing or damaged: make the knowledge base anew, with hanmill kb build --fresh")
    return KnowledgeBase.open(directory)
