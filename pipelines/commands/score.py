"""`hanmill score` and `hanmill evaluate`."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.commands.options import knowledge_base, needing
from pipelines.errors import UsageError


class ScoredName(StrEnum):
    READING_COMPREHENSION = "reading-comprehension"
    RELATION_EXTRACTION = "relation-extraction"
    EVENT_EXTRACTION = "event-extraction"
    ENTITY_LINKING = "entity-linking"


class RulesName(StrEnum):
    CCKS2019 = "ccks2019"
    DUEL2020 = "duel2020"


_DATA = "The task's data, with what is right."
Task = Annotated[ScoredName, typer.Argument(metavar="TASK", help="Whose metric.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON object.")]


def score(
    task: Task,
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="What is submitted to the organisers.", show_default=False)
    ],
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help=_DATA, show_default=False)],
    aliases: Annotated[
        Path | None, typer.Option(metavar="FILE", help="DuIE's: a name and what else it is called, with tabs between.")
    ] = None,
    rules: Annotated[
        RulesName | None,
        typer.Option(help="Entity linking: how NIL counts.", show_default="ccks2019, not at all"),
    ] = None,
    kb: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Entity linking: count apart the mentions whose entity this knowledge base has."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a file of predictions, whoever made it, by the organisers' rules."""
    if aliases is not None and task is not ScoredName.RELATION_EXTRACTION:
        raise UsageError(f"--aliases: {task.value} has none; only relation-extraction takes them")
    if rules is not None and task is not ScoredName.ENTITY_LINKING:
        raise UsageError(f"--rules: {task.value} has one rule; only entity-linking takes it")
    kb = knowledge_base(kb, task=task.value)
    with needing("records", command="hanmill score"):
        from pipelines.console import tell
        from pipelines.linking import links_of_known
        from pipelines.scores import score_files

    found: dict[str, Any] = score_files(
        task.value, predictions, gold, aliases=aliases, rules=rules.value if rules else None, tell=tell
    )
    if kb is not None:
        found |= links_of_known(predictions, gold, kb)
    _tell(found, as_json)


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

        _tell(evaluate_model(model, file, task=task.value, knowledge_base=kb), as_json)
        return
    with needing("records", command="hanmill evaluate"):
        from pipelines.oracle import Oracle, score_oracle
        from pipelines.task_options import check_listed

    if schema is not None:
        check_listed(task.value)
    made = Oracle.of(task.value, file, schema=schema, vocabulary=vocab, knowledge_base=kb, max_length=max_length or 0)
    _tell({**score_oracle(made, file), "bad_records": len(made.dead), "cut": made.cut}, as_json)
    if not as_json:
        unit = "paragraph" if made.task.reads == "paragraphs" else "byte"
        for letter in made.dead[:10]:
            print(f"  {letter.source}, {unit} {letter.offset:,}: {letter.reason}")


def _tell(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))
    else:
        values = [f"{value:.4f}" if isinstance(value, float) else f"{value:,}" for value in found.values()]
        print("  ".join(f"{name.replace('_', ' ')} {value}" for name, value in zip(found, values, strict=True)))
