"""Rows of a run: what was logged behind the saved step goes, and so does a torn line."""

from pathlib import Path

from pipelines.training.log import METRICS, Log, read_rows


def write(log: Log, step: int, split: str = "train") -> None:
    log.write({"step": step, "split": split, "loss": 1.0 / step})


def steps(directory: Path) -> list[tuple[int, str]]:
    return [(row["step"], row["split"]) for row in read_rows(directory)]


def test_a_run_that_goes_on_forgets_what_was_not_saved(tmp_path: Path) -> None:
    log = Log(tmp_path, step=0, scored=0)
    for step in (1, 2, 3, 4):
        write(log, step)
        if step % 2 == 0:
            write(log, step, "dev")
    log.sync()
    log.close()
    assert steps(tmp_path) == [(1, "train"), (2, "train"), (2, "dev"), (3, "train"), (4, "train"), (4, "dev")]
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 5, "split": "tr')
    assert len(steps(tmp_path)) == 6
    log = Log(tmp_path, step=4, scored=2)  # saved between step and score
    write(log, 4, "dev")
    write(log, 5)
    log.close()
    assert steps(tmp_path)[-3:] == [(4, "train"), (4, "dev"), (5, "train")]
    assert sorted(path.parent.name for path in tmp_path.rglob("events.*")) == ["dev", "train"]
    Log(tmp_path, step=1, scored=0).close()
    assert steps(tmp_path) == [(1, "train")]
    assert all(row["time"] > 1.7e9 for row in read_rows(tmp_path))


def test_of_no_run_there_are_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path) == []
