"""What readers give: batches of documents as raw bytes, and dead letters for records that cannot be counted."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from transforms.decoding import decode

BATCH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be counted: where it begins and why.

    `offset`: bytes into the source, decompressed, and as UTF-8 where that is UTF-16 or UTF-32; rows into a table,
    paragraphs into a file of reading comprehension.
    """

    source: str
    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Documents back to back, document i at `data[offsets[i]:offsets[i + 1]]`, int64 [documents + 1].

    `labels`: one for each document. `places`, `starts`: source and byte offset of each; one place may stand for all.
    """

    data: bytes | bytearray
    offsets: npt.NDArray[np.int64]
    labels: Sequence[str]
    places: Sequence[str]
    starts: Sequence[int] | npt.NDArray[np.int64]
    dead: Sequence[DeadLetter]
    encoding: str
    strip_bom: bool = False

    def position(self, document: int) -> tuple[str, int]:
        """Source and offset of one of the documents."""
        return self.places[document] if len(self.places) > 1 else self.places[0], int(self.starts[document])

    def dead_letter(self, document: int, reason: str) -> DeadLetter:
        """The dead letter of one of the documents."""
        return DeadLetter(*self.position(document), reason)

    def texts(self, *, replace_errors: bool = False) -> tuple[dict[int, str], list[DeadLetter]]:
        """The documents by number, lines without their ends, and dead letters of those that cannot be decoded."""
        errors: Literal["strict", "replace"] = "replace" if replace_errors else "strict"
        decoded = decode(self.data, self.offsets, encoding=self.encoding, errors=errors, strip_bom=self.strip_bom)
        whole = decoded.points.tobytes().decode("utf-32-le")
        texts = {
            document: whole[begin:end].rstrip("\r\n")
            for document, (begin, end) in enumerate(itertools.pairwise(decoded.offsets.tolist()))
            if document not in decoded.failures
        }
        return texts, [self.dead_letter(document, reason) for document, reason in decoded.failures.items()]
