"""Rows in another order are those of all runs taken at once, in small pieces, and no table is decoded for nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.storage import reordering
from pipelines.storage.reordering import RunRows, reordered
from pipelines.storage.tables import write_runs

pytestmark = pytest.mark.usefixtures("unsynced")
SCHEMA = pa.schema([("text", pa.string())])
RUNS = st.lists(st.lists(st.lists(st.text(max_size=9), min_size=1, max_size=4), max_size=4), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reordering")


def written(folder: Path, runs: list[list[list[str]]]) -> list[RunRows]:
    tables = [[pa.table([texts], schema=SCHEMA) for texts in run] for run in runs]
    files = write_runs(folder, "runs.arrow", tables)
    return [RunRows(file, list(map(len, run))) for file, run in zip(files, runs, strict=True)]


@given(RUNS, st.randoms(), st.integers(1, 40))
def test_rows_in_another_order(folder: Path, runs: list[list[list[str]]], random: Any, held: int) -> None:
    texts = [text for run in runs for table in run for text in table]
    order = random.sample(range(len(texts)), random.randint(0, len(texts)))
    sizes = np.array([len(text.encode()) for text in texts], np.int64)
    found = [
        table["text"].to_pylist()
        for table in reordered(folder, written(folder, runs), np.array(order, np.int64), sizes, held=held)
    ]
    assert [text for piece in found for text in piece] == [texts[row] for row in order]
    assert all(len(piece) == 1 or len("".join(piece).encode()) <= held for piece in found)


def test_tables_without_a_wanted_row_are_not_decoded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded, read = list[list[bool]](), reordering.read_some

    def noting(directory: Path, file: Any, wanted: Any) -> Any:
        decoded.append(list(wanted))
        return read(directory, file, wanted)

    monkeypatch.setattr(reordering, "read_some", noting)
    runs = written(folder, [[["a", "b"], ["c"]], [["d"], ["e"]]])
    (table,) = reordered(folder, runs, np.array([4, 1]), np.ones(5, np.int64))
    assert table["text"].to_pylist() == ["e", "b"]
    assert decoded == [[True, False], [False, True]]
