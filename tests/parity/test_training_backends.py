"""The training loop on each backend of Keras, in processes of their own: it goes on exactly, and loads the others'."""

import importlib.util
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from pipelines.datasets import DataSet
from tests.pipelines.made_models import SIZES
from tests.pipelines.made_records import data_set
from tests.pipelines.made_runs import records_of, rows_of

ROOT = Path(__file__).parents[2]
BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]
CLASSIFICATION, LINKING = "text-classification", "entity-linking"
pytestmark = pytest.mark.slow
several = pytest.mark.skipif(len(BACKENDS) < 2, reason="one backend is installed")

_TRAIN = """
import sys
from pathlib import Path

import pipelines.train
from pipelines.train import TrainOptions, train

def options(out, **more):
    return TrainOptions(records={records!r}, out=Path({out!r}) / out, batch_size=4, learning_rate=1e-2,
        deterministic=True, **{{**{options!r}, **more}})

train(options("whole"), task={task!r})
given, batches = 0, pipelines.train.Batches.__next__

def stopped(self):
    global given
    given += 1
    if given == 9:  # the third step had begun
        raise KeyboardInterrupt
    return batches(self)

pipelines.train.Batches.__next__ = stopped
try:
    train(options("cut"), task={task!r})
except KeyboardInterrupt:
    print("stopped")
pipelines.train.Batches.__next__ = batches
train(options("cut"), task={task!r})
"""

_LOGITS = """
import json
from pathlib import Path
import numpy as np
from pipelines.datasets import DataSet
from pipelines.trained_model import TrainedRun

records = list(DataSet.open({records!r}).records("train"))
for folder in {folders!r}:
    run, sums = TrainedRun.open(Path(folder), task="entity-linking"), {{}}
    model, task = run.model(batch_size=4), run.task()[0]
    perfect = task.perfect(records)  # it alone finds mentions, which have candidates

    def told(inputs):
        sums.update({{name: float(np.abs(values).sum()) for name, values in model(inputs).items()}})
        return perfect(inputs)

    task.decode(records, told)
    print(json.dumps(sums))
"""

_LOAD = """
from pathlib import Path
from pipelines.train import TrainOptions, train

for init, out in {folders!r}.items():
    options = TrainOptions(records={records!r}, out=Path(out), init=Path(init), steps=1, batch_size=4,
        changes=(("dropout", 0.0), ("attention_dropout", 0.0)))
    train(options, task="text-classification")
"""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DataSet]:
    """For each task that is trained: one with an encoder, and the light model of entity linking."""
    texts, links = tmp_path_factory.mktemp("texts"), tmp_path_factory.mktemp("links")
    made = rows_of(LINKING, 30, seed=1)
    return {CLASSIFICATION: data_set(texts, 30), LINKING: records_of(links, LINKING, train=made)}


def run(backend: str, program: str) -> str:
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def rows(out: Path) -> list[dict[str, Any]]:
    """What is logged, but for times."""
    times = {"time", "seconds", "tokens_per_second", "mfu"}
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in times} for line in lines]


@pytest.fixture(scope="module")
def trained(records: dict[str, DataSet], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Path]]:
    """For each task and backend the folder with a run that was not stopped and one that was."""
    made: dict[str, dict[str, Path]] = {task: {} for task in records}
    for (task, of), backend in itertools.product(records.items(), BACKENDS):
        encoder = {"encoder": None} if task == LINKING else {"changes": tuple({**SIZES, "positions": 512}.items())}
        options = {**encoder, "steps": 5, "accumulate": 3, "ema": 0.9}
        out = made[task][backend] = tmp_path_factory.mktemp(backend)
        program = _TRAIN.format(task=task, records=of.directory, out=str(out), options=options)
        assert run(backend, program) == "stopped\n"
    return made


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("task", [CLASSIFICATION, LINKING])
def test_a_stopped_run_goes_on_exactly(trained: dict[str, dict[str, Path]], task: str, backend: str) -> None:
    """Losses, learning rates and averaged weights, with dropout and steps of several batches."""
    out = trained[task][backend]
    assert [row["step"] for row in rows(out / "cut")] == [1, 2, 3, 4, 5]
    assert rows(out / "cut") == rows(out / "whole")
    whole, cut = (load_file(out / name / "best/weights.safetensors") for name in ("whole", "cut"))
    assert whole.keys() == cut.keys() != set()
    assert all(np.array_equal(cut[name], whole[name]) for name in whole)
    assert json.loads((out / "cut/run.json").read_text())["backend"] == backend


@several
def test_what_one_backend_saved_the_others_load(
    trained: dict[str, dict[str, Path]], records: dict[str, DataSet], tmp_path: Path
) -> None:
    """The first loss of a run that begins with the weights of each backend."""
    losses, texts = {}, records[CLASSIFICATION].directory
    for backend in BACKENDS:
        runs = trained[CLASSIFICATION].items()
        folders = {str(out / "whole/best"): str(tmp_path / backend / name) for name, out in runs}
        run(backend, _LOAD.format(records=texts, folders=folders))
        losses[backend] = [rows(Path(out))[0]["loss"] for out in folders.values()]
    assert len({round(loss, 3) for loss in losses[BACKENDS[0]]}) > 1
    for backend in BACKENDS[1:]:
        assert losses[backend] == pytest.approx(losses[BACKENDS[0]], rel=1e-5)


@several
def test_what_one_backend_saved_the_others_predict_with(
    trained: dict[str, dict[str, Path]], records: dict[str, DataSet]
) -> None:
    """The logits of the light model of entity linking, of mentions and of links."""
    folders = [str(out / "whole") for out in trained[LINKING].values()]
    program = _LOGITS.format(records=records[LINKING].directory, folders=folders)
    first, *others = ([json.loads(line) for line in run(backend, program).splitlines()] for backend in BACKENDS)
    assert all(sums["mentions"] and sums["link"] for sums in first)
    for other in others:
        assert other == [pytest.approx(sums, rel=1e-4) for sums in first]
