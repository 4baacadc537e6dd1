"""The engine that options name: opened, or not installed, or nobody there."""

import builtins
from typing import Any

import pytest

from pipelines.engines.choice import open_engine
from pipelines.engines.local import Local
from pipelines.engines.options import EngineOptions
from pipelines.errors import EngineError, UsageError


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
