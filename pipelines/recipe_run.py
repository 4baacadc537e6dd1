"""Runs the steps of a recipe in order; skips those whose inputs, options and outputs are as they were."""

import glob
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipelines.errors import DONE, INTERRUPTED, HanmillError
from pipelines.installation import identity
from pipelines.recipe import Recipe, Step
from pipelines.storage.commit import digest, lock, plain_errors, write_bytes, write_json
from pipelines.storage.manifest import SUCCESS, has_size, listed, read_json, read_manifest

STATE = "_recipe"  # a folder of its own: a lock clears away what lies around it
STEPS = "steps.json"

# Runs a step; returns its exit code, and what it printed if that is to be kept. It may raise HanmillError.
Launch = Callable[[Step], tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a step."""

    name: str
    status: Literal["done", "skipped", "failed", "not run"]
    out: str
    seconds: float = 0.0
    exit_code: int | None = None


def run_recipe(recipe: Recipe, launch: Launch, *, tell: Callable[[str], None]) -> list[Ran]:
    """Ends with the first step that fails, or is interrupted.

    Raises InputError for a folder that cannot be written, or while another run of the recipe is on in it.
    """
    state = recipe.directory / STATE
    with plain_errors(state):
        state.mkdir(parents=True, exist_ok=True)
    ran: list[Ran] = []
    with lock(state):
        known: dict[str, Any] = read_json(state / STEPS) or {}
        for step in recipe.steps:
            out = step.out or step.save
            if any(before.status == "failed" for before in ran):
                ran.append(Ran(step.name, "not run", out))
                continue
            begun = time.monotonic()
            try:
                code = _run_step(step, launch, known, tell=tell)
            except KeyboardInterrupt:
                code = INTERRUPTED
            except HanmillError as error:
                tell(f"{step.name}: {error}")
                code = error.exit_code
            if code is None:
                ran.append(Ran(step.name, "skipped", out))
                continue
            write_json(state / STEPS, known)
            seconds = round(time.monotonic() - begun, 3)
            ran.append(Ran(step.name, "done" if code == DONE else "failed", out, seconds, code))
    return ran


def _run_step(step: Step, launch: Launch, known: dict[str, Any], *, tell: Callable[[str], None]) -> int | None:
    """The exit code of a step, or None if it is skipped; `known` is what later runs skip it by."""
    fingerprint, made = _fingerprint(step), _made(step)
    if fingerprint and made and known.get(step.name) == [fingerprint, made]:
        tell(f"{step.name}: nothing has changed")
        return None
    known.pop(step.name, None)
    tell(f"{step.name}: hanmill {' '.join(step.arguments)}")
    code, printed = launch(step)
    if code == DONE:
        if step.save:
            with plain_errors(Path(step.save).parent):
                write_bytes(Path(step.save), printed)
        known[step.name] = [fingerprint, _made(step)]
    return code


def summary(recipe: Recipe, ran: list[Ran]) -> Mapping[str, Any]:
    """What `--json` prints: the steps, and the exit code of the whole."""
    steps = [{name: getattr(step, name) for name in ("name", "status", "out", "seconds", "exit_code")} for step in ran]
    code = next((step.exit_code for step in ran if step.status == "failed"), DONE)
    return {"recipe": recipe.name, "exit_code": code, "steps": steps}


def _fingerprint(step: Step) -> str:
    """Over the command line, the code, and the files that it names; empty where what it names cannot be looked at."""
    found = []
    for argument in step.arguments[1:]:
        for name in (argument, argument.partition("=")[2]):  # records names splits: train=FILE
            if "://" in name:
                return ""
            places = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else [name]
            found += [_identity(place) for place in places if place not in ("", *_outputs(step))]
    return digest([step.arguments, identity(), found])


def _outputs(step: Step) -> list[str]:
    """The files and folders that a step writes."""
    found = [place for place in (step.out, step.save) if place]
    if step.command == "vocab":
        from pipelines.vocabulary import KEEP_TOKENS  # which needs what a step of another command does not

        given = dict(zip(step.arguments, step.arguments[1:], strict=False))
        found += [given["--idf"]] if "--idf" in given else []
        found += [str(Path(step.out).with_name(KEEP_TOKENS))] if "--base" in given else []
    return found


def _made(step: Step) -> list[Any]:
    """What changes with what a step wrote; empty if something of it is missing, or it writes nothing."""
    found = [_identity(place) for place in _outputs(step)]
    return [] if None in found else found


def _identity(place: str) -> list[Any] | None:
    """What changes with a file or folder; None where there is nothing.

    An output that is finished, and whole by the sizes of its files, is known by what `_SUCCESS` says of its manifest.
    """
    path = Path(place)
    try:
        manifest = read_manifest(path)
        if manifest is not None and all(has_size(path, file) for file in listed(manifest)):
            return [place, (path / SUCCESS).read_text()]
        if path.is_dir():
            return [place, digest([_file(file) for file in sorted(path.rglob("*")) if file.is_file()])]
        return _file(path)
    except OSError:
        return None


def _file(path: Path) -> list[Any]:
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns]
