"""The commands `hanmill bench ...`: arguments in, calls out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.errors import UsageError

bench = typer.Typer(no_args_is_help=True, help="Measure and print the headline figures.")


class Scheduling(StrEnum):
    """Engines that schedule tasks themselves; a Beam runner does what it likes."""

    LOCAL = "local"
    DASK = "dask"


Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help="Real articles: figures depend on the text.")]
Corpus = Annotated[
    list[str] | None,
    typer.Option(metavar="INPUT", help="Real articles, repeatable; default: made ones, as of `hanmill sample`."),
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Where figures, page and chart go.")]
Numbers = Annotated[str, typer.Option(metavar="N,...")]
Rounds = Annotated[int, typer.Option(min=1, help="Interleaved rounds; medians are printed.")]
Workers = Annotated[int, typer.Option(min=1)]


@bench.command("segmentation")
def bench_segmentation(inputs: Inputs, rounds: Rounds = 5, megabytes: float = 20.0) -> None:
    """One core, text in memory: jieba, rjieba, hanmill."""
    from pipelines.bench import counting

    counting.bench_segmentation(inputs, rounds=rounds, megabytes=megabytes)


def numbers(text: str, option: str) -> list[int]:
    """Whole numbers of 1 and more, in order; raises UsageError for anything else."""
    try:
        found = sorted({int(number) for number in text.split(",")})
    except ValueError:
        found = [0]
    if found[0] < 1:
        raise UsageError(f"{option} {text}: whole numbers of 1 and more, with commas between them")
    return found


@bench.command("count")
def bench_count(
    corpus: Corpus = None,
    megabytes: Annotated[float, typer.Option(min=0.001, help="Decoded text, evenly from the corpus.")] = 100.0,
    workers: Numbers = "1,2",
    rounds: Rounds = 5,
    out: Out = Path("bench"),
    record: Annotated[bool, typer.Option("--record", help="Add a row to docs/benchmarks.md.")] = False,
) -> None:
    """Every engine against all that a user could pick instead, side by side; the whole takes ten minutes."""
    from pipelines.bench.headline import bench_count as bench

    chosen = numbers(workers, "--workers")
    bench(corpus or [], megabytes=megabytes, workers=chosen, rounds=rounds, out=out, record=record)


@bench.command("growth")
def bench_growth(
    corpus: Corpus = None,
    megabytes: Numbers = "10,100,500,2000",
    thucnews: Annotated[bool, typer.Option("--thucnews", help="Also 836,000 small files, 2.2 GB together.")] = False,
    workers: Workers = 2,
    rounds: Rounds = 3,
    out: Out = Path("bench"),
) -> None:
    """How time and memory grow with the work, and where the time goes; what is longer than the corpus repeats it."""
    from pipelines.bench.growth import bench_growth as bench

    sizes = numbers(megabytes, "--megabytes")
    bench(corpus or [], megabytes=sizes, thucnews=thucnews, workers=workers, rounds=rounds, out=out)


@bench.command("scaling")
def bench_scaling(
    growth: Annotated[list[Path], typer.Argument(metavar="GROWTH_JSON...", help="What `hanmill bench growth` left.")],
    terabytes: Numbers = "1,100",
    workers: Numbers = "2,16,128,1024",
    storage: Annotated[float, typer.Option(min=0.001, help="GB/s of shared storage, to all workers together.")] = 5.0,
    network: Annotated[float, typer.Option(min=0.001, help="GB/s of each machine.")] = 1.25,
    cores: Annotated[int, typer.Option(min=1, help="Workers of a machine, which share its network.")] = 16,
) -> None:
    """What many workers would take, by a model fitted to measured runs, and what binds them first."""
    from pipelines.bench.scaling import Cluster
    from pipelines.bench.scaling_tables import print_scaling

    cluster = Cluster(storage=1e9 * storage, network=1e9 * network, cores=cores)
    sizes = numbers(terabytes, "--terabytes")
    print_scaling(growth, terabytes=sizes, workers=numbers(workers, "--workers"), cluster=cluster)


@bench.command("memory")
def bench_memory(inputs: Inputs, workers: Workers = 2) -> None:
    """The largest process of a count."""
    from pipelines.bench import counting

    counting.bench_memory(inputs, workers=workers)


@bench.command("engines")
def bench_engines(
    inputs: Inputs,
    engine: Annotated[list[str] | None, typer.Option(help="Repeatable; default: all three.")] = None,
    rounds: Rounds = 3,
    workers: Workers = 2,
) -> None:
    """How much several workers gain on each engine, and how much over the plain loop."""
    from pipelines.bench import engines

    engines.bench_engines(inputs, engines=engine or ["local", "dask", "beam"], rounds=rounds, workers=workers)


@bench.command("scheduling")
def bench_scheduling(
    engine: Annotated[Scheduling, typer.Option()] = Scheduling.DASK,
    shards: Annotated[int, typer.Option(min=1)] = 10_000,
    workers: Workers = 2,
) -> None:
    """Shards of nothing: what an engine itself takes for each."""
    from pipelines.bench import engines

    engines.bench_scheduling(engine=engine.value, shards=shards, workers=workers)


@bench.command("profile")
def bench_profile(inputs: Inputs, workers: Workers = 2) -> None:
    """Where a worker's time goes; shards are cut for so many workers."""
    from pipelines.bench import profile

    profile.bench_profile(inputs, workers=workers)


