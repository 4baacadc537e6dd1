"""What a reader makes of inputs, as values that tests compare."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.storage.batches import DeadLetter
from pipelines.storage.readers import read_batches
from pipelines.storage.shards import Slice, whole
from pipelines.storage.sources import Reading, Source, discover
from transforms.decoding import decode

DEFAULT = Reading()


class Read(NamedTuple):
    """One document, its trailing newlines aside: they are not counted."""

    place: str
    start: int
    label: str
    text: str


def read(slices: Sequence[Slice], reading: Reading = DEFAULT) -> tuple[list[Read], list[DeadLetter]]:
    """All documents and dead letters of slices, in order; decoding is done as the job does it."""
    documents, dead = [], []
    for batch in read_batches(slices, reading):
        errors = "replace" if reading.errors == "replace" else "strict"
        decoded = decode(batch.data, batch.offsets, encoding=batch.encoding, errors=errors, strip_bom=batch.strip_bom)  # type: ignore[arg-type]
        text = decoded.points.tobytes().decode("utf-32-le")
        dead += batch.dead
        for item, (begin, end) in enumerate(itertools.pairwise(decoded.offsets.tolist())):
            place = batch.places[item] if len(batch.places) > 1 else batch.places[0]
            if item in decoded.failures:
                dead.append(batch.dead_letter(item, decoded.failures[item]))
            else:
                start = int(batch.starts[item])
                documents.append(Read(place, start, batch.labels[item], text[begin:end].rstrip("\r\n")))
        assert len(batch.labels) == len(batch.offsets) - 1 == len(batch.starts)
    return documents, dead


def read_sources(sources: Iterable[Source], reading: Reading = DEFAULT) -> tuple[list[Read], list[DeadLetter]]:
    return read([whole(source) for source in sources], reading)


def read_inputs(*inputs: Path | str, reading: Reading = DEFAULT) -> tuple[list[Read], list[DeadLetter]]:
    """What is in inputs, as they are named on a command line."""
    return read_sources(discover([str(given) for given in inputs], reading), reading)


def texts(*inputs: Path | str, reading: Reading = DEFAULT) -> list[str]:
    """The texts of inputs that hold no bad record."""
    documents, dead = read_inputs(*inputs, reading=reading)
    assert dead == []
    return [document.text for document in documents]
