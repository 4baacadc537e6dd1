"""The options of engines, written once, which every command that runs a job has."""

import functools
import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.engines.options import EngineOptions


class EngineName(StrEnum):
    LOCAL = "local"
    DASK = "dask"
    BEAM = "beam"


def _file(said: str) -> Any:
    return Annotated[Path | None, typer.Option(metavar="FILE", help=said)]


# What each is on the command line, by the name that `EngineOptions` has for it, but for the first.
OPTIONS: Mapping[str, Any] = {
    "engine": Annotated[EngineName, typer.Option(help="Where tasks run.")],
    "workers": Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1 << 16,
            help="Worker processes; default: all cores, or those of the cluster.",
            show_default=False,
        ),
    ],
    "scheduler": Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask's, such as tcp://host:8786; else one is started here.")
    ],
    "scheduler_file": _file("What `dask scheduler --scheduler-file` wrote."),
    "tls_ca": _file("Certificate authority of the cluster."),
    "tls_cert": _file("Certificate to show the cluster."),
    "tls_key": _file("Key of the certificate."),
}
DEFAULTS = {"engine": EngineName.LOCAL}  # of others None


def on_engines(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of engines where it has its parameter `engine_options`, which is made of them.

    Raises UsageError for options that do not go together.
    """
    signature = inspect.signature(command)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name == "engine_options":
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            parameters += [
                inspect.Parameter(name, kind, default=DEFAULTS.get(name), annotation=annotation)
                for name, annotation in OPTIONS.items()
            ]
        else:
            parameters.append(parameter)

    @functools.wraps(command)
    def called(context: typer.Context, **values: Any) -> None:
        given = {name: values.pop(name) for name in OPTIONS}
        name = given.pop("engine").value
        options = EngineOptions(name, **given, pipeline_options=context.obj.pipeline_options)
        command(context, engine_options=options, **values)

    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called
