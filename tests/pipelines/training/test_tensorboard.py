"""Event files, read by TensorFlow's own reader, which TensorBoard uses."""

from pathlib import Path

import pytest

from pipelines.training.tensorboard import EventFile


def test_scalars_come_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from tensorflow.compat.v1.train import summary_iterator

    for first in (5, 1):  # a run that begins anew
        file = EventFile(tmp_path)
        for step in range(first, 4):
            file.write(step, {"loss": step / 4, "学习率": 1e-3}, seconds=1.7e9 + step)
        file.close()
    (path,) = tmp_path.iterdir()
    head, *events = list(summary_iterator(str(path)))
    assert head.file_version == "brain.Event:2"
    assert head.wall_time > 1.7e9
    assert [(event.step, event.wall_time) for event in events] == [(step, 1.7e9 + step) for step in (1, 2, 3)]
    found = [{value.tag: value.simple_value for value in event.summary.value} for event in events]
    assert [of["loss"] for of in found] == [0.25, 0.5, 0.75]
    assert [of["学习率"] for of in found] == [pytest.approx(1e-3)] * 3
