"""Training that is killed where it hurts, or finds no room, goes on to the same losses, scores and best weights."""

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from pipelines.errors import DONE, INPUT, INTERRUPTED
from tests.chaos.commands import Command, run, running
from tests.chaos.disks import NO_SPACE, PAGE, Disk
from tests.chaos.watching import Kind, watching
from tests.pipelines.keras_modules import with_keras
from tests.pipelines.made_models import write_checkpoint
from tests.pipelines.made_records import make_records, write_labelled

pytestmark = pytest.mark.slow
TIMES = {"time", "seconds", "tokens_per_second", "mfu"}
# Each run goes on where the last one was killed: while a state is written, where best weights have no name yet or are
# just in place, behind a state.
KILLS = (
    (Kind.NAMED, "state.npz", 2),
    (Kind.BEGUN, ".best.new", 1),
    (Kind.NAMED, "best", 1),
    (Kind.BEGUN, ".state.npz.*.attempt", 3),
)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """A run of twelve steps of two batches, scored four times, which saves its state after each step."""
    with_keras("models.encoder")
    folder = tmp_path_factory.mktemp("place")
    texts = ("北京", "上海", "大学")
    rows = [("甲乙丙"[number % 3], texts[number % 3] * (1 + number % 5)) for number in range(24)]
    make_records(folder, *(f"{split}={write_labelled(folder / f'{split}.tsv', rows)}" for split in ("train", "dev")))
    init = write_checkpoint(folder / "init", folder / "vocab.txt")
    return (
        "train", "text-classification", "--records", folder / "records", "--init", init, "--epochs", 4, "--batch-size",
        4, "--accumulate", 2, "--ema", 0.9, "--schedule", "linear", "--learning-rate", 0.01, "--deterministic",
        "--checkpoint-minutes", 0, "--no-report", "--out",
    )  # fmt: skip


def rows(out: Path) -> list[dict[str, Any]]:
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in TIMES} for line in lines]


def kill_at(command: Command, out: Path, kind: Kind, pattern: str, number: int) -> bool:
    """Kills the command at the `number`-th such event; whether it came to that."""
    with watching(out, ["."]) as watch:
        for event in watch.events(command.pid):
            number -= kind in event.kind and fnmatch(event.name, pattern)
            if not number:
                command.kill(workers=True)
                return True
    return False


def test_a_run_that_was_killed_again_and_again(command: tuple[object, ...], tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    code, printed = run(*command, whole)
    assert code == DONE, printed
    assert [row["step"] for row in rows(whole) if row["split"] == "dev"] == [3, 6, 9, 12]
    for kind, pattern, number in KILLS:
        with running(*command, killed) as started:
            assert kill_at(started, killed, kind, pattern, number), (pattern, started.end())
    code, printed = run(*command, killed)
    assert code == DONE, printed
    assert "goes on behind step " in printed
    assert rows(killed) == rows(whole)
    best = [load_file(out / "best/weights.safetensors") for out in (whole, killed)]
    assert all(np.array_equal(best[1][name], best[0][name]) for name in best[0])
    scores = [json.loads((out / "run.json").read_text())["best"] for out in (whole, killed)]
    assert scores[0] == scores[1]
    assert sorted(path.name for path in killed.iterdir()) == sorted(path.name for path in whole.iterdir())


def test_a_run_that_is_interrupted_ends_its_step(command: tuple[object, ...], tmp_path: Path) -> None:
    with running(*command, tmp_path) as started:
        with watching(tmp_path, ["."]) as watch:
            events = watch.events(started.pid)
            saved = (event for event in events if event.name == "state.npz" and Kind.NAMED in event.kind)
            next(saved), next(saved)  # the first is of the state before any step
            started.process.terminate()
        code, printed = started.end()
    assert code == INTERRUPTED, printed
    assert "the same command goes on from here" in printed
    assert "Traceback" not in printed
    with np.load(tmp_path / "state.npz") as state:
        step = json.loads(state["progress"].tobytes())["step"]
    assert step == rows(tmp_path)[-1]["step"] < 12


def test_a_full_disk(command: tuple[object, ...], disk: Disk, tmp_path: Path) -> None:
    """No room for the folder, for what tells of the records, for a state: an error that says where; nothing is lost."""
    whole, out = tmp_path / "whole", disk.path / "run"
    code, printed = run(*command, whole)
    assert code == DONE, printed
    state = -(-(whole / "state.npz").stat().st_size // PAGE)
    for pages in (1, 8, state, 8 + state):
        disk.leave(pages)
        code, printed = run(*command, out)
        assert (code, "Traceback" in printed) == (INPUT, False), printed
        assert NO_SPACE in printed
        assert str(out) in printed
    disk.free()
    code, printed = run(*command, out)
    assert code == DONE, printed
    assert rows(out) == rows(whole)
