"""Records in a random order without end, which can be taken up again at any of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.datasets import DataSet
from pipelines.errors import InputError
from pipelines.storage.commit import digest

_FRAME_BYTES = 16  # around a record in its file


class Place(NamedTuple):
    """Where a record lies: pass over the data, number of the file, byte."""

    epoch: int
    file: int
    offset: int


class Shuffle:
    """Passes over a split, each in an order of its own; every record comes once in each.

    Files come in a random order, `open_files` of them are read in turn, and each record that is handed out is drawn
    from `buffer` of them. `position`: what `mark` gave of a reading with the same arguments, to go on behind it. Raises
    ValueError for `open_files` or a `buffer` below 1, and InputError if the records are not those of the position.
    """

    def __init__(
        self,
        data_set: DataSet,
        split: str,
        *,
        seed: int,
        open_files: int = 16,
        buffer: int = 8192,
        position: Mapping[str, Any] | None = None,
    ) -> None:
        if min(open_files, buffer) < 1:
            raise ValueError(f"{open_files} open files and a buffer of {buffer}: at least one of each")
        self._data_set, self._files = data_set, data_set.files(split)
        self._seed, self._most, self._buffer = seed, open_files, buffer
        self._content = digest([part["sha256"] for part in data_set.manifest["parts"] if part["name"] in self._files])
        counts = dict.fromkeys(("epoch", "next", "turn", "draws"), 0)
        position = position or {**counts, "content": self._content, "open": [], "held": []}
        if position.get("content") != self._content:
            raise InputError(
                f"{data_set.directory}: split {split} has other records than when this was stopped: begin anew, or "
                "bring those back"
            )
        self._begin(position["epoch"], draws=position["draws"])
        self._next, self._turn = position["next"], position["turn"]
        self._open = [_Reading(data_set, self._files, file, offset) for file, offset in position["open"]]
        self._held = self.fetch([Place(*held) for held in position["held"]])

    def _begin(self, epoch: int, *, draws: int = 0) -> None:
        self._epoch, self._draws = epoch, draws
        # Four numbers for each step of the counter. Beside the seed stands 0 where a record's targets are drawn.
        self._random = np.random.Generator(np.random.Philox(key=(self._seed, epoch + 1), counter=draws // 4))
        self._random.random(draws % 4)
        self._order = np.random.default_rng((self._seed, epoch)).permutation(len(self._files)).tolist()
        self._next = self._turn = 0

    def mark(self) -> Callable[[], dict[str, Any]]:
        """Remembers where the reading stands, at the cost of a copy; the call gives it as a `position` for JSON."""
        held = self._held.copy()
        counts = {"epoch": self._epoch, "next": self._next, "turn": self._turn, "draws": self._draws}
        opened = [[reading.file, reading.offset] for reading in self._open]
        content = self._content
        return lambda: {**counts, "content": content, "open": opened, "held": [list(place) for place, _ in held]}

    def fetch(self, places: Sequence[Place]) -> list[tuple[Place, bytes]]:
        """The records at places, in their order; each file is read once, up to the last of them."""
        found: dict[tuple[int, int], bytes] = {}
        for file in {place.file for place in places}:
            wanted = {place.offset for place in places if place.file == file}
            for offset, record in self._data_set.frames(self._files[file], offset=min(wanted)):
                if offset in wanted:
                    found[file, offset] = record
                    wanted.remove(offset)
                if not wanted:
                    break
        return [(place, found[place.file, place.offset]) for place in places]

    def __iter__(self) -> Iterator[tuple[Place, bytes]]:
        return self

    def __next__(self) -> tuple[Place, bytes]:
        for _ in range(2):
            while len(self._held) < self._buffer and (found := self._read()) is not None:
                self._held.append(found)
            if self._held:
                break
            self._begin(self._epoch + 1)
        else:
            raise StopIteration  # a split without records
        self._draws += 1
        drawn = int(self._random.random() * len(self._held))
        self._held[drawn], self._held[-1] = self._held[-1], self._held[drawn]
        return self._held.pop()

    def _read(self) -> tuple[Place, bytes] | None:
        """The next record of the open files, which take turns; None at the end of a pass."""
        while True:
            while len(self._open) < self._most and self._next < len(self._order):
                self._open.append(_Reading(self._data_set, self._files, self._order[self._next], 0))
                self._next += 1
            if not self._open:
                return None
            self._turn %= len(self._open)
            reading = self._open[self._turn]
            found = reading.read()
            if found is None:
                del self._open[self._turn]
                continue
            self._turn += 1
            return Place(self._epoch, reading.file, found[0]), found[1]


class _Reading:
    """An open file. `offset`: of the record that comes next."""

    def __init__(self, data_set: DataSet, files: list[str], file: int, offset: int) -> None:
        self.file, self.offset = file, offset
        self._frames = data_set.frames(files[file], offset=offset)

    def read(self) -> tuple[int, bytes] | None:
        found = next(self._frames, None)
        if found is not None:
            self.offset = found[0] + len(found[1]) + _FRAME_BYTES
        return found
