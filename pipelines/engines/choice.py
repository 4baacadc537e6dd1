"""The engine that the options name, opened."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.engines.job import Engine
from pipelines.errors import UsageError

EngineName = Literal["local", "dask", "beam"]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the command line says of engines; `pipeline_options` is what stands after `--`."""

    name: EngineName = "local"
    workers: int | None = None
    scheduler: str | None = None
    scheduler_file: Path | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    pipeline_options: Sequence[str] = ()

    def check(self) -> None:
        """Raises UsageError for options that no engine, or another one, can carry out."""
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


@contextmanager
def open_engine(
    options: EngineOptions, *, tell: Callable[[str], None], performance_report: Path | None = None
) -> Iterator[Engine]:
    """Connects to what the engine needs, and lets it go at the end of the block.

    Raises UsageError where options do not fit the engine or its package is missing, EngineError where nobody answers.
    """
    options.check()
    if options.name == "local":
        from pipelines.engines.local import Local

        yield Local(options.workers or len(os.sched_getaffinity(0)))
        return
    opened: AbstractContextManager[Engine]
    try:
        if options.name == "dask":
            from pipelines.engines.dask import Dask

            opened = Dask(options, tell=tell, performance_report=performance_report)
        else:
            with _quiet():
                from pipelines.engines.beam import Beam

            opened = Beam(options)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--engine {options.name} needs the package {error.name}: pip install 'hanmill[{options.name}]'"
        ) from None
    with opened as engine:
        yield engine


@contextmanager
def _quiet() -> Iterator[None]:
    """Beam warns on import of clients for other clouds' tables, which nobody asked for."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
