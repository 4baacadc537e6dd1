"""What the tests compare of an output folder."""

from pathlib import Path

from pipelines.storage.commit import ATTEMPT, LOCK
from pipelines.storage.manifest import CONFIGURATION, MANIFEST, PARTS, RUN, SHARDS, SUCCESS, check_file, read_entry
from pipelines.storage.manifest import verify as verify

DEAD_LETTERS = "dead_letters.jsonl"


def results(directory: Path) -> dict[str, bytes]:
    """The files that are the same whoever made them: parts, manifest and dead letters."""
    found = [*directory.glob("*.parquet"), directory / MANIFEST, directory / DEAD_LETTERS]
    return {path.name: path.read_bytes() for path in found if path.exists()}


def visible(directory: Path) -> dict[str, bytes]:
    """What a reader finds by name, but for `run.json`, which tells of times, and the files of reduce."""
    paths = [path for path in directory.rglob("*") if path.is_file() and not path.name.endswith(ATTEMPT)]
    names = {path: str(path.relative_to(directory)) for path in paths}
    return {
        name: path.read_bytes()
        for path, name in names.items()
        if name not in (RUN, LOCK) and not name.startswith(f"{PARTS}/")
    }


def entries(directory: Path, folder: str = SHARDS) -> list[Path]:
    """The files of the entries of committed tasks."""
    return sorted(path for path in (directory / folder).glob("*.json") if path.name != CONFIGURATION)


def half_entries(directory: Path) -> list[str]:
    """What is wrong with tasks that a later run would not do again."""
    read = [
        read_entry(directory / folder, path.stem) for folder in (SHARDS, PARTS) for path in entries(directory, folder)
    ]
    files = [file for entry in read if entry is not None for file in entry.all_files]
    return [wrong for file in files if (wrong := check_file(directory, file))]


def left_over(directory: Path) -> list[str]:
    """What a finished run should have cleared away."""
    kept = {path.stem for path in entries(directory)}
    return [
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if path.name.endswith(ATTEMPT)
        or path.name in (LOCK, PARTS)
        or (path.parent.name == SHARDS and path.name != CONFIGURATION and path.name.partition(".")[0] not in kept)
    ]


def finished(directory: Path) -> bool:
    """Whether the output says that it is whole."""
    return (directory / SUCCESS).exists()
