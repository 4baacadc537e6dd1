"""What the INPUTs of a command name: document files, line files, archives, tables; local or by fsspec URL."""

import codecs
import errno
import fnmatch
import functools
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
from pipelines.storage.manifest import SHARDS
from pipelines.storage.paths import open_path
from pipelines.storage.streams import open_source
from transforms.decoding import codec_name

Format = Literal["document", "lines", "tsv", "jsonl", "parquet", "pairs"]
PATTERNS = ("*.txt", "*.md")
PROBE_BYTES = 1 << 20
_COMPRESSIONS = {".gz": "gz", ".zst": "zst"}
_BY_SUFFIX: dict[str, Format] = {".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_URL = re.compile(r"[a-z0-9+]+://", re.IGNORECASE)
_LOCAL_URL = re.compile(r"^(file|local)://", re.IGNORECASE)  # by path, or the same file could count twice


@dataclass(frozen=True, slots=True)
class Source:
    """One file, one member of an archive, or a stretch of the random numbers that a job draws (format "pairs").

    `version`: what changes with the content (time of change, etag, or CRC). `encoding` is "auto" where every document
    is decided by itself. `member`: (offset of the local header, compressed bytes, method) inside a zip archive.
    `problem`: why a member cannot be read. `split`: the part of a data set that it was named for, if any.
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
    split: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """What a fingerprint covers."""
        return (
            self.place,
            self.label,
            str(self.size),
            self.version,
            self.format,
            self.encoding,
            self.problem,
            self.split,
        )

    @property
    def wide(self) -> bool:
        """Whether characters are two or four bytes wide, so that byte `\\n` may be half of one."""
        return self.encoding.startswith(("utf-16", "utf-32"))

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
    reading = replace(reading, encoding=check_encoding(reading.encoding))
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


def check_encoding(encoding: str) -> str:
    """Python's name of an encoding, or "auto"; raises UsageError for one that it does not know."""
    try:
        return codec_name(encoding)
    except LookupError as error:
        raise UsageError(f"--encoding: {error}") from None


def _sources(given: str, reading: Reading) -> Iterator[Source]:
    given = _LOCAL_URL.sub("", given)
    if _URL.match(given):
        yield from _remote_sources(given, reading)
    elif os.path.lexists(given):
        yield from _local_sources(given, reading)
    elif glob.has_magic(given):
        matches = sorted(glob.glob(given, recursive=True))
        if not matches:
            raise InputError(f"{given}: nothing matches")
        for match in matches:
            yield from _local_sources(match, reading)
    else:
        raise InputError(f"{given}: no such file or directory")


def _local_sources(given: str, reading: Reading) -> Iterator[Source]:
    path, name = os.path.realpath(given), os.path.basename(os.path.abspath(given))
    try:
        status = os.stat(path)
        if not stat.S_ISDIR(status.st_mode):
            _check_file(path, status)
            yield from _file_sources(path, name, status.st_size, str(status.st_mtime_ns), reading)
            return
        for relative, size, changed in _walk(path, "", reading.patterns, set()):
            folder = relative.partition("/")
            label = _label(folder[0] if folder[1] else name)
            yield Source(f"{path}/{relative}", label, size, str(changed), "document", reading.encoding)
    except OSError as error:
        raise InputError(f"{error.filename or path}: {error.strerror or error}") from error


def _walk(
    top: str, relative: str, patterns: Sequence[str], above: set[tuple[int, int]]
) -> Iterator[tuple[str, int, int]]:
    """Files below a folder that match, hidden ones skipped; a link that leads back up is not followed.

    Nor is a folder that a job writes its output to: else records would be made of their own card and vocabulary.
    """
    status = os.stat(os.path.join(top, relative))
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    if os.path.isdir(os.path.join(top, relative, SHARDS)):
        return
    with os.scandir(os.path.join(top, relative)) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            below = f"{relative}/{entry.name}" if relative else entry.name
            if entry.is_dir():
                yield from _walk(top, below, patterns, above | {here})
            elif _matches(below, patterns):
                status = entry.stat()
                _check_file(entry.path, status)
                yield below, status.st_size, status.st_mtime_ns


def _check_file(path: str, status: os.stat_result) -> None:
    """Raises OSError for what cannot be read, or not twice: a pipe would be empty, or wait, the second time."""
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file: write what it gives to one first", path)
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, "no permission to read it", path)


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
    if compression and chosen not in ("lines", "tsv", "jsonl"):
        raise InputError(f"{path}: only lines, tsv and jsonl are read compressed, not {chosen}: unpack it first")
    source = Source(path, _label(stem or name), size, version, chosen, reading.encoding, compression)
    if chosen == "parquet":
        source = replace(source, encoding="utf-8")
    elif reading.encoding == "auto" and chosen != "document":
        source = replace(source, encoding=_probe(source))
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


def _members(path: str, stem: str, reading: Reading) -> Iterator[Source]:
    """The documents of a zip archive, identified by their CRC; names without the UTF-8 flag may be UTF-8 or GB18030."""
    try:
        with open_path(path) as file, zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise InputError(f"{path}: not a whole zip archive ({error}): fetch it again") from error
    last = {_member_name(info): info for info in infos}
    for info in infos:
        name = _member_name(info)
        parts = PurePosixPath(name).parts
        hidden = any(part.startswith(".") and part != ".." for part in parts)
        if name.endswith("/") or hidden or "__MACOSX" in parts or not _matches(name, reading.patterns):
            continue
        label = parts[0] if len(parts) > 1 else _label(stem)
        problem = ""
        if last[name] is not info:  # unpacked, the last one would be left
            name, problem = f"{name}@{info.header_offset}", "the archive holds a later member of the same name"
        elif ".." in parts or name.startswith("/"):
            label, problem = _label(stem), "its name leads out of the archive"
        elif info.flag_bits & 1:
            problem = "it is encrypted"
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            problem = f"its compression method {info.compress_type} is not read here: repack the archive with deflate"
        member = (info.header_offset, info.compress_size, info.compress_type)
        version = f"{info.CRC:08x}"
        yield Source(path, label, info.file_size, version, "document", reading.encoding, "", name, member, problem)


def _member_name(info: zipfile.ZipInfo) -> str:
    try:
        return info.filename if info.flag_bits & 0x800 else _readable(info.filename.encode("cp437"))
    except UnicodeEncodeError:  # a name that Python took from the Unicode field beside it
        return info.filename


@functools.lru_cache(maxsize=1024)  # one text for all files of a folder, which are many
def _label(name: str) -> str:
    """A file's or folder's name as a label, which must be text whatever bytes the name is made of."""
    return _readable(os.fsencode(name))


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
