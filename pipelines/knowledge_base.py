"""Make a knowledge base for entity linking: entities are read and checked, their names go into a trie, all else into
a store that is ordered by id; both are files that are mapped into memory.
"""

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import InputError
from pipelines.installation import code_files, hash_of
from pipelines.storage.batches import DeadLetter
from pipelines.storage.commit import AttemptFile, attempt
from pipelines.storage.dead_letters import few_enough, gather_dead_letters, write_dead_letters
from pipelines.storage.duplicates import by_id
from pipelines.storage.knowledge_base import NAME
from pipelines.storage.manifest import (
    PARTS,
    SHARDS,
    Describe,
    Entry,
    File,
    final_parts,
    publish,
    reduce_fingerprint,
    retract,
    write_entry,
)
from pipelines.storage.readers import read_batches
from pipelines.storage.reordering import RunRows, reordered
from pipelines.storage.resume import Plan, drop_others, plan_job, written
from pipelines.storage.shards import Shard
from pipelines.storage.sources import Reading, discover
from pipelines.storage.tables import read_run, write_runs
from pipelines.tally import prepare_kernels
from transforms import decoding, double_array
from transforms.knowledge_base import ENTITIES
from transforms.knowledge_base_building import Entity, ends_of, name_arrays, read_entity
from transforms.tasks.record import BadRecord

_NAMES, _STORE = 0, 1  # partitions
_ROWS_A_TABLE = 1 << 10
_TEXTS = ("id", "description", "objects")  # columns, as `ENTITIES` has arrays
_KEY = (("id", pa.string()), ("source", pa.string()), ("offset", pa.int64()))
_COLUMNS = (
    pa.schema([*_KEY, ("names", pa.list_(pa.string()))]),
    pa.schema([*_KEY, ("description", pa.string()), ("objects", pa.string())]),
)


