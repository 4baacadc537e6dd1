"""Slices to documents, in batches of raw bytes: one large buffer, never an object a document where bytes will do."""

import itertools
from collections.abc import Callable, Iterator, Sequence

from pipelines.errors import InputError
from pipelines.storage.batches import Batch
from pipelines.storage.documents import read_documents
from pipelines.storage.lines import read_jsonl, read_lines, read_tsv
from pipelines.storage.paragraphs import read_paragraphs
from pipelines.storage.rows import read_parquet
from pipelines.storage.shards import Slice
from pipelines.storage.sources import Reading

_FORMATS: dict[str, Callable[[Slice, Reading], Iterator[Batch]]] = {
    "lines": read_lines,
    "tsv": read_tsv,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "paragraphs": read_paragraphs,
}


def read_batches(slices: Sequence[Slice], reading: Reading) -> Iterator[Batch]:
    """The documents of a shard, in batches of one encoding each.

    Raises InputError when an input that was listed cannot be opened any more.
    """
    for (kind, encoding), group in itertools.groupby(
        slices, lambda piece: (piece.source.format, piece.source.encoding)
    ):
        pieces = list(group)
        try:
            if kind == "document":
                yield from read_documents(pieces, reading, encoding)
            else:
                for piece in pieces:
                    yield from _FORMATS[kind](piece, reading)
        except OSError as error:
            place = error.filename or pieces[0].source.place
            raise InputError(f"{place}: {error.strerror or error}, though it was there when the run began") from error
