"""The commands `hanmill bench ...`: arguments in, calls out."""

from typing import Annotated

import typer

bench = typer.Typer(no_args_is_help=True, help="Measure and print the headline figures.")
Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help="Real articles: figures depend on the text.")]
Rounds = Annotated[int, typer.Option(min=1, help="Interleaved rounds; medians are printed.")]
Workers = Annotated[int, typer.Option(min=1)]


@bench.command("segmentation")
def bench_segmentation(inputs: Inputs, rounds: Rounds = 5, megabytes: float = 20.0) -> None:
    """One core, text in memory: jieba, rjieba, hanmill."""
    from pipelines.bench import counting

    counting.bench_segmentation(inputs, rounds=rounds, megabytes=megabytes)


@bench.command("count")
def bench_count(inputs: Inputs, rounds: Rounds = 5, workers: Workers = 2) -> None:
    """The whole command against the plain loop over jieba."""
    from pipelines.bench import counting

    counting.bench_count(inputs, rounds=rounds, workers=workers)


@bench.command("memory")
def bench_memory(inputs: Inputs, workers: Workers = 2) -> None:
    """The largest process of a count."""
    from pipelines.bench import counting

    counting.bench_memory(inputs, workers=workers)
