"""What is known of a run: entries that tasks leave behind, the configuration they share, and the final manifest."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.storage.commit import AttemptFile, Whole, digest, remove, sync_folder, write_bytes, write_json

SHARDS = "_shards"  # one run file and one entry for each counted shard: what later runs need not count again
PARTS = "_parts"
PERFORMANCE_REPORT = "dask_report.html"
DEAD_LETTERS = "dead_letters.jsonl"
Describe = Callable[[], dict[str, Any]]
MANIFEST, RUN, SUCCESS, CONFIGURATION = "manifest.json", "run.json", "_SUCCESS", "configuration.json"


@dataclass(frozen=True, slots=True)
class File:
    """A committed file, or a range of one that begins at byte `offset`. `name`: relative to the output folder."""

    name: str
    sha256: str
    bytes: int
    records: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """What a task committed: small, as engines carry it. `labels`: what is added up by label."""

    fingerprint: str
    files: tuple[File, ...]
    totals: dict[str, int] = field(default_factory=dict)
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    dead_letters: File | None = None

    @staticmethod
    def of(content: bytes) -> "Entry":
        """The entry of its JSON form; raises ValueError, KeyError or TypeError if that is not as it was written."""
        value = dict(json.loads(content))
        if value.pop("sha256") != digest(value):
            raise ValueError("the checksum is wrong")
        files = tuple(File(**file) for file in value["files"])
        dead_letters = value["dead_letters"] and File(**value["dead_letters"])
        return Entry(value["fingerprint"], files, value["totals"], value["labels"], dead_letters)

    @property
    def all_files(self) -> tuple[File, ...]:
        """Runs or parts, and the dead letters if there are any."""
        return self.files if self.dead_letters is None else (*self.files, self.dead_letters)


def write_entry(folder: Path, entry: Entry, **more: Any) -> None:
    """Commits an entry; from then on its task need not run again."""
    content = {**asdict(entry), **more}
    write_json(folder / f"{entry.fingerprint}.json", {**content, "sha256": digest(content)}, indent=None)


def read_entry(folder: Path, fingerprint: str) -> Entry | None:
    """The entry of a task that was committed before, if its files have their sizes still."""
    path = folder / f"{fingerprint}.json"
    try:
        entry = Entry.of(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return entry if all(has_size(folder.parent, file) for file in entry.all_files) else None


def reduce_fingerprint(partition: int, entries: Iterable[Entry]) -> str:
    """What a reduce task is known by: its partition, and what it merges in the order of fingerprints."""
    return digest([partition, sorted(entry.fingerprint for entry in entries)])


def has_size(directory: Path, file: File) -> bool:
    """Whether a committed file is there and not shorter than it was."""
    try:
        return (directory / file.name).stat().st_size >= file.offset + file.bytes
    except OSError:
        return False


def read_json(path: Path) -> Any:
    """A JSON file, or None if it is not there or not whole."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def read_manifest(directory: Path) -> Any:
    """The manifest of a finished output, or None if there is none, or not the one that `_SUCCESS` stands for."""
    try:
        return parse_manifest((directory / MANIFEST).read_bytes(), (directory / SUCCESS).read_bytes())
    except OSError:
        return None


def parse_manifest(content: bytes, success: bytes) -> Any:
    """The manifest of a file's content, or None if it is not the one that the content of `_SUCCESS` stands for."""
    return json.loads(content) if success == _success(hashlib.sha256(content).hexdigest()) else None


def _success(digest: str) -> bytes:
    return f"{digest}\n".encode()


def check_configuration(
    directory: Path, configuration: dict[str, Any], *, name: str = f"{SHARDS}/{CONFIGURATION}"
) -> None:
    """Refuses a folder that holds the results of another configuration; the first run writes its own down, as `name`.

    Raises InputError that names each difference.
    """
    path = directory / name
    before = read_json(path)
    if before is None:
        write_json(path, configuration)
        return
    if before.get("job") != configuration.get("job"):
        other = before.get("job") or "word_count"
        raise InputError(f"{directory} holds the output of another job, {other}: name another --out, or add --fresh")
    names = sorted(name for name in {*before, *configuration} if before.get(name) != configuration.get(name))
    if names:
        told = "; ".join(f"{name}: {before.get(name)!r}, now {configuration.get(name)!r}" for name in names)
        raise InputError(f"{directory} holds a run with other options ({told}): name another --out, or add --fresh")


