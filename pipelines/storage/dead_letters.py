"""Dead letters of a run: written by shards, gathered at the end, and no more of them than are allowed."""

import json
from collections.abc import Mapping, Sequence
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


def gather_dead_letters(
    directory: Path, entries: Sequence[Entry], *, totals: Mapping[str, int], limit: str
) -> File | None:
    """Writes the dead letters of all shards in the order of source and offset.

    Raises BadRecordsError, when they are written, where totals have more of them than `limit` allows.
    """
    letters = []
    for entry in entries:
        if entry.dead_letters is not None:
            check_range(directory, entry.dead_letters)
            lines = (directory / entry.dead_letters.name).read_bytes().splitlines()
            letters += [DeadLetter(**json.loads(line)) for line in lines]
    if not letters:
        remove(directory / DEAD_LETTERS)
    letters.sort(key=lambda letter: (letter.source, letter.offset, letter.reason))
    file = write_dead_letters(directory, DEAD_LETTERS, letters)
    if not few_enough(limit, totals):
        bad, read = totals["dead_letters"], totals["documents"] + totals["dead_letters"]
        raise BadRecordsError(
            f"{bad:,} of {read:,} records are bad, more than --max-bad-records {limit}: "
            f"see {directory / DEAD_LETTERS}; mend the input, or allow more"
        )
    return file


def check_limit(text: str) -> str:
    """Returns the text of `--max-bad-records` if it is a number or a percentage; raises UsageError."""
    digits = text.removesuffix("%")
    if not digits.replace(".", "", int(text.endswith("%"))).isdecimal():
        raise UsageError(f"--max-bad-records {text}: write a number, or a share such as 5%")
    return text


def few_enough(limit: str, totals: Mapping[str, int]) -> bool:
    """Whether so many dead letters are allowed among so many records, `documents` and `dead_letters` of totals."""
    bad, read = totals["dead_letters"], totals["documents"] + totals["dead_letters"]
    return bad <= (float(limit[:-1]) / 100 * read if limit.endswith("%") else float(limit))
