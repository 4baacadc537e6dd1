"""`hanmill evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import knowledge_base, needing
from pipelines.commands.score import AsJson, Task, show
from pipelines.errors import UsageError


def evaluate(
    task: Task,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The task's data, with what is right.", show_default=False)
    ],
    model: Annotated[Path | None, typer.Option(metavar="RUN", help="Folder of hanmill train.")] = None,
    oracle: Annotated[bool, typer.Option("--oracle", help="Score the file's own gold after it was decoded.")] = False,
    schema: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The task's labels; default: those in FILE.")
    ] = None,
    vocab: Annotated[
        Path | None, typer.Option(metavar="FILE", help="WordPiece vocabulary; default: the characters of FILE.")
    ] = None,
    kb: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Output folder of hanmill kb build; default: RUN's, or one made of FILE's mentions."
        ),
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(min=8, help="Most tokens of a record; default: the task's.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score what a model predicts, or with --oracle what decoding makes of gold: the best that a model could do."""
    if oracle == (model is not None):
        which = "not both" if oracle else "one of the two"
        raise UsageError(f"what is to be evaluated? --model RUN, or --oracle: {which}")
    kb = knowledge_base(kb, task=task.value)
    if model is not None:
        if (schema, vocab, max_length) != (None, None, None):
            raise UsageError("--schema, --vocab, --max-length: only with --oracle; a RUN has its own")
        with needing("train", command="hanmill evaluate --model"):
            from pipelines.evaluate import evaluate as evaluate_model

        show(evaluate_model(model, file, task=task.value, knowledge_base=kb), as_json)
        return
    with needing("records", command="hanmill evaluate"):
        from pipelines.oracle import Oracle, score_oracle
        from pipelines.task_options import check_listed

    if schema is not None:
        check_listed(task.value)
    made = Oracle.of(task.value, file, schema=schema, vocabulary=vocab, knowledge_base=kb, max_length=max_length or 0)
    show({**score_oracle(made, file), "bad_records": len(made.dead), "cut": made.cut}, as_json)
    if not as_json:
        unit = "paragraph" if made.task.reads == "paragraphs" else "byte"
        for letter in made.dead[:10]:
            print(f"  {letter.source}, {unit} {letter.offset:,}: {letter.reason}")