@bench.command("records")
def bench_records(
    inputs: Inputs,
    vocab: Annotated[Path, typer.Option(metavar="FILE", help="WordPiece vocabulary.", show_default=False)],
    init: Annotated[
        Path | None, typer.Option(metavar="CHECKPOINT", help="Time a training step of it too.", show_default=False)
    ] = None,
    rounds: Rounds = 3,
    workers: Workers = 2,
) -> None:
    """Records against the library's tokenizer alone, framing, messages, and reading them again."""
    from pipelines.bench import records

    records.bench_records(inputs, vocabulary=vocab, checkpoint=init, rounds=rounds, workers=workers)


@bench.command("encoder")
def bench_encoder(
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    length: Annotated[int, typer.Option(min=2, max=512, help="Tokens of the longest text.")] = 128,
    variants: Annotated[
        bool, typer.Option("--variants", help="Our kinds of attention on TensorFlow, not other libraries.")
    ] = False,
    rounds: Rounds = 15,
) -> None:
    """A training step of our BERT on each backend, of transformers' and of keras_hub's: those that are installed."""
    from pipelines.bench import encoder

    peers = encoder.VARIANTS if variants else encoder.PEERS
    encoder.bench_encoder(peers, batch_size=batch_size, length=length, rounds=rounds)


@bench.command("kb")
def bench_kb(entities: Annotated[int, typer.Option(min=1)] = 400_000, workers: Workers = 2, rounds: Rounds = 3) -> None:
    """A knowledge base of made entities: time, memory and size of its build, and candidates of texts."""
    from pipelines.bench import knowledge_base

    knowledge_base.bench_knowledge_base(entities=entities, workers=workers, rounds=rounds)


@bench.command("dictionary")
def bench_dictionary() -> None:
    """Seconds to compile the dictionary, and to load it compiled."""
    from pipelines.bench import profile

    profile.bench_dictionary()


@bench.command("angles")
def bench_angles(
    n: Annotated[int, typer.Option("--dimension", min=2)] = 100,
    pairs: Annotated[int, typer.Option(min=1)] = 100_000,
    rounds: Rounds = 5,
) -> None:
    """One core: angles between random vectors by NumPy's plain program and by both methods; ways to find the bin."""
    from pipelines.bench import angles

    angles.bench_methods(n=n, pairs=pairs, rounds=rounds)
    angles.bench_bins(n=n, rounds=rounds)


@bench.command("agreement")
def bench_agreement(
    first: Annotated[Path, typer.Argument(metavar="DIR", help="Output folder of `hanmill angles`.")],
    second: Annotated[Path, typer.Argument(metavar="DIR", help="Another one, with the same number of bins.")],
) -> None:
    """The two-sample Kolmogorov-Smirnov test of two simulations of angles, by dimension."""
    from pipelines.bench import angles

    angles.print_agreement(first, second)
