"""A recipe: commands with their options, in order, from a TOML file; checked as a whole before anything runs."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import InputError, UsageError

RECIPES = Path(__file__).parent / "recipes"
ARGUMENTS, COMMAND, OUT, SAVE = "arguments", "command", "out", "save"
_OWN = (ARGUMENTS, COMMAND, SAVE)  # keys of a step that are no options of its command
_REFERENCE = re.compile(r"\$\{([^}]*)\}")

# The long options of each command, without dashes.
Commands = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Step:
    """A call of a command. `out`: the file or folder that it writes; `save`: the file that keeps what it prints."""

    name: str
    command: str
    arguments: tuple[str, ...]
    out: str = ""
    save: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps in order. `directory`: where their outputs lie, and what is known of earlier runs."""

    name: str
    directory: Path
    steps: tuple[Step, ...]


def read_recipe(given: str, settings: Sequence[str], commands: Commands) -> Recipe:
    """The recipe of a file, or one of those that come along; `settings` are `key=value` or `step.key=value`.

    A step is a table. `command` is its name if not given, `arguments` are those without a name, `save` a file for what
    it prints; other keys are options: true for one without a value, a list for one that is repeated. `${key}` stands
    for a value of the recipe, `${step.key}` for one of a step. `out` is a folder of the step's name in the recipe's
    own `out`, if it is not given.

    Raises InputError for a file that is missing or no TOML, UsageError for an unknown step, command, option or value.
    """
    path = _find(given)
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:  # of TOML, or of UTF-8
        raise InputError(f"{path}: {error}") from error
    tables = {name: dict(value) for name, value in content.items() if isinstance(value, dict)}
    values = {name: value for name, value in content.items() if not isinstance(value, dict)}
    if not isinstance(values.get(OUT), str) or not tables:
        raise InputError(f"{path}: a recipe has a folder, out = ..., and a table for each step")
    for setting in settings:
        _set(setting, values, tables)
    for name, table in tables.items():
        command = table.setdefault(COMMAND, name)
        options = commands[_known(command, commands, f"{path}: [{name}]: no command")]
        for key in table:
            _known(key, (*_OWN, *options), f"{path}: [{name}]: {command} has no option")
        if OUT in options:
            table.setdefault(OUT, f"${{{OUT}}}/{name}")
    scope = {**values, **{f"{name}.{key}": value for name, table in tables.items() for key, value in table.items()}}
    steps = tuple(_step(name, _resolved(table, scope, of=f"{path}: [{name}]")) for name, table in tables.items())
    return Recipe(path.stem, Path(_resolved(values[OUT], scope, of=f"{path}: {OUT}")), steps)


def _find(given: str) -> Path:
    if given.endswith(".toml") or "/" in given:
        return Path(given)
    there = sorted(path.stem for path in RECIPES.glob("*.toml"))
    return RECIPES / f"{_known(given, there, 'no recipe')}.toml"


def _known(name: str, names: Iterable[str], what: str) -> str:
    """Raises UsageError for a name that is not among those there are, with the nearest one."""
    there = list(names)
    if name not in there:
        near = difflib.get_close_matches(name, there, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(there)}"
        raise UsageError(f"{what} {name}: {hint}")
    return name


def _set(setting: str, values: dict[str, Any], tables: dict[str, dict[str, Any]]) -> None:
    key, equals, text = setting.partition("=")
    if not equals:
        raise UsageError(f"--set {setting}: write step.key=value, or key=value for a value of the recipe itself")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    step, dot, option = key.partition(".")
    if dot:
        tables[_known(step, tables, f"--set {setting}: no step")][option] = value
    else:
        values[_known(step, values, f"--set {setting}: no value of the recipe is")] = value


def _resolved(value: Any, scope: Mapping[str, Any], *, of: str, inside: tuple[str, ...] = ()) -> Any:
    """A value with what its references stand for; raises UsageError for one that stands for nothing, or for itself."""
    if isinstance(value, dict):
        return {key: _resolved(part, scope, of=f"{of} {key}") for key, part in value.items()}
    if isinstance(value, list):
        return [_resolved(part, scope, of=of, inside=inside) for part in value]
    if not isinstance(value, str):
        return value

    def meant(match: re.Match[str]) -> str:
        name = _known(match[1], scope, f"{of}: nothing is called")
        if name in inside:
            raise UsageError(f"{of}: {' -> '.join((*inside, name))}: it refers to itself")
        return str(_resolved(scope[name], scope, of=of, inside=(*inside, name)))

    return _REFERENCE.sub(meant, value)


def _step(name: str, table: Mapping[str, Any]) -> Step:
    arguments = [*str(table[COMMAND]).split(), *map(str, _listed(table.get(ARGUMENTS, [])))]
    for key, value in table.items():
        if key not in _OWN:
            arguments += _option(key, value)
    return Step(name, str(table[COMMAND]), tuple(arguments), str(table.get(OUT, "")), str(table.get(SAVE, "")))


def _option(name: str, value: Any) -> Iterator[str]:
    for one in _listed(value):
        if one is True:
            yield f"--{name}"
        elif one is not False:
            yield from (f"--{name}", str(one))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
