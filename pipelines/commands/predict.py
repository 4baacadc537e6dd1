"""`hanmill predict`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands import options as shared
from pipelines.commands.engines import on_engines
from pipelines.commands.score import ScoredName
from pipelines.engines.options import EngineOptions


@on_engines
def predict(
    context: typer.Context,
    task: Annotated[ScoredName, typer.Argument(metavar="TASK", help="What is predicted.", show_default=False)],
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Of the task's format; gold is not read.", show_default=False)
    ],
    model: Annotated[Path, typer.Option(metavar="RUN", help="Folder of hanmill train.", show_default=False)],
    out: shared.Out,
    engine_options: EngineOptions,
    kb: shared.KnowledgeBase = None,
    shard_bytes: shared.ShardBytes = "32MiB",
    max_document_bytes: shared.MaxDocumentBytes = "64MiB",
    fresh: shared.Fresh = False,
    max_bad_records: shared.MaxBadRecords = "5%",
) -> None:
    """Predict with a trained model: predictions.jsonl, and submission.json, or .zip, as the organisers take it.

    A run that was killed goes on where it stopped. What stands after `--` are pipeline options of --engine beam.
    """
    from pipelines.commands.jobs import run_job, tell_outcome
    from pipelines.storage.dead_letters import check_limit

    with shared.needing("train", command="hanmill predict"):
        from pipelines.predict import ARCHIVE, SUBMISSION, Predictions
        from transforms.tasks.task import TASKS

    job = Predictions.of(
        files,
        out.absolute(),
        model=model.absolute(),  # workers may have another working directory
        task=task.value,
        knowledge_base=shared.knowledge_base(kb, task=task.value),
        max_document_bytes=shared.parse_size(max_document_bytes, "--max-document-bytes"),
        shard_bytes=shared.parse_size(shard_bytes, "--shard-bytes"),
        max_bad_records=check_limit(max_bad_records),
    )
    outcome = run_job(context, job, engine_options, work="predict", fresh=fresh, performance_report=False)
    tell_outcome(out, outcome, made=f"{outcome.manifest['totals']['predictions']:,} predictions")
    print(f"for the organisers: {out / (ARCHIVE if TASKS[task.value].archived else SUBMISSION)}")