@dataclass(frozen=True, slots=True)
class BuildKnowledgeBase:
    """The job. One partition makes the trie of names, the other the store; both number entities by the order of ids."""

    inputs: tuple[str, ...]
    directory: Path
    reading: Reading = Reading(format="lines")
    shard_bytes: int = 32 << 20
    max_bad_records: str = "5%"

    name: ClassVar[str] = NAME
    records: ClassVar[str] = "documents"
    partitions: ClassVar[int] = 2

    @property
    def configuration(self) -> dict[str, Any]:
        """The options that decide what the knowledge base is."""
        reading = asdict(self.reading)
        del reading["patterns"]  # they decide which inputs there are, and inputs may change
        return {"job": self.name, **reading}

    def plan(self, *, workers: int, fresh: bool = False) -> Plan:
        """Raises InputError for missing inputs, and for a folder that holds another configuration."""
        sources = discover(self.inputs, self.reading)
        prepare_kernels(decoding, double_array)
        return plan_job(
            self.directory,
            sources,
            configuration=self.configuration,
            code=[code_version()],
            workers=workers,
            shard_bytes=self.shard_bytes,
            fresh=fresh,
        )

    def describes(self, manifest: dict[str, Any]) -> bool:
        """Whether options are those of a finished output, and its bad records no more than are allowed."""
        same = bool(manifest["configuration"] == self.configuration)
        return same and few_enough(self.max_bad_records, manifest["totals"])

    def map(self, shard: Shard) -> Entry:
        """Reads the entities of a shard and commits what each partition needs of them."""
        slices = shard.slices
        held, dead = tuple([columns.empty_table()] for columns in _COLUMNS), list[DeadLetter]()
        for batch in read_batches(slices, self.reading):
            texts, failures = batch.texts(replace_errors=self.reading.errors == "replace")
            dead += [*batch.dead, *failures]
            found = list[tuple[str, int, Entity]]()
            for document, text in texts.items():
                at = batch.dead_letter(document, "")
                try:
                    found.append((at.source, at.offset, read_entity(text)))
                except BadRecord as error:
                    dead.append(replace(at, reason=str(error)))
            held[_NAMES].append(_name_table(found))
            held[_STORE].append(_store_table(found))
        name = f"{SHARDS}/{shard.fingerprint}"
        runs = write_runs(self.directory, f"{name}.arrow", map(_by_id, held))
        dead_letters = write_dead_letters(self.directory, f"{name}.dead.jsonl", dead)
        totals = {"documents": sum(map(len, held[_NAMES])), "dead_letters": len(dead), "bytes": shard.size}
        entry = Entry(shard.fingerprint, runs, totals, dead_letters=dead_letters)
        write_entry(self.directory / SHARDS, entry, slices=written(slices))
        return entry

    def reduce(self, partition: int, entries: Sequence[Entry]) -> Entry:
        """Commits the arrays of a partition; of entities with one id the first is kept, others are dead letters.

        Raises InputError for a damaged run.
        """
        stem = f"{PARTS}/{reduce_fingerprint(partition, entries)}"
        names = [name for name, _ in _KEY]
        keys, runs = [_COLUMNS[partition].empty_table().select(names)], list[RunRows]()
        sizes = [np.empty((len(_TEXTS), 0), np.int64)]
        for entry in entries:
            tables = list[int]()
            for table in read_run(self.directory, entry.files[partition]):
                keys.append(table.select(names))
                tables.append(len(table))
                if partition == _STORE:
                    sizes.append(_sizes(table.select(_TEXTS).columns))
            runs.append(RunRows(entry.files[partition], tables))
        order, _, dead = by_id(pa.concat_tables(keys))
        del keys
        letters = None
        if partition == _NAMES:
            files = tuple(self._write_names(stem, entries, order))
        else:
            files = tuple(self._write_store(stem, runs, order, np.concatenate(sizes, axis=1)))
            letters = write_dead_letters(self.directory, f"{stem}.dead.jsonl", dead)
        entry = Entry(stem.rpartition("/")[2], files, {"entities": len(order)}, dead_letters=letters)
        write_entry(self.directory / PARTS, entry)
        return entry

    def _write_names(self, stem: str, entries: Sequence[Entry], order: npt.NDArray[np.int64]) -> Iterator[File]:
        tables = (table for entry in entries for table in read_run(self.directory, entry.files[_NAMES]))
        columns = [table["names"] for table in tables]
        for name, array in name_arrays(*_numbered(columns, order)).items():
            with self._array(stem, name, array.dtype, array.shape) as file:
                file.write(array.view(np.uint8))
            yield File(f"{stem}-{name}.npy", file.sha256, file.size, array.shape[0])

    def _write_store(
        self, stem: str, runs: Sequence[RunRows], order: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
    ) -> Iterator[File]:
        """`sizes`: int64 [3, rows], the bytes of each text."""
        ends = [ends_of(of_column[order]) for of_column in sizes]
        lengths = [int(of_column[-1]) + 1 for of_column in ends]  # and a NUL at last, as no empty array can be mapped
        with ExitStack() as stack:
            files = [
                stack.enter_context(self._array(stem, name, np.dtype("u1"), (length,)))
                for name, length in zip(ENTITIES[::2], lengths, strict=True)
            ]
            for table in reordered(self.directory, runs, order, sizes.sum(axis=0)):
                for file, name in zip(files, _TEXTS, strict=True):
                    for chunk in table[name].chunks:
                        file.write(_content(chunk))
            for file in files:
                file.write(b"\0")
        for file, name, length in zip(files, ENTITIES[::2], lengths, strict=True):
            yield File(f"{stem}-{name}.npy", file.sha256, file.size, length)
        for name, of_column in zip(ENTITIES[1::2], ends, strict=True):
            with self._array(stem, name, of_column.dtype, of_column.shape) as file:
                file.write(of_column.view(np.uint8))
            yield File(f"{stem}-{name}.npy", file.sha256, file.size, len(of_column))

    @contextmanager
    def _array(self, stem: str, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Iterator[AttemptFile]:
        """A file of an array whose content is to be written behind its header."""
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        with attempt(self.directory / f"{stem}-{name}.npy") as file:
            np.lib.format.write_array_header_1_0(file, header)
            yield file

    def finish(
        self, plan: Plan, mapped: Sequence[Entry], reduced: Sequence[Entry], describe: Describe
    ) -> dict[str, Any]:
        """Gives the files their names; returns the manifest. Raises InputError where there is no entity.

        Raises BadRecordsError over the threshold; then the dead letters are there, but no `_SUCCESS`.
        """
        totals = Counter[str]()
        for entry in mapped:
            totals.update(entry.totals)
        entities = reduced[_STORE].totals["entities"]
        totals["dead_letters"] += totals["documents"] - entities
        totals["documents"] = entities
        if not entities and few_enough(self.max_bad_records, totals):
            raise InputError(f"{', '.join(self.inputs)}: no entity in it")
        retract(self.directory)
        dead_letters = gather_dead_letters(
            self.directory, [*mapped, *reduced], totals=totals, limit=self.max_bad_records
        )
        named = {file.name.rpartition("-")[2]: file for entry in reduced for file in entry.files}
        parts, listed = final_parts(self.directory, named)
        content = {
            "job": self.name,
            "configuration": self.configuration,
            "inputs": plan.inputs,
            "totals": {key: totals[key] for key in ("documents", "bytes", "dead_letters")}
            | {"names": named["candidate_ends.npy"].records - 1, "candidates": named["candidates.npy"].records},
            "parts": listed,
            "dead_letters": dead_letters and asdict(dead_letters),
        }
        publish(self.directory, parts, content, describe, old="*.npy")
        drop_others(self.directory, mapped)
        rmtree(self.directory / PARTS, ignore_errors=True)
        return content


def _name_table(found: Sequence[tuple[str, int, Entity]]) -> pa.Table:
    names = [entity.names for *_, entity in found]
    return pa.table([*_keys(found), pa.array(names, pa.list_(pa.string()))], schema=_COLUMNS[_NAMES])


def _store_table(found: Sequence[tuple[str, int, Entity]]) -> pa.Table:
    descriptions = [entity.description for *_, entity in found]
    objects = ["\n".join(entity.objects) for *_, entity in found]
    return pa.table([*_keys(found), descriptions, objects], schema=_COLUMNS[_STORE])


def _keys(found: Sequence[tuple[str, int, Entity]]) -> list[list[Any]]:
    return [
        [entity.id for *_, entity in found],
        [source for source, *_ in found],
        [offset for _, offset, _ in found],
    ]


def _by_id(tables: Sequence[pa.Table]) -> Iterator[pa.Table]:
    """The rows of a shard as a run has them: by id, in small tables, as few of which are read at once."""
    table = pa.concat_tables(tables)
    order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name, _ in _KEY])
    for begin in range(0, len(order), _ROWS_A_TABLE):
        yield table.take(order[begin : begin + _ROWS_A_TABLE]).combine_chunks()


