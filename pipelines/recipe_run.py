"""Runs the steps of a recipe in order; skips those whose inputs, options and outputs are as they were."""

import glob
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipelines.errors import DONE
from pipelines.installation import identity
from pipelines.recipe import Recipe, Step
from pipelines.storage.commit import digest, lock, plain_errors, write_bytes, write_json
from pipelines.storage.manifest import MANIFEST, read_json

STATE = "_recipe"  # a folder of its own: a lock clears away what lies around it
STEPS = "steps.json"

# Runs a step; returns its exit code, and what it printed if that is to be kept.
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
    """Ends with the first step that fails.

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
            fingerprint = _fingerprint(step)
            if fingerprint and known.get(step.name) == [fingerprint, _identity(out)]:
                tell(f"{step.name}: nothing has changed")
                ran.append(Ran(step.name, "skipped", out))
                continue
            known.pop(step.name, None)
            tell(f"{step.name}: hanmill {' '.join(step.arguments)}")
            begun = time.monotonic()
            code, printed = launch(step)
            seconds = round(time.monotonic() - begun, 3)
            if code == DONE:
                if step.save:
                    write_bytes(Path(step.save), printed)
                known[step.name] = [fingerprint, _identity(out)]
            write_json(state / STEPS, known)
            ran.append(Ran(step.name, "done" if code == DONE else "failed", out, seconds, code))
    return ran


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
            found += [_identity(place) for place in places if place not in ("", step.out, step.save)]
    return digest([step.arguments, identity(), found])


def _identity(place: str) -> list[Any] | None:
    """What changes with a file or folder; an output is known by its manifest. None where there is nothing."""
    path = Path(place)
    try:
        if (path / MANIFEST).is_file():
            return [place, hashlib.sha256((path / MANIFEST).read_bytes()).hexdigest()]
        if path.is_dir():
            return [place, digest([_file(file) for file in sorted(path.rglob("*")) if file.is_file()])]
        return _file(path)
    except OSError:
        return None


def _file(path: Path) -> list[Any]:
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns]
