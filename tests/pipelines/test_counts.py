"""A finished count as a stream, and what is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.counts import finished_count, read_counts
from pipelines.errors import InputError
from pipelines.storage.commit import write_json
from pipelines.storage.manifest import publish
from tests.pipelines.made_counts import made_count

pytestmark = pytest.mark.usefixtures("unsynced")

ROWS = [("的", 9, 4), ("一", 7, 3), ("了", 7, 2), ("\U00020000", 2, 2), ("a b", 1, 1)]


@pytest.mark.parametrize("part_rows", [1, 2, 5])
@pytest.mark.parametrize("rows", [1, 2, 100])
def test_all_parts_in_order(tmp_path: Path, part_rows: int, rows: int) -> None:
    counts = made_count(tmp_path / "counts", ROWS, part_rows=part_rows)
    batches = list(read_counts(counts, finished_count(counts), rows=rows))
    assert [tuple(row.values()) for batch in batches for row in batch.to_pylist()] == ROWS
    assert all(len(batch) <= rows for batch in batches)


def no_manifest(counts: Path) -> None:
    (counts / "manifest.json").unlink()


def no_success(counts: Path) -> None:
    (counts / "_SUCCESS").unlink()


def other_manifest(counts: Path) -> None:
    manifest = json.loads((counts / "manifest.json").read_bytes())
    write_json(counts / "manifest.json", {**manifest, "min_count": 7})


@pytest.mark.parametrize("change", [no_manifest, no_success, other_manifest])
def test_what_is_no_finished_count(tmp_path: Path, change: Any) -> None:
    counts = made_count(tmp_path / "counts", ROWS)
    assert finished_count(counts)["totals"]["words"] == 5
    change(counts)
    with pytest.raises(
        InputError, match=rf"^{counts}: no finished count there: run hanmill count \.\.\. --out {counts}$"
    ):
        finished_count(counts)


@pytest.mark.parametrize(
    ("job", "message"),
    [("records", r"records, no count: hanmill inspect .* shows them"), ("angles", "angles, no count")],
)
def test_another_job_s_output_is_named(tmp_path: Path, job: str, message: str) -> None:
    publish(made_count(tmp_path, ROWS), [], {"job": job, "parts": []}, dict, old="nothing")
    with pytest.raises(InputError, match=f"^{tmp_path}: holds {message}$"):
        finished_count(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"PAR1PAR1"])
def test_parts_that_are_gone_or_damaged_are_named(tmp_path: Path, content: bytes | None) -> None:
    counts = made_count(tmp_path / "counts", ROWS, part_rows=3)
    part = counts / "word_counts-00001-of-00002.parquet"
    part.unlink()
    if content is not None:
        part.write_bytes(content)
    with pytest.raises(InputError, match=r"/word_counts-00001-of-00002\.parquet: .+: run the count again"):
        list(read_counts(counts, finished_count(counts), rows=10))
