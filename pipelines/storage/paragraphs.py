"""JSON files in SQuAD's format: a paragraph with its questions is a document, and any slice has its share of them."""

import json
from collections.abc import Iterator

import numpy as np

from pipelines.storage.batches import Batch, DeadLetter
from pipelines.storage.documents import read_document
from pipelines.storage.shards import Slice
from pipelines.storage.sources import Reading
from transforms.tasks.json_input import json_object, paragraphs
from transforms.tasks.record import BadRecord


def read_paragraphs(piece: Slice, reading: Reading) -> Iterator[Batch]:
    """The paragraphs of a slice, as JSON objects; a start is a paragraph's number in its file, from 0.

    The file is parsed as a whole, as its format allows nothing else; where paragraphs begin is taken as if all were
    equally long. A file that is none is a dead letter of the slice that begins with it.
    """
    source, first = piece.source, piece.begin == 0
    content, problem = read_document(source, reading.max_document_bytes)
    if problem:
        yield _failed(piece, [DeadLetter(source.place, 0, problem)] if first else [])
        return
    file = Batch(content, np.array([0, len(content)]), [""], [source.place], [0], [], source.encoding, strip_bom=True)
    texts, failures = file.texts(replace_errors=reading.errors == "replace")
    if failures:
        yield _failed(piece, failures if first else [])
        return
    try:
        found = list(paragraphs(json_object(texts[0])))
    except BadRecord as error:
        yield _failed(piece, [DeadLetter(source.place, 0, str(error))] if first else [])
        return
    data, ends, starts, dead = bytearray(), [0], [], []
    for number, (_, paragraph) in enumerate(found):
        # Of a source that does not tell its size there is one slice, of 0 bytes.
        if source.size and not piece.begin <= source.size * number // len(found) < piece.end:
            continue
        if isinstance(paragraph, BadRecord):
            dead.append(DeadLetter(source.place, number, str(paragraph)))
            continue
        data += json.dumps(paragraph).encode()
        ends.append(len(data))
        starts.append(number)
    labels = [source.label] * len(starts)
    yield Batch(data, np.array(ends), labels, [source.place], starts, dead, "utf-8")


def _failed(piece: Slice, dead: list[DeadLetter]) -> Batch:
    return Batch(b"", np.zeros(1, np.int64), [], [piece.source.place], [], dead, "utf-8")
