"""The command as a function: quick where a process of its own would tell no more."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import cli

ROOT = Path(__file__).parents[2]


class Result(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


def hanmill(*arguments: object) -> Result:
    """Runs the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    before = signal.getsignal(signal.SIGTERM)
    try:
        with (
            patch.object(sys, "argv", ["hanmill", *map(str, arguments)]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            cli.main()
    except SystemExit as end:
        return Result(int(end.code or 0), out.getvalue(), err.getvalue())
    finally:
        signal.signal(signal.SIGTERM, before)


def count(*arguments: object) -> Result:
    """`hanmill count` with one worker and without a report."""
    return hanmill("count", "--workers", "1", "--no-report", *arguments)


def process(*arguments: object, environment: Mapping[str, str] = os.environ, **options: Any) -> Result:
    """Runs the command as a user does, in a process of its own."""
    command = [sys.executable, "-m", "pipelines.cli", *map(str, arguments)]
    ended = subprocess.run(
        command, capture_output=True, encoding="utf-8", cwd=ROOT, env=environment, timeout=300, **options
    )
    return Result(ended.returncode, ended.stdout, ended.stderr)


def manifest(out: Path) -> dict[str, Any]:
    return json.loads((out / "manifest.json").read_bytes())  # type: ignore[no-any-return]


def run_json(out: Path) -> dict[str, Any]:
    return json.loads((out / "run.json").read_bytes())  # type: ignore[no-any-return]


def dead_letters(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "dead_letters.jsonl").read_bytes().split(b"\n")[:-1]]


def table(out: Path) -> pa.Table:
    """The counts, in the order of the parts."""
    parts = [pa.BufferReader((out / part["name"]).read_bytes()) for part in manifest(out)["parts"]]
    return pa.concat_tables([pq.ParquetFile(part).read() for part in parts])


def words(out: Path) -> dict[str, int]:
    found = table(out)
    return dict(zip(found["word"].to_pylist(), found["count"].to_pylist(), strict=True))


def data_of(out: Path) -> dict[str, bytes]:
    """All bytes of a result that must not depend on how it was made."""
    names = [*(part["name"] for part in manifest(out)["parts"]), "manifest.json", "dead_letters.jsonl"]
    return {name: (out / name).read_bytes() for name in names if (out / name).exists()}
