"""Document files and members of archives: small files, many to a batch."""

import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator

import numpy as np

from pipelines.storage import batches
from pipelines.storage.batches import Batch, DeadLetter
from pipelines.storage.paths import open_path
from pipelines.storage.shards import Slice
from pipelines.storage.sources import Reading, Source

_LOCAL_HEADER = 30


def read_documents(pieces: Iterable[Slice], reading: Reading, encoding: str) -> Iterator[Batch]:
    """Small files, many to a batch."""
    data, ends, labels, places, dead = bytearray(), [0], [], [], []
    for piece in pieces:
        source = piece.source
        content, problem = _document(source, reading.max_document_bytes)
        if problem:
            dead.append(DeadLetter(source.place, 0, problem))
            continue
        data += content
        ends.append(len(data))
        labels.append(source.label)
        places.append(source.place)
        if len(data) >= batches.BATCH_BYTES:
            yield Batch(data, np.array(ends), labels, places, [0] * len(labels), dead, encoding, strip_bom=True)
            data, ends, labels, places, dead = bytearray(), [0], [], [], []
    if labels or dead:
        yield Batch(data, np.array(ends), labels, places, [0] * len(labels), dead, encoding, strip_bom=True)


def _document(source: Source, limit: int) -> tuple[bytes | bytearray, str]:
    """The bytes of one document, or why there are none; no more than `limit` are held."""
    if source.problem:
        return b"", source.problem
    if source.size > limit:
        return b"", f"{source.size:,} bytes: more than --max-document-bytes {limit:,}"
    if source.member is not None:
        return _member(source, limit)
    if "://" in source.path:
        with open_path(source.path) as file:
            content = file.read(limit + 1)
    else:
        descriptor = os.open(source.path, os.O_RDONLY)
        try:
            # One byte more than was listed: an answer of just that size is the whole file, without asking again.
            content = os.read(descriptor, source.size + 1)
            while source.size != len(content) <= limit and (more := os.read(descriptor, 1 << 20)):
                content += more
        finally:
            os.close(descriptor)
    if len(content) > limit:
        return b"", f"more than --max-document-bytes {limit:,}: the file has grown since it was listed"
    return content, ""


def _member(source: Source, limit: int) -> tuple[bytes | bytearray, str]:
    """One member of a zip archive, found by its offset: reading the archive's whole index for a shard takes seconds."""
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
