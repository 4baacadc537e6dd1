"""`hanmill train`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.commands.options import MOST, Fresh, KnowledgeBase, NoReport, knowledge_base, needing
from pipelines.commands.records import TaskName
from pipelines.console import tell


class ScheduleName(StrEnum):
    COSINE = "cosine"
    LINEAR = "linear"
    CONSTANT = "constant"


class PrecisionName(StrEnum):
    FLOAT32 = "float32"
    MIXED_BFLOAT16 = "mixed_bfloat16"


def train(
    task: Annotated[TaskName, typer.Argument(metavar="TASK", help="What is trained.", show_default=False)],
    records: Annotated[str, typer.Option(metavar="DIR", help="Output of hanmill records.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder of the run.", show_default=False)],
    init: Annotated[
        Path | None,
        typer.Option(metavar="CHECKPOINT", help="Ours, Hugging Face's or Google's, of the same vocabulary."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="A preset, without --init; bert-base and the like.", show_default="roberta-tiny; entity-linking: none"
        ),
    ] = None,
    attention: Annotated[
        str | None, typer.Option(help="dot-product, talking-heads, synthesizer-...; kinds joined by + are mixed.")
    ] = None,
    key_size: Annotated[
        int | None, typer.Option(min=1, max=1 << 16, help="Width of queries and keys of a head.")
    ] = None,
    unshared: Annotated[bool, typer.Option("--unshared", help="A block for each layer of an ALBERT.")] = False,
    remat: Annotated[bool, typer.Option("--remat", help="Compute states again, and keep fewer of them.")] = False,
    dropout: Annotated[float | None, typer.Option(min=0, max=0.99)] = None,
    kb: KnowledgeBase = None,
    epochs: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="Passes over the records.",
            show_default="3, and 300 steps for a new head behind --init; without an encoder: 20",
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=0, max=MOST, help="Instead of epochs.", show_default=False)] = 0,
    batch_size: Annotated[int, typer.Option(min=1, max=1 << 20)] = 32,
    learning_rate: Annotated[float | None, typer.Option(min=0, show_default="5e-5; without an encoder: 1e-3")] = None,
    head_rate: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="The rate of what is behind the encoder, times that of the encoder.",
            show_default="20 with --init, but for masked-language-model; else 1",
        ),
    ] = None,
    schedule: Annotated[ScheduleName, typer.Option(help="How the rate falls after its warm-up.")] = ScheduleName.COSINE,
    warmup: Annotated[float, typer.Option(min=0, max=1, help="Share of the steps in which the rate grows.")] = 0.1,
    weight_decay: Annotated[float, typer.Option(min=0)] = 0.01,
    accumulate: Annotated[int, typer.Option(min=1, max=1 << 20, help="Batches whose gradients make one step.")] = 1,
    ema: Annotated[
        float, typer.Option(min=0, max=0.999999, help="Average weights with this decay; they are scored and kept.")
    ] = 0.0,
    precision: Annotated[PrecisionName, typer.Option()] = PrecisionName.FLOAT32,
    deterministic: Annotated[bool, typer.Option("--deterministic", help="The same losses in each run.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=MOST)] = 0,
    checkpoint_minutes: Annotated[float, typer.Option(min=0, help="Between saves of the whole state.")] = 10.0,
    no_report: NoReport = False,
    fresh: Fresh = False,
) -> None:
    """Train a task from its records; the same command goes on with a run that was stopped."""
    changes = {
        "attention": attention,
        "key_size": key_size,
        "share_layers": False if unshared else None,
        "rematerialize": True if remat else None,
        "dropout": dropout,
        "attention_dropout": dropout,
    }
    with needing("train", command="hanmill train"):
        from pipelines.train import BEST, TrainOptions
        from pipelines.train import train as run
        from pipelines.training.options import LIGHT, NEW_HEAD
        from pipelines.training.tasks import training_task
    light = init is None and encoder is None and training_task(task.value).light
    given = {"epochs": epochs, "learning_rate": learning_rate, "encoder": encoder, "head_rate": head_rate}
    learning: dict[str, Any] = {
        **(LIGHT if light else {}),
        **(NEW_HEAD if init is not None and task is not TaskName.MASKED_LANGUAGE_MODEL else {}),
        **{name: of for name, of in given.items() if of is not None},
        **({"least_steps": 0} if epochs is not None or steps else {}),
    }
    options = TrainOptions(
        records=records,
        out=out.absolute(),
        init=init,
        changes=tuple((name, value) for name, value in changes.items() if value is not None),
        steps=steps,
        batch_size=batch_size,
        schedule=schedule.value,
        warmup=warmup,
        weight_decay=weight_decay,
        accumulate=accumulate,
        ema=ema,
        precision=precision.value,
        deterministic=deterministic,
        seed=seed,
        checkpoint_minutes=checkpoint_minutes,
        knowledge_base=knowledge_base(kb, task=task.value),
        **learning,
    )
    told = run(options, task=task.value, fresh=fresh)
    if not no_report:
        _write_report(options.out)
    best = ", ".join(f"{name} {value:,.4g}" for name, value in told["best"].items())
    print(f"{told['steps']:,} steps, {told['seconds']:,.1f} s on {told['backend']}; best {best}: {out / BEST}")


def _write_report(out: Path) -> None:
    """A machine that only trains need not have what draws."""
    try:
        from pipelines.training.report import write_report
    except ModuleNotFoundError as error:
        tell(f"no report.html, which needs {error.name}: the same command writes it where that is installed")
        return
    write_report(out)
