"""`hanmill run`."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.commands.engines import OPTIONS, on_engines
from pipelines.engines.options import EngineOptions
from pipelines.errors import INTERRUPTED, UsageError

if TYPE_CHECKING:
    from pipelines.recipe import Step

ONE_TASK = ("train",)  # with --engine dask, a process of its own on one of the workers


@on_engines
def run(
    context: typer.Context,
    recipe: Annotated[
        str,
        typer.Argument(metavar="RECIPE", help="A TOML file, or the name of one that comes along.", show_default=False),
    ],
    engine_options: EngineOptions,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="STEP.KEY=VALUE", help="Another value than the recipe's; repeatable.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what became of each step as JSON.")] = False,
) -> None:
    """Run the steps of a recipe in order, and skip those of which nothing has changed.

    Engine options go to all steps that take them. With --engine dask a training step is one task of the cluster, on a
    worker with the resource GPU, or else CPU, if any has them. Ends with the exit code of the first step that fails.
    """
    from pipelines.console import tell
    from pipelines.recipe import read_recipe
    from pipelines.recipe_run import run_recipe, summary

    found = _commands(context)
    commands = {name: _options(command) for name, command in found.items()}
    read = read_recipe(recipe, settings or (), commands)
    for planned in read.steps:
        _check(planned, found[planned.command], of=f"{recipe}: [{planned.name}]")
    ran = run_recipe(read, _Launcher(engine_options, commands, quiet=as_json), tell=tell)
    told = summary(read, ran)
    if as_json:
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        for step in ran:
            code = f", exit code {step.exit_code}" if step.status == "failed" else ""
            seconds = f" in {step.seconds:,.1f} s" if step.exit_code is not None else ""
            print(f"{step.name:<12} {step.status}{seconds}{code}  {step.out}".rstrip())
    if told["exit_code"]:
        raise typer.Exit(told["exit_code"])


def _commands(context: typer.Context) -> Mapping[str, Any]:
    """Every command that a step may call, such as `count` or `kb build`."""
    found = dict[str, Any]()
    for name, command in context.parent.command.commands.items():  # type: ignore[union-attr]
        below = {f"{name} {of}": part for of, part in getattr(command, "commands", {}).items()}
        found |= below or {name: command}
    return {name: command for name, command in found.items() if name != "run"}


def _options(command: Any) -> list[str]:
    """The long options of a command, without dashes."""
    return [option[2:] for of in command.params for option in of.opts if option.startswith("--")]


def _check(step: "Step", command: Any, *, of: str) -> None:
    """Raises UsageError for a step that the command line would refuse: for a value, or an argument that is missing."""
    try:
        command.make_context(step.command, list(step.arguments[len(step.command.split()) :]))
    except Exception as error:
        if not hasattr(error, "format_message"):  # the parser's errors are no part of what typer exports
            raise
        raise UsageError(f"{of}: {error.format_message()}") from None


@dataclass(frozen=True, slots=True)
class _Launcher:
    """Runs steps as commands. `quiet`: what they print goes to the standard error."""

    options: EngineOptions
    commands: Mapping[str, Sequence[str]]
    quiet: bool

    def __call__(self, step: "Step") -> tuple[int, bytes]:
        code, printed = self._launched(step)
        if not self.quiet:
            sys.stdout.write(printed.decode(errors="backslashreplace"))
        return code, printed

    def _launched(self, step: "Step") -> tuple[int, bytes]:
        if self.options.name == "dask" and step.command in ONE_TASK:
            from pipelines.console import tell
            from pipelines.engines.dask_command import run_on_cluster

            return run_on_cluster(step.arguments, self.options, key=step.name, tell=tell)
        return _run_here([*step.arguments, *self._engine(step)], keep=bool(step.save), quiet=self.quiet)

    def _engine(self, step: "Step") -> list[str]:
        values = {"engine": self.options.name, **{name: getattr(self.options, name, None) for name in [*OPTIONS][1:]}}
        named = {name.replace("_", "-"): value for name, value in values.items()}
        taken = {name: value for name, value in named.items() if name in self.commands[step.command]}
        chosen = {
            name: value for name, value in taken.items() if value is not None and f"--{name}" not in step.arguments
        }
        return [part for name, value in chosen.items() for part in (f"--{name}", str(value))]


def _run_here(arguments: Sequence[str], *, keep: bool, quiet: bool) -> tuple[int, bytes]:
    """In a process of its own; a Ctrl-C reaches it once, and it may save what it has."""
    out = subprocess.PIPE if keep else sys.stderr if quiet else None
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    with subprocess.Popen(command, stdout=out, start_new_session=True) as process:
        try:
            printed, _ = process.communicate()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            return INTERRUPTED, b""
    return process.returncode, printed or b""
