"""`hanmill score`."""

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
    show(found, as_json)


def show(found: dict[str, Any], as_json: bool) -> None:
    """Prints metrics by name, for people or as JSON."""
    if as_json:
        print(json.dumps(found))
    else:
        values = [f"{value:.4f}" if isinstance(value, float) else f"{value:,}" for value in found.values()]
        print("  ".join(f"{name.replace('_', ' ')} {value}" for name, value in zip(found, values, strict=True)))
