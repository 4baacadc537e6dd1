"""`hanmill angles`."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.commands import options as shared
from pipelines.commands.engines import on_engines
from pipelines.engines.options import EngineOptions
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from pipelines.engines.job import Job


class MethodName(StrEnum):
    VECTORS = "vectors"
    REDUCED = "reduced"


@on_engines
def angles(
    context: typer.Context,
    out: shared.Out,
    engine_options: EngineOptions,
    dimensions: Annotated[
        str | None, typer.Option(metavar="N,N...", help="Of the random vectors, between 2 and 1,000,000.")
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            metavar="CHECKPOINT|NPY", help="Look at these vectors instead: a Hugging Face folder, or a matrix."
        ),
    ] = None,
    texts: Annotated[
        str | None,
        typer.Option(
            metavar="INPUT", help="With a checkpoint: at the sentence vectors of these texts.", show_default=False
        ),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Whose states make sentence vectors; 0: embeddings.",
            show_default="the last",
        ),
    ] = None,
    pairs: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Of each dimension.", show_default="1e7; of embeddings at most 1e6"),
    ] = None,
    method: Annotated[
        MethodName | None,
        typer.Option(
            help="Draw both vectors in full, or a normal and a chi-squared number.",
            show_default="vectors",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other pairs.")] = 0,
    shard_bytes: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="With --dimensions: upper limit of a shard.", show_default="1GiB"),
    ] = None,
    fresh: shared.Fresh = False,
    no_report: shared.NoReport = False,
) -> None:
    """Compare angles between vectors with the law of random ones: simulated with --dimensions, or of --embeddings.

    A run that was killed goes on where it stopped, and more pairs or dimensions cost what is new. What stands after
    `--` are pipeline options of --engine beam.
    """
    from pipelines.commands.jobs import report, run_job

    out = out.absolute()
    if texts is None and layer is not None:
        raise UsageError("--layer is for --texts: without them token embeddings are measured")
    if texts is not None and (embeddings is None or not embeddings.is_dir()):
        raise UsageError("--texts needs --embeddings with the folder of a checkpoint, whose encoder reads them")
    if (dimensions is None) == (embeddings is None):
        raise UsageError("give either --dimensions, such as 2,3,10,100,768, or --embeddings")
    try:
        if embeddings is None:
            from pipelines.angles import Angles

            numbers = tuple(shared.parse_number(number, "--dimensions") for number in str(dimensions).split(","))
            wanted = shared.parse_number(pairs or "1e7", "--pairs")
            size = shared.parse_size(shard_bytes or "1GiB", "--shard-bytes")
            job: Job = Angles(numbers, out, wanted, (method or MethodName.VECTORS).value, seed, shard_bytes=size)
        else:
            from pipelines.isotropy import Isotropy

            if method is not None:
                raise UsageError("--method is for --dimensions: embeddings are not drawn")
            if shard_bytes is not None:
                raise UsageError("--shard-bytes is for --dimensions: vectors are measured as one shard")
            job = Isotropy(
                str(embeddings.absolute()),
                out,
                shared.parse_number(pairs or "1e6", "--pairs"),
                seed,
                **_of_texts(embeddings, texts, layer),
            )
    except ModuleNotFoundError as error:
        raise UsageError(f"hanmill angles needs the package {error.name}: pip install 'hanmill[angles]'") from None
    outcome = run_job(context, job, engine_options, work="draw", fresh=fresh, performance_report=not no_report)
    if outcome.repeated:
        print(f"{out}: up to date, nothing to do")
    from pipelines.show import tell_angles

    tell_angles(out)
    if not no_report:
        from pipelines.reports.angles import write_report

        report(out, outcome, write_report)


def _of_texts(checkpoint: Path, texts: str | None, layer: int | None) -> dict[str, Any]:
    """What the job is told of sentence vectors."""
    if texts is None:
        return {}
    with shared.needing("train", command="hanmill angles --texts"):
        from pipelines.sentence_vectors import layer_of
    # Workers may have another working directory.
    return {"texts": texts if "://" in texts else os.path.abspath(texts), "layer": layer_of(checkpoint, layer)}
