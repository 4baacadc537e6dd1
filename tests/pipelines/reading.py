"""Inputs as tests make them, and what a reader makes of them, as values to compare."""

import itertools
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.storage.batches import DeadLetter
from pipelines.storage.listing import Source
from pipelines.storage.readers import read_batches
from pipelines.storage.shards import Slice, whole
from pipelines.storage.sources import Reading, discover
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


def source_of(path: Path, format: str = "lines", encoding: str = "latin-1", **more: str) -> Source:
    return Source(str(path), "the label", path.stat().st_size, "1", format, encoding, **more)  # type: ignore[arg-type]


def reasons(dead: Sequence[DeadLetter]) -> list[tuple[int, str]]:
    return [(letter.offset, letter.reason) for letter in dead]


def slices_at(source: Source, cuts: Sequence[int]) -> list[Slice]:
    bounds = [0, *sorted(min(cut, source.size) for cut in cuts), source.size]
    return [Slice(source, begin, end) for begin, end in itertools.pairwise(bounds) if begin < end] or [whole(source)]


def archive(
    path: Path, members: Sequence[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def table(path: Path, columns: dict[str, object], **options: object) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def listed(*inputs: Path | str, **options: object) -> list[Source]:
    return list(discover([str(given) for given in inputs], Reading(**options)))  # type: ignore[arg-type]


def labels(top: Path, *inputs: Path | str, **options: object) -> dict[str, str]:
    return {source.place.removeprefix(f"{top}/"): source.label for source in listed(*inputs, **options)}
