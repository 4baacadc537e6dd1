"""Records as a person reads them: what they were made of, their tokens, and spans marked in the text."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.style import Style
from rich.text import Text

from pipelines.datasets import DataSet
from pipelines.errors import InputError
from pipelines.storage.manifest import File
from transforms.splits import TRAIN
from transforms.tasks.record import Kind, Record
from transforms.tfrecord import RecordError, read_frames
from transforms.vocabulary import SPECIAL_TOKENS

_CHARACTERS, _TOKENS = 400, 256  # that are shown of a record
# What a terminal would obey is shown by signs for it, one for one, so that spans stay where they are.
_SIGNS = {
    **{control: 0x2400 + control for control in range(0x20) if chr(control) not in "\n\t"},
    **dict.fromkeys(range(0x7F, 0xA0), 0xFFFD),
}
_COLOURS = ("green", "yellow", "cyan", "magenta", "blue", "red")


def show_records(directory: Path, *, split: str | None, count: int, skip: int) -> None:
    """Prints some records of a split; raises InputError where there are none."""
    data_set = DataSet.open(str(directory))
    splits = list(data_set.manifest["splits"])
    split = split or (TRAIN if TRAIN in splits else splits[0])
    task = data_set.task()
    console, shown = Console(), 0
    for number, record in enumerate(islice(data_set.records(split), skip, skip + count), skip):
        console.rule(Text(f"{split} {number:,}  {record['id'].translate(_SIGNS)}"), align="left")
        for part in _lines(task, record):
            console.print(part)
        shown += 1
    if not shown:
        raise InputError(f"{directory}: split {split} has {data_set.manifest['splits'][split]:,} records, no more")


def _lines(task: Any, record: Record) -> Iterator[Text]:
    text = record.get("context", record.get("text"))
    if "question" in record:
        yield Text.assemble(("question  ", "dim"), record["question"].translate(_SIGNS))
    if text is not None:
        marks = [(begin, end, meaning.translate(_SIGNS)) for begin, end, meaning in task.marks(record)]
        yield _marked(text.translate(_SIGNS), marks)
    for name, kind in task.schema.items():
        if kind in (Kind.TEXTS, Kind.INTEGER) and len(record[name] if kind is Kind.TEXTS else "1"):
            value = ", ".join(record[name]) if kind is Kind.TEXTS else str(record[name])
            yield Text.assemble((f"{name}  ", "dim"), value.translate(_SIGNS))
    yield _tokens(task, record)


def _marked(text: str, marks: Sequence[tuple[int, int, str]]) -> Text:
    """The text with its spans in colours, and what each means below; what is long ends behind the last span."""
    last = max((end for begin, end, _ in marks if end - begin < len(text)), default=0)
    length = max(_CHARACTERS, last) if len(text) > _CHARACTERS else len(text)
    shown = Text(text[:length])
    if length < len(text):
        shown.append(f" ... {len(text) - length:,} characters more", "dim")
    for number, (begin, end, _) in enumerate(marks):
        if end - begin < len(text):
            shown.stylize(Style(color=_COLOURS[number % len(_COLOURS)], underline=True), begin, end)
    for number, (begin, end, meaning) in enumerate(marks):
        said = text[begin:end] if end - begin < len(text) else ""
        shown.append(f"\n  {said}", Style(color=_COLOURS[number % len(_COLOURS)]))
        shown.append(f"  {meaning}" + (f"  {begin}-{end}" if said else ""), "dim")
    return shown


def _tokens(task: Any, record: Record) -> Text:
    """Tokens with bars between them; those of one word of a masked language model stand together."""
    tokens = [task.vocabulary.tokens[number] for number in record["ids"].tolist()]
    words = record["words"].tolist() if "words" in record else range(1, len(tokens) + 1)
    shown = Text.assemble((f"{len(tokens)} tokens  ", "dim"))
    for number, token in enumerate(tokens):
        if number and not (words[number] == words[number - 1] > 0):
            shown.append("|" if words[number] > 0 < words[number - 1] else " ", "dim")
        if number == _TOKENS:
            shown.append(f" ... {len(tokens) - number:,} tokens more", "dim")
            break
        shown.append(token, "bold" if token in SPECIAL_TOKENS else "")
    return shown


def verify_records(directory: Path) -> list[str]:
    """Reads every record file of a finished output again; returns what is wrong with framing and counts."""
    data_set, wrong = DataSet.open(str(directory)), []
    for part in (File(**part) for part in data_set.manifest["parts"]):
        try:
            with (directory / part.name).open("rb") as file:
                found = sum(1 for _ in read_frames(file, name=str(directory / part.name)))
        except (OSError, RecordError) as error:
            wrong.append(str(error))
            continue
        if found != part.records:
            wrong.append(f"{directory / part.name}: {found:,} records, the manifest has {part.records:,}")
    return wrong
