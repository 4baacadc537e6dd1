"""Make a vocabulary of a finished count: its words, its characters, or what it uses of a pretrained vocabulary."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from pipelines.counts import finished_count, read_counts
from pipelines.errors import InputError, UsageError
from pipelines.storage.commit import attempt, write_bytes, write_json
from pipelines.storage.manifest import File, check_file
from transforms.vocabulary import (
    Vocabulary,
    characters,
    cut_vocabulary,
    idf_lines,
    make_vocabulary,
    read_stop_words,
    with_pieces,
)

Unit = Literal["word", "character"]
Manifest = Mapping[str, Any]
Counts = Iterator[tuple[list[str], npt.NDArray[np.int64]]]
Content = TypeVar("Content")

KEEP_TOKENS = "keep_tokens.json"
ROWS = 1 << 14


def write_vocabulary(
    directory: Path,
    out: Path,
    *,
    size: int | None = None,
    min_count: int = 1,
    stop_words: Path | None = None,
    unit: Unit | None = None,
    base: Path | None = None,
    idf: Path | None = None,
) -> dict[Path, str]:
    """Writes a vocabulary of a finished count, the same bytes for the same counts; returns what each file holds.

    `size`, `min_count`: of tokens. `stop_words`: a file of words that become no tokens. `unit`: by default what was
    counted. `base`: a pretrained WordPiece vocabulary, of which the tokens that the corpus uses are kept;
    `keep_tokens.json` beside `out` lists their ids. `idf`: where weights for `jieba.analyse.set_idf_path` go. Raises
    UsageError for options that contradict each other, InputError for a count that does not serve and for files that
    cannot be read or written.
    """
    keep = out.with_name(KEEP_TOKENS) if base else None
    _check_files({"--out": out, KEEP_TOKENS: keep, "--idf": idf, "--base": base, "--stop-words": stop_words})
    if base and (unit or stop_words):
        other = "--unit" if unit else "--stop-words"
        raise UsageError(f"{other}: --base keeps exactly the tokens that the corpus uses: leave one of the two out")
    manifest = finished_count(directory)
    unit = _unit(directory, manifest["configuration"]["tokenizer"], unit=unit, base=base)
    _check_parts(directory, manifest)
    told = dict[Path, str]()
    if base and keep:
        vocabulary, kept, told[out] = _cut(directory, manifest, base, size=size, min_count=min_count)
        with _writing(keep):
            write_json(keep, kept, indent=None)
        told[keep] = f"the ids that they have in {base}"
    else:
        vocabulary, told[out] = _make(directory, manifest, unit, size=size, min_count=min_count, stop_words=stop_words)
    if manifest["min_count"] > 1:
        told[out] += f"; the count itself left out words rarer than {manifest['min_count']}"
    if idf:
        told[idf] = _write_idf(directory, manifest, idf)
    with _writing(out):
        write_bytes(out, vocabulary.content)
    return told


def _check_files(files: Mapping[str, Path | None]) -> None:
    """Raises UsageError where a file would be written over another that is named."""
    names: dict[Path, str] = {}
    for name, path in files.items():
        if path is not None:
            other = names.setdefault(path.resolve(), name)
            if other != name:
                raise UsageError(f"{other} and {name} are the same file, {path}: name another")


def _unit(directory: Path, tokenizer: str, *, unit: Unit | None, base: Path | None) -> Unit:
    """What becomes tokens; raises UsageError or InputError where the counts do not tell."""
    if tokenizer == "search":
        raise InputError(
            f"{directory} was counted with --tokenizer search, whose words overlap: what they share would count twice; "
            "count with --tokenizer words into another folder"
        )
    if tokenizer == "characters" and (base or unit == "word"):
        raise UsageError(
            f"{'--base' if base else '--unit word'}: {directory} was counted with --tokenizer characters, it holds no "
            "words: count with --tokenizer words into another folder"
        )
    return unit or ("character" if tokenizer == "characters" else "word")


def _check_parts(directory: Path, manifest: Manifest) -> None:
    """Raises InputError if there is no word, or a part is not as it was written."""
    for part in manifest["parts"]:
        if check_file(directory, File(**part)):
            path = directory / part["name"]
            raise InputError(f"{path}: missing or damaged: remove what is left of it and run the count again")
    if not manifest["totals"]["words"]:
        raise InputError(f"{directory}: not a single word was counted there")


def _read(read: Callable[[Path], Content], path: Path) -> Content:
    """What is in a file; its faults as InputError."""
    try:
        return read(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(str(error)) from error


def _counted(directory: Path, manifest: Manifest) -> Counts:
    for batch in read_counts(directory, manifest, rows=ROWS):
        yield batch["word"].to_pylist(), batch["count"].to_numpy()


def _make(
    directory: Path, manifest: Manifest, unit: Unit, *, size: int | None, min_count: int, stop_words: Path | None
) -> tuple[Vocabulary, str]:
    """A vocabulary of words or characters, and what it is in words."""
    leave_out = _read(read_stop_words, stop_words) if stop_words else frozenset[str]()
    total = manifest["totals"]["tokens"]
    counted = _counted(directory, manifest)
    if unit == "character":
        found, counts = characters(counted)
        total, counted = int(counts.sum()), iter([(found, counts)])
    stopped = set[str]()
    counted = _noting(counted, leave_out, stopped)
    vocabulary, counts = make_vocabulary(counted, size=size, min_count=min_count, leave_out=leave_out)
    if unit == "character":
        vocabulary = with_pieces(vocabulary, size=size)
    kept = sum(not (len(token) == 3 and token.startswith("##")) for token in vocabulary.tokens)
    covered = int(counts[: kept if unit == "character" else None].sum())
    told = f"{len(vocabulary):,} tokens; they cover {_share(covered, total)} {unit}s"
    return vocabulary, f"{told}; {len(stopped):,} of {len(leave_out):,} stop words left out" if stop_words else told


def _noting(counted: Counts, wanted: frozenset[str], found: set[str]) -> Counts:
    """Passes batches on and notes which words of interest they hold."""
    for words, counts in counted:
        found.update(wanted.intersection(words))
        yield words, counts


def _cut(
    directory: Path, manifest: Manifest, path: Path, *, size: int | None, min_count: int
) -> tuple[Vocabulary, list[int], str]:
    """The part of a pretrained vocabulary that the corpus uses, the ids it has there, and what it is in words."""
    try:
        from transforms.wordpiece import WordPiece
    except ModuleNotFoundError as error:
        raise UsageError(f"--base needs the package {error.name}: pip install 'hanmill[records]'") from None
    base = _read(Vocabulary.read, path)
    wordpiece = WordPiece(base, lowercase=not base.cased)
    counts = np.zeros(len(base), np.int64)
    for words, numbers in _counted(directory, manifest):
        counts += wordpiece.count(words, numbers)
    kept = cut_vocabulary(base, counts, size=size, min_count=min_count)
    covered, total = int(counts[kept].sum() - counts[base.unknown]), int(counts.sum())
    vocabulary = Vocabulary(tuple(base.tokens[token] for token in kept))
    told = f"{len(kept):,} of {len(base):,} tokens; they cover {_share(covered, total)} pieces of words"
    return vocabulary, kept, told


def _share(covered: int, total: int) -> str:
    return f"{100 * covered / max(total, 1):.3f} % of {total:,}"


def _write_idf(directory: Path, manifest: Manifest, path: Path) -> str:
    """Writes the weights of all words that were counted."""
    written = 0
    with _writing(path), attempt(path) as file:
        for batch in read_counts(directory, manifest, rows=ROWS):
            lines = idf_lines(
                batch["word"].to_pylist(), batch["documents"].to_numpy(), documents=manifest["totals"]["documents"]
            )
            file.write("".join(lines).encode())
            written += len(lines)
    left_out = manifest["totals"]["words"] - written
    return f"weights of {written:,} words" + (f"; {left_out:,} that hold white space left out" if left_out else "")


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Makes the folder, and an InputError of what goes wrong."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}: it cannot be written there") from error
