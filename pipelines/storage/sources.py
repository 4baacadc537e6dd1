"""What the INPUTs of a command name: document files, line files, archives, tables; local or by fsspec URL."""

import codecs
import contextlib
import errno
import fnmatch
import glob
import itertools
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Literal

from pipelines.errors import InputError, UsageError
from pipelines.storage.archives import list_members
from pipelines.storage.listing import Format, Listing, Source, in_order, listing_of
from pipelines.storage.manifest import SHARDS
from pipelines.storage.paths import label_of
from pipelines.storage.streams import open_source
from transforms.decoding import codec_name

Matcher = Callable[[str], bool]
PATTERNS = ("*.txt", "*.md")
PROBE_BYTES = 1 << 20
_COMPRESSIONS = {".gz": "gz", ".zst": "zst"}
_BY_SUFFIX: dict[str, Format] = {".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_URL = re.compile(r"[a-z0-9+]+://", re.IGNORECASE)
_LOCAL_URL = re.compile(r"^(file|local)://", re.IGNORECASE)  # by path, or the same file could count twice


@dataclass(frozen=True, slots=True)
class Reading:
    """How inputs are read: the options of the command line that decide what a document is."""

    encoding: str = "auto"
    errors: Literal["dead-letter", "replace"] = "dead-letter"
    format: Format | Literal["auto"] = "auto"
    patterns: tuple[str, ...] = PATTERNS
    text_field: str = "text"
    label_field: str = "label"
    id_field: str = "id"
    max_document_bytes: int = 64 << 20


def discover(inputs: Sequence[str], reading: Reading) -> Listing:
    """The sources of all inputs, each once; of two for one place that of the input named first.

    Raises InputError for what is missing, unreadable or holds no document, UsageError for an unknown encoding.
    """
    reading = replace(reading, encoding=check_encoding(reading.encoding))
    found = in_order([_some(given, reading) for given in inputs])
    return listing_of(next(same) for _, same in itertools.groupby(found, attrgetter("place")))


def check_encoding(encoding: str) -> str:
    """Python's name of an encoding, or "auto"; raises UsageError for one that it does not know."""
    try:
        return codec_name(encoding)
    except LookupError as error:
        raise UsageError(f"--encoding: {error}") from None


def _some(given: str, reading: Reading) -> Iterator[Source]:
    source = None
    for source in in_order(_listings(given, reading)):
        # Files below a folder and members of an archive are not named one by one, nor is what they hold.
        yield source._replace(format="paragraphs") if reading.format == "paragraphs" else source
    if source is None:
        raise InputError(
            f"{given}: no document there; directories are searched for {', '.join(reading.patterns)} (--pattern)"
        )


def _listings(given: str, reading: Reading) -> Iterator[Iterable[Source]]:
    """What an input names, each in order."""
    given = _LOCAL_URL.sub("", given)
    if _URL.match(given):
        yield sorted(_remote_sources(given, reading), key=attrgetter("place"))
    elif os.path.lexists(given):
        yield _local_sources(given, reading)
    elif glob.has_magic(given):
        matches = sorted(glob.glob(given, recursive=True))
        if not matches:
            raise InputError(f"{given}: nothing matches")
        for match in matches:
            yield _local_sources(match, reading)
    else:
        raise InputError(f"{given}: no such file or directory")


def _local_sources(given: str, reading: Reading) -> Iterable[Source]:
    path, name = os.path.realpath(given), os.path.basename(os.path.abspath(given))
    with _named_errors(path):
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            return _documents(path, label_of(name), reading)
        _check_file(path, status)
        return list(_file_sources(path, name, status.st_size, str(status.st_mtime_ns), reading))


def _documents(top: str, label: str, reading: Reading) -> Iterator[Source]:
    with _named_errors(top):
        yield from _walk(top, "", label, _matcher(reading.patterns), reading.encoding, frozenset())


@contextlib.contextmanager
def _named_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{error.filename or path}: {error.strerror or error}") from error


def _walk(
    folder: str, relative: str, label: str, wanted: Matcher, encoding: str, above: frozenset[tuple[int, int]]
) -> Iterator[Source]:
    """Files below a folder that are wanted, hidden ones skipped; a link that leads back up is not followed.

    Nor is a folder that a job writes its output to: else records would be made of their own card and vocabulary.
    `relative`: the folder below the input, with a `/` behind it. Files just below the input have its `label`.
    """
    status = os.stat(folder)
    here = (status.st_dev, status.st_ino)
    if here in above or os.path.isdir(os.path.join(folder, SHARDS)):
        return
    with os.scandir(folder) as entries:
        # With the `/` that follows a folder's name in the paths below it, the order is that of whole paths.
        found = sorted((f"{entry.name}/" if entry.is_dir() else entry.name, entry) for entry in entries)
    for name, entry in found:
        if name.startswith("."):
            continue
        if name.endswith("/"):
            inner = label if relative else label_of(entry.name)
            yield from _walk(entry.path, relative + name, inner, wanted, encoding, above | {here})
        elif wanted(relative + name):
            status = entry.stat()
            _check_file(entry.path, status)
            yield Source(entry.path, label, status.st_size, str(status.st_mtime_ns), "document", encoding)


def _check_file(path: str, status: os.stat_result) -> None:
    """Raises OSError for what cannot be read, or not twice: a pipe would be empty, or wait, the second time."""
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file: write what it gives to one first", path)
    everybody = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
    if status.st_mode & everybody != everybody and not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, "no permission to read it", path)


