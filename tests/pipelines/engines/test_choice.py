"""Options of engines: what goes together, what belongs to another engine, what is not installed."""

import builtins
from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.choice import EngineOptions, open_engine
from pipelines.engines.local import Local
from pipelines.errors import EngineError, UsageError

PEM = Path("x.pem")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (EngineOptions("local", scheduler="tcp://h:1"), "--scheduler is for --engine dask, and this is --engine local"),
        (EngineOptions("beam", scheduler_file=PEM), "--scheduler-file is for --engine dask, and this is --engine beam"),
        (EngineOptions("local", tls_key=PEM), "--tls-key is for --engine dask"),
        (EngineOptions("dask", scheduler="tcp://h:1", scheduler_file=PEM), "both name a scheduler: give one"),
        (EngineOptions("dask", tls_ca=PEM, tls_cert=PEM), "belong together: give all three"),
        (EngineOptions("dask", pipeline_options=["--runner=X"]), "--runner=X: options after -- are for --engine beam"),
    ],
)
def test_options_that_no_engine_can_carry_out(options: EngineOptions, message: str) -> None:
    with pytest.raises(UsageError, match=message), open_engine(options, tell=print):
        pass


def test_the_default_is_the_local_engine() -> None:
    with open_engine(EngineOptions(workers=3), tell=print) as engine:
        assert engine == Local(3)
    with open_engine(EngineOptions(), tell=print) as engine:
        assert engine.workers >= 1


@pytest.mark.parametrize(("name", "package"), [("dask", "distributed"), ("beam", "apache_beam")])
def test_an_engine_that_is_not_installed_says_how(monkeypatch: pytest.MonkeyPatch, name: Any, package: str) -> None:
    real = builtins.__import__

    def missing(module: str, *arguments: Any, **options: Any) -> Any:
        if module == f"pipelines.engines.{name}":
            raise ModuleNotFoundError(f"No module named '{package}'", name=package)
        return real(module, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    message = rf"^--engine {name} needs the package {package}: pip install 'hanmill\[{name}\]'$"
    with pytest.raises(UsageError, match=message), open_engine(EngineOptions(name), tell=print):
        pass


def test_nobody_at_an_address() -> None:
    options = EngineOptions("dask", scheduler="tcp://127.0.0.1:9")
    with (
        pytest.raises(EngineError, match=r"^no Dask scheduler answers at tcp://127\.0\.0\.1:9: "),
        open_engine(options, tell=print),
    ):
        pass
