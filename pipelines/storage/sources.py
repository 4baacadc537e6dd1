"""What the INPUTs of a command name: document files, line files, archives, tables; local or by fsspec URL."""

import codecs
import fnmatch
import glob
import os
import re
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Literal

from pipelines.errors import InputError, UsageError

Format = Literal["document", "lines", "tsv", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = ("document", "lines", "tsv", "jsonl", "parquet")
PATTERNS = ("*.txt", "*.md")
PROBE_BYTES = 1 << 20
_COMPRESSIONS = {".gz": "gz", ".zst": "zst"}
_BY_SUFFIX: dict[str, Format] = {".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_URL = re.compile(r"[a-z0-9+]+://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """One file, or one member of an archive.

    `version`: what changes with the content (time of change, etag, or CRC). `encoding` is "auto" where every document
    is decided by itself. `member`: (offset of the local header, compressed bytes, method) inside a zip archive.
    `problem`: why a member cannot be read.
    """

    path: str
    label: str
    size: int
    version: str
    format: Format
    encoding: str
    compression: str = ""
    name: str = ""
    member: tuple[int, int, int] | None = None
    problem: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """What a fingerprint covers."""
        return (self.place, self.label, str(self.size), self.version, self.format, self.encoding, self.problem)

    @property
    def place(self) -> str:
        """How messages and dead letters call it: the path, with `!` before the member of an archive."""
        return f"{self.path}!{self.name}" if self.name else self.path


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


def discover(inputs: Sequence[str], reading: Reading) -> list[Source]:
    """The sources of all inputs, each once, ordered by place.

    Raises InputError for what is missing, unreadable or holds no document, UsageError for an unknown encoding.
    """
    check_encoding(reading.encoding)
    found: dict[str, Source] = {}
    for given in inputs:
        before = len(found)
        some = False
        for source in _sources(given, reading):
            some = True
            found.setdefault(source.place, source)
        if not some and before == len(found):
            raise InputError(
                f"{given}: no document there; directories are searched for {', '.join(reading.patterns)} (--pattern)"
            )
    return [found[place] for place in sorted(found)]


def check_encoding(encoding: str) -> None:
    """Raises UsageError for an encoding that Python does not know."""
    try:
        if encoding != "auto":
            codecs.lookup(encoding)
    except LookupError:
        raise UsageError(f"--encoding {encoding}: unknown; try auto, utf-8, gb18030, big5 or utf-16") from None


def _sources(given: str, reading: Reading) -> Iterator[Source]:
    if _URL.match(given):
        yield from _remote_sources(given, reading)
    elif os.path.lexists(given):
        yield from _local_sources(os.path.realpath(given), reading)
    elif glob.has_magic(given):
        matches = sorted(glob.glob(given, recursive=True))
        if not matches:
            raise InputError(f"{given}: nothing matches")
        for match in matches:
            yield from _local_sources(os.path.realpath(match), reading)
    else:
        raise InputError(f"{given}: no such file or directory")


def _local_sources(path: str, reading: Reading) -> Iterator[Source]:
    try:
        status = os.stat(path)
        if not stat.S_ISDIR(status.st_mode):
            if not os.access(path, os.R_OK):
                raise PermissionError(13, "no permission to read it")
            yield from _file_sources(path, os.path.basename(path), status.st_size, str(status.st_mtime_ns), reading)
            return
        name = os.path.basename(path)
        for relative, size, changed in _walk(path, "", reading.patterns, set()):
            folder = relative.partition("/")
            label = _readable(os.fsencode(folder[0] if folder[1] else name))
            yield Source(f"{path}/{relative}", label, size, str(changed), "document", reading.encoding)
    except OSError as error:
        raise InputError(f"{error.filename or path}: {error.strerror or error}") from error


def _walk(
    top: str, relative: str, patterns: Sequence[str], above: set[tuple[int, int]]
) -> Iterator[tuple[str, int, int]]:
    """Files below a folder that match, hidden ones skipped; a link that leads back up is not followed."""
    status = os.stat(os.path.join(top, relative))
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    with os.scandir(os.path.join(top, relative)) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            below = f"{relative}/{entry.name}" if relative else entry.name
            if entry.is_dir():
                yield from _walk(top, below, patterns, above | {here})
            elif _matches(below, patterns):
                if not os.access(entry.path, os.R_OK):
                    raise PermissionError(13, "no permission to read it", entry.path)
                status = entry.stat()
                yield below, status.st_size, status.st_mtime_ns


def _matches(relative: str, patterns: Sequence[str]) -> bool:
    name = relative.rpartition("/")[2]
    return any(fnmatch.fnmatchcase(relative if "/" in pattern else name, pattern) for pattern in patterns)


def _file_sources(path: str, name: str, size: int, version: str, reading: Reading) -> Iterator[Source]:
    """A single file that was named: an archive's members, or a file of lines, records or rows."""
    stem, suffix = os.path.splitext(name)
    compression = _COMPRESSIONS.get(suffix.lower(), "")
    if compression:
        stem, suffix = os.path.splitext(stem)
    if suffix.lower() == ".zip":
        yield from _members(path, stem, reading)
        return
    chosen = reading.format if reading.format != "auto" else _BY_SUFFIX.get(suffix.lower(), "lines")
    source = Source(path, stem or name, size, version, chosen, reading.encoding, compression)
    if (chosen == "jsonl" and reading.encoding == "auto") or chosen == "parquet":
        source = replace(source, encoding="utf-8")
    elif reading.encoding == "auto" and chosen in ("lines", "tsv"):
        source = replace(source, encoding=_probe(source))
    yield source


def _probe(source: Source) -> str:
    """Decides a line file once, from the whole lines of its first MiB: UTF-8, else GB18030."""
    from pipelines.storage.readers import open_source

    try:
        with open_source(source) as file:
            head = file.read(PROBE_BYTES)
    except (OSError, EOFError, ValueError):
        return "utf-8"  # a damaged file: the reader tells where
    if len(head) == PROBE_BYTES:
        head = head[: head.rfind(b"\n") + 1] or head
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
        return "utf-8"
    except UnicodeDecodeError:
        return "gb18030"


def _members(path: str, stem: str, reading: Reading) -> Iterator[Source]:
    """The documents of a zip archive, identified by their CRC; names without the UTF-8 flag may be UTF-8 or GB18030."""
    from pipelines.storage.readers import open_path

    try:
        with open_path(path) as file, zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{path}: not a whole zip archive ({error}): fetch it again") from error
    for info in infos:
        name = _member_name(info)
        parts = PurePosixPath(name).parts
        hidden = any(part.startswith(".") and part != ".." for part in parts)
        if info.is_dir() or hidden or "__MACOSX" in parts or not _matches(name, reading.patterns):
            continue
        label = parts[0] if len(parts) > 1 else stem
        problem = ""
        if ".." in parts or name.startswith("/"):
            label, problem = stem, "its name leads out of the archive"
        elif info.flag_bits & 1:
            problem = "it is encrypted"
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            problem = f"its compression method {info.compress_type} is not read here: repack the archive with deflate"
        member = (info.header_offset, info.compress_size, info.compress_type)
        version = f"{info.CRC:08x}"
        yield Source(path, label, info.file_size, version, "document", reading.encoding, "", name, member, problem)


def _member_name(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 0x800:
        return info.filename
    return _readable(info.filename.encode("cp437", "replace"))


def _readable(name: bytes) -> str:
    """A name of unknown encoding: UTF-8, else GB18030 as on old Chinese systems."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return name.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name.decode("latin-1")


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
            for name, below in sorted(filesystem.find(top, detail=True).items()):
                relative = name[len(top) :].lstrip("/")
                if any(part.startswith(".") for part in relative.split("/")) or not _matches(
                    relative, reading.patterns
                ):
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
