"""Options that all commands share which run a job on an engine."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class EngineName(StrEnum):
    """As `--engine` names them."""

    LOCAL = "local"
    DASK = "dask"
    BEAM = "beam"


Out = Annotated[Path, typer.Option(metavar="DIR", help="Output folder.", show_default=False)]
Engine = Annotated[EngineName, typer.Option(help="Where tasks run.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Worker processes; default: all cores, or those of the cluster.", show_default=False),
]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Dask's, such as tcp://host:8786; else one is started here.")
]
SchedulerFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What `dask scheduler --scheduler-file` wrote.")
]
TlsCa = Annotated[Path | None, typer.Option(metavar="FILE", help="Certificate authority of the cluster.")]
TlsCert = Annotated[Path | None, typer.Option(metavar="FILE", help="Certificate to show the cluster.")]
TlsKey = Annotated[Path | None, typer.Option(metavar="FILE", help="Key of the certificate.")]
ShardBytes = Annotated[str, typer.Option(metavar="SIZE", help="Upper limit of a shard.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget what earlier runs left in DIR.")]
NoReport = Annotated[bool, typer.Option("--no-report", help="Write no report.html.")]