def _numbered(
    columns: Sequence[pa.ChunkedArray], order: npt.NDArray[np.int64]
) -> tuple[list[str], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """What `name_arrays` takes, of lists of names."""
    kind = _COLUMNS[_NAMES].field("names").type
    held = pa.chunked_array([chunk for column in columns for chunk in column.chunks], kind)
    names = held.take(pa.array(order)).combine_chunks()
    entities, encoded = pc.list_parent_indices(names).to_numpy(), names.flatten().dictionary_encode()
    by_name = pc.sort_indices(encoded.dictionary)  # of UTF-8, which is by code point
    ranks = np.empty(len(by_name), np.int64)
    ranks[by_name.to_numpy()] = np.arange(len(by_name))
    return encoded.dictionary.take(by_name).to_pylist(), ranks[encoded.indices.to_numpy()], entities


def _sizes(columns: Sequence[pa.ChunkedArray]) -> npt.NDArray[np.int64]:
    """The bytes of each text, int64 [columns, rows]."""
    return np.array([pc.binary_length(column).to_numpy() for column in columns], np.int64).reshape(len(_TEXTS), -1)


def _content(texts: pa.StringArray) -> memoryview:
    """The bytes of texts, one behind another."""
    _, bounds, data = texts.buffers()
    offsets = np.frombuffer(bounds, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(data or b"")[offsets[0] : offsets[-1]]


@functools.cache
def code_version() -> str:
    """A hash over the code that decides what is built: results of other code are not kept."""
    names = ("double_array.py", "decoding.py", "knowledge_base.py", "knowledge_base_building.py", "tasks/json_input.py")
    files = ("pipelines/storage", "pipelines/knowledge_base.py")
    return hash_of(code_files(*(f"transforms/{name}" for name in names), *files))
