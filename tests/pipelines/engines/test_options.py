"""Options of engines: what goes together, and what belongs to another engine."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.options import EngineOptions
from pipelines.errors import UsageError

PEM = Path("x.pem")


@pytest.mark.parametrize(
    ("engine", "options", "message"),
    [
        ("local", {"scheduler": "tcp://h:1"}, "--scheduler is for --engine dask, and this is --engine local"),
        ("beam", {"scheduler_file": PEM}, "--scheduler-file is for --engine dask, and this is --engine beam"),
        ("local", {"tls_key": PEM}, "--tls-key is for --engine dask"),
        ("dask", {"scheduler": "tcp://h:1", "scheduler_file": PEM}, "both name a scheduler: give one"),
        ("dask", {"tls_ca": PEM, "tls_cert": PEM}, "belong together: give all three"),
        ("dask", {"pipeline_options": ["--runner=X"]}, "--runner=X: options after -- are for --engine beam"),
    ],
)
def test_options_that_no_engine_can_carry_out(engine: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        EngineOptions(engine, **options)
