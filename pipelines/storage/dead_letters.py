"""Dead letters of a run: written by shards, gathered at the end, and no more of them than are allowed."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pipelines.errors import BadRecordsError, UsageError
from pipelines.storage.batches import DeadLetter
from pipelines.storage.commit import attempt, remove
from pipelines.storage.manifest import DEAD_LETTERS, Entry, File, check_range


def write_dead_letters(directory: Path, name: str, letters: Sequence[DeadLetter]) -> File | None:
    """Commits dead letters, a JSON object a line; nothing if there are none."""
    if not letters:
        return None
    with attempt(directory / name) as file:
        for letter in letters:
            file.write((json.dumps(asdict(letter), ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"))
    return File(name, file.sha256, file.size, len(letters))


def gather_dead_letters(directory: Path, entries: Sequence[Entry]) -> File | None:
    """Writes the dead letters of all shards in the order of source and offset."""
    letters = []
    for entry in entries:
        if entry.dead_letters is not None:
            check_range(directory, entry.dead_letters)
            lines = (directory / entry.dead_letters.name).read_bytes().splitlines()
            letters += [DeadLetter(**json.loads(line)) for line in lines]
    if not letters:
        remove(directory / DEAD_LETTERS)
    letters.sort(key=lambda letter: (letter.source, letter.offset, letter.reason))
    return write_dead_letters(directory, DEAD_LETTERS, letters)


def check_limit(text: str) -> str:
    """Returns the text of `--max-bad-records` if it is a number or a percentage; raises UsageError."""
    digits = text.removesuffix("%")
    if not digits.replace(".", "", int(text.endswith("%"))).isdecimal():
        raise UsageError(f"--max-bad-records {text}: write a number, or a share such as 5%")
    return text


def most_bad(limit: str, *, read: int) -> float:
    """How many of so many records may be bad."""
    return float(limit[:-1]) / 100 * read if limit.endswith("%") else float(limit)


def check_bad_records(directory: Path, limit: str, *, bad: int, read: int) -> None:
    """Raises BadRecordsError where more records are bad than are allowed."""
    if bad > most_bad(limit, read=read):
        raise BadRecordsError(
            f"{bad:,} of {read:,} records are bad, more than --max-bad-records {limit}: "
            f"see {directory / DEAD_LETTERS}; mend the input, or allow more"
        )
