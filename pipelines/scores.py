"""Scores of anybody's predictions against gold, both files as the organisers have them."""

import contextlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.console import count_of
from pipelines.errors import InputError
from transforms.tasks.json_input import utf8
from transforms.tasks.scores.relation_extraction import read_aliases
from transforms.tasks.task import TASKS

_SHOWN = 40  # characters of a text that names a row


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
    kind = TASKS[task]
    said, true = read_both(task, predictions, gold)
    for path, rows in ((predictions, said), (gold, true)):
        if again := _rows(path) - len(rows) if kind.known_by == "text" else 0:
            tell(f"{path}: {count_of(again, 'row')} with a text that stands there again: of each the last counts")
    if missing := [row for row in true if row not in said]:
        several = f"{len(missing):,} of the {count_of(len(true), 'row')} of {gold}"
        tell(f"{predictions}: has nothing for {several}, as {_named(missing[0])}")
    if others := [row for row in said if row not in true]:
        several = f"{count_of(len(others), 'row')}, of {len(said):,},"
        tell(f"{predictions}: has {several} that {gold} does not have, as {_named(others[0])}")
    more = {"aliases": read_with(read_aliases, aliases)} if aliases is not None else dict[str, Any]()
    if rules is not None:
        more["rules"] = rules
    found: dict[str, float] = kind.score(said, true, **more)
    return found


def read_both(task: str, predictions: Path, gold: Path) -> tuple[Any, Any]:
    """Predictions and gold as the task scores them; raises InputError that names file and line."""
    kind = TASKS[task]
    # First: what is wrong in gold may be so in predictions that follow it.
    true = read_gold(task, gold, instead=predictions)
    return read_with(lambda content: kind.read_predictions(_unpacked(content)), predictions), true


def read_gold(task: str, gold: Path, *, instead: Path | None = None) -> Any:
    """What a file says is right; raises InputError, also for one without a row, in which nothing could be right.

    `instead`: a file that may have been named in its place, where the two have formats of their own.
    """
    kind = TASKS[task]
    read = kind.read_gold
    try:
        true = read_with(read, gold)
    except InputError as error:
        if (
            instead is not None
            and read is not kind.read_predictions
            and _readable(read, instead)
            and _readable(kind.read_predictions, gold)
        ):
            raise InputError(f"{error}; but {instead} is of the task's format: name it second") from None
        raise
    if not true:
        raise InputError(f"{gold}: no row in it, so there is nothing to score")
    return true


def _readable(read: Callable[[bytes], Any], path: Path) -> bool:
    with contextlib.suppress(InputError):
        return bool(read_with(read, path))
    return False


def _rows(path: Path) -> int:
    return sum(bool(line.strip()) for line in utf8(_unpacked(path.read_bytes())).split("\n"))


def _named(row: str | tuple[str, ...]) -> str:
    """What names a row: its id, or its text; of entity linking its id and text."""
    said = row if isinstance(row, str) else row[0]
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"


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
            # What a Mac puts beside a file it packs holds no predictions.
            names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
            if len(names) != 1:
                raise ValueError(f"an archive of {len(names)} files: give the one with predictions")
            return archive.read(names[0])
    except zipfile.BadZipFile as error:
        raise ValueError(f"damaged archive: {error}") from error
