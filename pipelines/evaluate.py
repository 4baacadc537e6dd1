"""The score of a trained model: what it predicts for a file with gold, by the organisers' metrics."""

import os
import tempfile
from pathlib import Path
from typing import Any

from pipelines.engines.local import Local
from pipelines.linking import parts_of_files
from pipelines.predict import SUBMISSION, Predictions
from pipelines.run import run
from pipelines.scores import read_gold, score_files
from pipelines.trained_model import TrainedRun


def evaluate(model: Path, file: Path, *, task: str, knowledge_base: Path | None = None) -> dict[str, Any]:
    """The organisers' metrics of a run's predictions for a file with gold, how many of its rows are bad, and how many
    of its texts are too long and cut.

    Of entity linking also what makes its score up. Raises InputError that names the file and its line.
    """
    read_gold(task, file)  # what is wrong there is told before anything is predicted
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "0")  # all cores: nothing runs beside it
    with tempfile.TemporaryDirectory() as folder:
        job = Predictions.of(
            [str(file)], Path(folder), model=model, task=task, knowledge_base=knowledge_base, max_bad_records="100%"
        )
        totals, submission = run(job, engine=Local(1)).manifest["totals"], Path(folder) / SUBMISSION
        found = score_files(task, submission, file)
        trained = TrainedRun.open(model, task=task, knowledge_base=knowledge_base)
        if trained.records.candidates is not None:
            found |= parts_of_files(submission, file, trained.records.candidates.statistics)
        return {**found, "bad_records": totals["dead_letters"], "cut": totals["cut"]}