def listed(manifest: dict[str, Any]) -> list[File]:
    """All files of an output that its manifest lists: parts, what stands beside them, dead letters."""
    files = [*manifest.get("parts", []), *manifest.get("metadata", []), manifest.get("dead_letters")]
    return [File(**file) for file in files if file]


def retract(directory: Path) -> None:
    """Takes back that an output is finished, before anything of it changes."""
    remove(directory / SUCCESS)
    sync_folder(directory)


def clear(directory: Path) -> None:
    """Removes what runs left in an output folder, `_SUCCESS` first; other files stay."""
    parts = [file.name for file in listed(read_manifest(directory) or {})]
    retract(directory)
    for name in (*parts, MANIFEST, RUN, "report.html", PERFORMANCE_REPORT, DEAD_LETTERS):
        with contextlib.suppress(FileNotFoundError):
            (directory / name).unlink()
    for folder in (SHARDS, PARTS):
        shutil.rmtree(directory / folder, ignore_errors=True)
    (directory / SHARDS).mkdir(exist_ok=True)


def final_parts(directory: Path, files: Mapping[str, File]) -> tuple[list[Whole], list[dict[str, Any]]]:
    """Committed files, by the names that `publish` is to give them, and what the manifest lists of them."""
    parts = [Whole(directory / file.name, directory / name) for name, file in files.items()]
    return parts, [asdict(replace(file, name=name)) for name, file in files.items()]


def publish(
    directory: Path, attempts: Iterable[AttemptFile | Whole], manifest: dict[str, Any], describe: Describe, *, old: str
) -> None:
    """Replaces the output: `_SUCCESS` goes, new parts come in, old ones (`old`, a pattern) go, `_SUCCESS` comes last.

    `attempts` are synced files that lack only their names; `describe` tells what goes into `run.json`.
    """
    retract(directory)
    keep = set()
    for file in attempts:
        file.commit()
        keep.add(file.final.name)
    for path in directory.glob(old):
        if path.name not in keep:
            remove(path)
    complete(directory, manifest, describe)


def complete(directory: Path, manifest: dict[str, Any], describe: Describe) -> None:
    """Writes what tells of an output whose files are all in place: `_SUCCESS` comes last."""
    digest = write_json(directory / MANIFEST, manifest)
    write_json(directory / RUN, describe())
    write_bytes(directory / SUCCESS, _success(digest))


def verify(directory: Path) -> list[str]:
    """Reads every committed file of an output again; returns what is wrong, one line each.

    Raises InputError where there is no finished output.
    """
    manifest, success = directory / MANIFEST, directory / SUCCESS
    if not success.exists():
        raise InputError(f"{directory}: no finished output there (no {SUCCESS}): run the command that writes it again")
    wrong: list[str] = []
    files: list[File] = []
    content = read_manifest(directory)
    if content is None:
        wrong.append(f"{manifest}: differs from what {SUCCESS} says: run the same command again")
    else:
        files += listed(content)
        if read_json(directory / SHARDS / CONFIGURATION) != content.get("configuration"):
            wrong.append(f"{directory / SHARDS / CONFIGURATION}: differs from the manifest: remove it")
    for entry in (directory / SHARDS).glob("*.json"):
        if entry.name == CONFIGURATION:
            continue
        try:
            files += Entry.of(entry.read_bytes()).all_files
        except (ValueError, KeyError, TypeError):
            wrong.append(f"{entry}: not a whole entry: remove it, and the next run counts its shard again")
    wrong += [problem for file in files if (problem := check_file(directory, file))]
    return wrong


def file_of(directory: Path, name: str) -> File:
    """A file that is there, brought to the disk, as a manifest lists it."""
    with (directory / name).open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return File(name, digest, file.tell(), 0)


def check_file(directory: Path, file: File) -> str:
    """What is wrong with a committed file, or nothing."""
    try:
        check_range(directory, file)
    except FileNotFoundError:
        return f"{directory / file.name}: missing"
    except (OSError, InputError) as error:
        return str(error)
    return ""


def check_range(directory: Path, file: File) -> None:
    """Reads a committed file or range and raises InputError if its bytes are not those that were written."""
    path, left, digest = directory / file.name, file.bytes, hashlib.sha256()
    with path.open("rb") as handle:
        handle.seek(file.offset)
        while left and (piece := handle.read(min(left, 1 << 20))):
            digest.update(piece)
            left -= len(piece)
    if left or digest.hexdigest() != file.sha256:
        raise InputError(
            f"{path}: damaged between bytes {file.offset} and {file.offset + file.bytes}: remove it and run the same "
            "command again; what is whole is kept"
        )
