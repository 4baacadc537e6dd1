"""Options that several commands share: their types for the command line, and the values made of them."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelines.errors import UsageError

if TYPE_CHECKING:
    from pipelines.storage import listing
    from pipelines.storage.sources import Reading

MOST = (1 << 31) - 1  # what no count of things may be over: larger numbers end in errors of other libraries
EXIT_CODES = "Exit codes: 0 done, 2 usage, 3 input, 4 too many bad records, 5 engine, 130 interrupted."


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call of the command: seconds since the epoch when it began, and the pipeline options behind `--`."""

    started: float
    pipeline_options: Sequence[str]


class FormatName(StrEnum):
    AUTO = "auto"
    LINES = "lines"
    TSV = "tsv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    DOCUMENT = "document"


class ErrorsName(StrEnum):
    DEAD_LETTER = "dead-letter"
    REPLACE = "replace"


Directory = Annotated[Path, typer.Argument(help="Output folder of a run.", show_default=False)]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Output folder.", show_default=False)]
Encoding = Annotated[str, typer.Option(help="auto: UTF-8, else GB18030; or any encoding Python knows.")]
Pattern = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB",
        help="Document files in directories and archives; repeatable.",
        show_default="*.txt *.md",
    ),
]
Format = Annotated[FormatName, typer.Option(help="Of named files; auto goes by suffix.")]
TextField = Annotated[str, typer.Option(help="JSON field or Parquet column of the text.")]
LabelField = Annotated[str, typer.Option(help="JSON field or Parquet column of the label.")]
IdField = Annotated[str, typer.Option(help="JSON field that names a record in messages.")]
ShardBytes = Annotated[str, typer.Option(metavar="SIZE", help="Upper limit of a shard.")]
MaxDocumentBytes = Annotated[str, typer.Option(metavar="SIZE", help="Longer documents are bad records.")]
KnowledgeBase = Annotated[
    Path | None,
    typer.Option(
        "--kb", metavar="DIR", help="entity-linking: the knowledge base, where it was moved.", show_default=False
    ),
]
NoReport = Annotated[bool, typer.Option("--no-report", help="Write no report.html.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget what earlier runs left in DIR.")]
Errors = Annotated[ErrorsName, typer.Option(help="What to do with bytes that cannot be decoded.")]
MaxBadRecords = Annotated[str, typer.Option(metavar="N|P%", help="More bad records end the run with exit code 4.")]


def reading_options(
    *,
    encoding: str,
    errors: ErrorsName,
    format: "listing.Format | Literal['auto']",
    pattern: Sequence[str] | None,
    text_field: str,
    label_field: str,
    id_field: str,
    max_document_bytes: str,
) -> "Reading":
    """How a command's inputs are read; raises UsageError."""
    from pipelines.storage.sources import PATTERNS, Reading, check_encoding

    return Reading(
        encoding=check_encoding(encoding),
        errors=errors.value,
        format=format,
        patterns=tuple(pattern or PATTERNS),
        text_field=text_field,
        label_field=label_field,
        id_field=id_field,
        max_document_bytes=parse_size(max_document_bytes, "--max-document-bytes"),
    )


def knowledge_base(directory: Path | None, *, task: str) -> Path | None:
    """What `--kb` names, for workers with another working directory; raises UsageError for a task without entities."""
    if directory is not None and task != "entity-linking":
        raise UsageError(f"--kb: {task} has no entities; only entity-linking takes it")
    return directory and directory.absolute()


def parse_number(text: str, option: str) -> int:
    """A whole number, as `1000`, `1_000` or `1e3`; raises UsageError."""
    try:
        number = float(text)
        if number.is_integer():
            return int(number)
    except ValueError:
        pass
    raise UsageError(f"{option} {text}: not a whole number; write 1000, or 1e3")


@contextlib.contextmanager
def needing(extra: str, *, command: str) -> Iterator[None]:
    """Around imports: raises UsageError that names the extra with a package that is not there."""
    try:
        if extra == "train":
            import pipelines.quiet_keras  # noqa: F401
        yield
    except ModuleNotFoundError as error:
        raise UsageError(f"{command} needs the package {error.name}: pip install 'hanmill[{extra}]'") from None


def parse_size(text: str, option: str) -> int:
    """Bytes of `64`, `64kB`, `32MiB` and the like; raises UsageError."""
    units = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
    number = text.strip().rstrip("BbKkMmGgIi")
    unit = text.strip()[len(number) :].upper()
    try:
        size = int(float(number) * units[unit])
    except (ValueError, KeyError, OverflowError):
        raise UsageError(f"{option} {text}: not a size; write bytes, or 64kB, 32MiB, 1GiB") from None
    if size < 1:
        raise UsageError(f"{option} {text}: must be at least one byte")
    return size
