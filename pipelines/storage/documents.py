"""Document files and members of archives: small files, many to a batch."""

import os
from collections.abc import Iterable, Iterator

import numpy as np

from pipelines.storage import batches
from pipelines.storage.archives import read_member
from pipelines.storage.batches import Batch, DeadLetter
from pipelines.storage.listing import Source
from pipelines.storage.paths import open_path
from pipelines.storage.shards import Slice
from pipelines.storage.sources import Reading


def read_documents(pieces: Iterable[Slice], reading: Reading, encoding: str) -> Iterator[Batch]:
    """Small files, many to a batch."""
    data, ends, labels, places, dead = bytearray(), [0], [], [], []
    for piece in pieces:
        source = piece.source
        content, problem = read_document(source, reading.max_document_bytes)
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


def read_document(source: Source, limit: int) -> tuple[bytes | bytearray, str]:
    """The bytes of one file or member, or why there are none; no more than `limit` are held."""
    if source.problem:
        return b"", source.problem
    if source.size > limit:
        return b"", f"{source.size:,} bytes: more than --max-document-bytes {limit:,}"
    if source.member is not None:
        return read_member(source, limit)
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
