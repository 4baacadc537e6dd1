"""`hanmill vocab`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import MOST


class UnitName(StrEnum):
    WORD = "word"
    CHARACTER = "character"


def vocab(
    counts: Annotated[
        Path, typer.Argument(metavar="COUNTS_DIR", help="Output folder of hanmill count.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the vocabulary goes.", show_default=False)],
    size: Annotated[
        int | None,
        typer.Option(min=6, max=MOST, help="At most so many tokens, 5 special ones among them.", show_default=False),
    ] = None,
    min_count: Annotated[int, typer.Option(min=1, max=MOST, help="Leave out rarer tokens.")] = 1,
    stop_words: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Leave out these tokens, one a line.", show_default=False)
    ] = None,
    unit: Annotated[
        UnitName | None, typer.Option(help="What tokens are; default: what was counted.", show_default=False)
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep what the corpus uses of this WordPiece vocabulary; its ids go to keep_tokens.json beside --out.",
            show_default=False,
        ),
    ] = None,
    idf: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write weights for jieba.analyse.set_idf_path too.", show_default=False),
    ] = None,
) -> None:
    """Make a vocabulary of a finished count: special tokens first, then by count, then by code point."""
    from pipelines.vocabulary import write_vocabulary

    written = write_vocabulary(
        counts,
        out,
        size=size,
        min_count=min_count,
        stop_words=stop_words,
        unit=unit.value if unit else None,
        base=base,
        idf=idf,
    )
    for path, content in written.items():
        print(f"{path}: {content}")
