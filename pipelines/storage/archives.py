"""Zip archives of documents: which members there are, and each one's bytes, found by its offset."""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from pipelines.errors import InputError
from pipelines.storage.listing import Source
from pipelines.storage.paths import open_path, readable

_LOCAL_HEADER = 30


def list_members(path: str, label: str, encoding: str, *, wanted: Callable[[str], bool]) -> Iterator[Source]:
    """The members of an archive that are wanted by name, identified by their CRC, in the archive's order.

    `label`: of members in no folder. Names without the UTF-8 flag may be UTF-8 or GB18030. Raises InputError for what
    is no whole archive.
    """
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
        if name.endswith("/") or hidden or "__MACOSX" in parts or not wanted(name):
            continue
        folder, problem = parts[0] if len(parts) > 1 else label, ""
        if last[name] is not info:  # unpacked, the last one would be left
            name, problem = f"{name}@{info.header_offset}", "the archive holds a later member of the same name"
        elif ".." in parts or name.startswith("/"):
            folder, problem = label, "its name leads out of the archive"
        elif info.flag_bits & 1:
            problem = "it is encrypted"
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            problem = f"its compression method {info.compress_type} is not read here: repack the archive with deflate"
        member = (info.header_offset, info.compress_size, info.compress_type)
        version = f"{info.CRC:08x}"
        yield Source(path, folder, info.file_size, version, "document", encoding, "", name, member, problem)


def read_member(source: Source, limit: int) -> tuple[bytes | bytearray, str]:
    """The bytes of a member, or why there are none; no more than `limit` are held.

    By its offset, as reading an archive's whole index for a shard takes seconds.
    """
    assert source.member is not None
    offset, compressed, method = source.member
    with open_path(source.path) as file:
        file.seek(offset)
        header = file.read(_LOCAL_HEADER)
        if len(header) < _LOCAL_HEADER or header[:4] != b"PK\x03\x04":
            return b"", "damaged archive: there is no member at its offset"
        file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), os.SEEK_CUR)
        content, left, unpack = bytearray(), compressed, zlib.decompressobj(-zlib.MAX_WBITS)
        while left and len(content) <= limit:  # in pieces, as the archive may lie about both sizes
            block = file.read(min(left, 1 << 20))
            if not block:
                return b"", "damaged archive: the member is cut off"
            left -= len(block)
            try:
                content += block if method == zipfile.ZIP_STORED else unpack.decompress(block, limit + 1 - len(content))
            except zlib.error as error:
                return b"", f"damaged archive: {error}"
    if len(content) > limit:
        return b"", f"more than --max-document-bytes {limit:,}, whatever the archive says"
    if len(content) != source.size or f"{zlib.crc32(content):08x}" != source.version:
        return b"", "damaged archive: size or CRC of the member is wrong"
    return content, ""


def _member_name(info: zipfile.ZipInfo) -> str:
    try:
        return info.filename if info.flag_bits & 0x800 else readable(info.filename.encode("cp437"))
    except UnicodeEncodeError:  # a name that Python took from the Unicode field beside it
        return info.filename
