"""What the command line says of engines, and what of it goes together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.errors import UsageError

EngineName = Literal["local", "dask", "beam"]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the command line says of engines; `pipeline_options` is what stands after `--`.

    Raises UsageError for options that no engine, or another one, can carry out.
    """

    name: EngineName = "local"
    workers: int | None = None
    scheduler: str | None = None
    scheduler_file: Path | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    pipeline_options: Sequence[str] = ()

    def __post_init__(self) -> None:
        names = ("scheduler", "scheduler_file", "tls_ca", "tls_cert", "tls_key")
        given = ["--" + name.replace("_", "-") for name in names if getattr(self, name) is not None]
        if given and self.name != "dask":
            raise UsageError(f"{given[0]} is for --engine dask, and this is --engine {self.name}")
        if self.scheduler and self.scheduler_file:
            raise UsageError("--scheduler and --scheduler-file both name a scheduler: give one")
        if 0 < sum(name.startswith("--tls") for name in given) < 3:
            raise UsageError("--tls-ca, --tls-cert and --tls-key belong together: give all three")
        if self.pipeline_options and self.name != "beam":
            raise UsageError(
                f"{self.pipeline_options[0]}: options after -- are for --engine beam, and this is --engine {self.name}"
            )