def _matcher(patterns: Sequence[str]) -> Matcher:
    """Whether a path below an input matches: patterns with a `/` as a whole, others by its last name."""
    whole = _one_of([pattern for pattern in patterns if "/" in pattern])
    last = _one_of([pattern for pattern in patterns if "/" not in pattern])
    return lambda relative: bool(last(relative.rpartition("/")[2]) or whole(relative))


def _one_of(patterns: Sequence[str]) -> Callable[[str], object]:
    return re.compile("|".join(map(fnmatch.translate, patterns)) if patterns else r"(?!)").match


def _file_sources(path: str, name: str, size: int, version: str, reading: Reading) -> Iterator[Source]:
    """A single file that was named: an archive's members, or a file of lines, records or rows."""
    stem, suffix = os.path.splitext(name)
    compression = _COMPRESSIONS.get(suffix.lower(), "")
    if compression:
        stem, suffix = os.path.splitext(stem)
    if suffix.lower() == ".zip":
        members = list_members(path, label_of(stem), reading.encoding, wanted=_matcher(reading.patterns))
        yield from sorted(members, key=attrgetter("place"))
        return
    chosen = reading.format if reading.format != "auto" else _BY_SUFFIX.get(suffix.lower(), "lines")
    if compression and chosen not in ("lines", "tsv", "jsonl"):
        raise InputError(f"{path}: only lines, tsv and jsonl are read compressed, not {chosen}: unpack it first")
    source = Source(path, label_of(stem or name), size, version, chosen, reading.encoding, compression)
    if chosen == "parquet":
        source = source._replace(encoding="utf-8")
    elif reading.encoding == "auto" and chosen not in ("document", "paragraphs"):
        source = source._replace(encoding=_probe(source))
    yield source


def _probe(source: Source) -> str:
    """Decides a line file once, from its first MiB: UTF-8 if most lines beyond ASCII decode so, else GB18030.

    Most, not all: one bad line in a file of UTF-8 must not turn the others into other characters.
    """
    try:
        with open_source(source) as file:
            head = file.read(PROBE_BYTES)
    except (OSError, EOFError, ValueError):
        return "utf-8"  # a damaged file: the reader tells where
    lines = [line for line in head.split(b"\n") if not line.isascii()]
    return "utf-8" if 2 * sum(map(_begins_utf8, lines)) >= len(lines) else "gb18030"


def _begins_utf8(line: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(line)  # the last line may be cut inside a character
    except UnicodeDecodeError:
        return False
    return True


def _remote_sources(url: str, reading: Reading) -> Iterator[Source]:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
        if glob.has_magic(path):
            found = [filesystem.info(match) for match in sorted(filesystem.glob(path))]
        else:
            found = [filesystem.info(path)]
        for info in found:
            if info["type"] != "directory":
                name = info["name"].rstrip("/").rpartition("/")[2]
                full = filesystem.unstrip_protocol(info["name"])
                yield from _file_sources(full, name, info["size"] or 0, _remote_version(info), reading)
                continue
            top = info["name"].rstrip("/")
            wanted = _matcher(reading.patterns)
            for name, below in filesystem.find(top, detail=True).items():
                relative = name[len(top) :].lstrip("/")
                if any(part.startswith(".") for part in relative.split("/")) or not wanted(relative):
                    continue
                folder = relative.partition("/")
                label = folder[0] if folder[1] else top.rpartition("/")[2]
                full = filesystem.unstrip_protocol(name)
                yield Source(full, label, below["size"] or 0, _remote_version(below), "document", reading.encoding)
    except (ImportError, OSError, ValueError) as error:
        raise InputError(f"{url}: {error or type(error).__name__}") from error


def _remote_version(info: dict[str, Any]) -> str:
    for key in ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created"):
        if info.get(key) is not None:
            return f"{key} {info[key]}"
    return ""
