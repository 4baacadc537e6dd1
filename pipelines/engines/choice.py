"""The engine that the options name, opened."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from pipelines.engines.job import Engine
from pipelines.engines.options import EngineOptions
from pipelines.errors import UsageError


@contextmanager
def open_engine(
    options: EngineOptions, *, tell: Callable[[str], None], performance_report: Path | None = None
) -> Iterator[Engine]:
    """Connects to what the engine needs, and lets it go at the end of the block.

    Raises UsageError where the engine's package is missing, EngineError where nobody answers.
    """
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
