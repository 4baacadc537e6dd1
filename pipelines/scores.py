"""Scores of anybody's predictions against gold, both files as the organisers have them."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.console import count_of
from pipelines.errors import InputError
from transforms.tasks.scores.relation_extraction import read_aliases
from transforms.tasks.task import TASKS


def score_files(
    task: str,
    predictions: Path,
    gold: Path,
    *,
    aliases: Path | None = None,
    rules: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, float]:
    """The metrics of a task, 0 to 1; raises InputError that names file and line.

    `predictions`: also in a zip archive, as some organisers ask for them. `aliases`: for relation extraction, what else
    may be said for a name. `rules`: for entity linking, those of another year. `tell`: hears of rows that only one of
    the files has, which the rules pass over.
    """
    said, true = read_both(task, predictions, gold)
    if missing := len(true.keys() - said.keys()):
        tell(f"{predictions}: has nothing for {missing:,} of the {count_of(len(true), 'row')} of {gold}")
    if others := len(said.keys() - true.keys()):
        tell(f"{predictions}: has {count_of(others, 'row')}, of {len(said):,}, that {gold} does not have")
    more = {"aliases": read_with(read_aliases, aliases)} if aliases is not None else dict[str, Any]()
    if rules is not None:
        more["rules"] = rules
    found: dict[str, float] = TASKS[task].score(said, true, **more)
    return found


def read_both(task: str, predictions: Path, gold: Path) -> tuple[Any, Any]:
    """Predictions and gold as the task scores them; raises InputError that names file and line."""
    kind = TASKS[task]
    true = read_with(kind.read_gold, gold)  # first: what is wrong there may be so in predictions that follow it
    return read_with(lambda content: kind.read_predictions(_unpacked(content)), predictions), true


def read_with(read: Callable[[bytes], Any], path: Path) -> Any:
    """What `read` makes of a file; raises InputError that names the file."""
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def _unpacked(content: bytes) -> bytes:
    """A file, or the one that a zip archive holds; raises ValueError."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if len(names := archive.namelist()) != 1:
                raise ValueError(f"an archive of {len(names)} files: give the one with predictions")
            return archive.read(names[0])
    except zipfile.BadZipFile as error:
        raise ValueError(f"damaged archive: {error}") from error
