"""The options of engines that a command gets: where they stand, and what it is told of them."""

import inspect
from pathlib import Path
from typing import Annotated

import pytest
import typer

from pipelines.commands.engines import OPTIONS, EngineName, on_engines
from pipelines.commands.options import Invocation
from pipelines.engines.options import EngineOptions
from pipelines.errors import UsageError

told: list[tuple[str, EngineOptions, int]] = []


@on_engines
def command(
    context: typer.Context,
    given: str,
    engine_options: EngineOptions,
    number: Annotated[int, typer.Option(help="Any.")] = 1,
) -> None:
    """What it does."""
    told.append((given, engine_options, number))


def call(*arguments: str, pipeline_options: tuple[str, ...] = ()) -> tuple[str, EngineOptions, int]:
    app = typer.Typer()
    app.command()(command)
    app(list(arguments), obj=Invocation(0.0, pipeline_options), standalone_mode=False)
    return told.pop()


def test_options_stand_where_the_command_has_its_parameter() -> None:
    assert [*inspect.signature(command).parameters] == ["context", "given", *OPTIONS, "number"]
    assert command.__doc__ == "What it does."


def test_what_is_given_reaches_the_command() -> None:
    assert call("x") == ("x", EngineOptions(), 1)
    files = ("--tls-ca", "a", "--tls-cert", "b", "--tls-key", "c")
    found = call("x", "--engine", "dask", "--workers", "3", "--scheduler", "tls://h:1", *files, "--number", "2")
    ca, cert, key = map(Path, "abc")
    assert found == ("x", EngineOptions("dask", 3, "tls://h:1", None, ca, cert, key), 2)
    assert call("x", "--engine", "beam", pipeline_options=("--a",))[1] == EngineOptions(
        "beam", pipeline_options=("--a",)
    )


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(UsageError, match="--scheduler is for --engine dask"):
        call("x", "--scheduler", "tcp://h:1")


def test_every_engine_has_a_name() -> None:
    assert [*EngineName] == ["local", "dask", "beam"]
