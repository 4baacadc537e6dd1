"""Which hanmill this process runs: workers that hold another one are refused."""

import functools
import hashlib
import importlib.util
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from pipelines.errors import EngineError

ROOMS = ("pipelines", "transforms", "models")
ROOT = Path(__file__).parents[1]


@functools.cache
def identity() -> str:
    """Version and a hash over the code of the three rooms: `0.1.0 (code 0123456789ab)`."""
    try:
        release = distribution("hanmill").version
    except PackageNotFoundError:
        release = "a checkout"
    files = (file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
    return f"{release} (code {hash_of(files)[:12]})"


def code_files(*names: str) -> list[Path]:
    """The files of code below the root that names of files and folders stand for."""
    places = [ROOT / name for name in names]
    return [file for place in places for file in (place.rglob("*.py") if place.is_dir() else [place])]


def hash_of(files: Iterable[Path]) -> str:
    """SHA-256 over the content of files, in the order of their names."""
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in sorted(files))).hexdigest()


def shadowed() -> tuple[str, str] | None:
    """A room that Python would import from elsewhere, and from where: their names are common ones."""
    for room in ROOMS:
        found = importlib.util.find_spec(room)
        places = list(found.submodule_search_locations or []) if found else []
        if not places or Path(places[0]).resolve().parent != ROOT.resolve():
            return room, places[0] if places else "nowhere"
    return None


def check(expected: str, *, where: str) -> None:
    """Refuses to work for a driver that runs another hanmill.

    Raises EngineError naming both.
    """
    if identity() != expected:
        raise EngineError(
            f"{where} has hanmill {identity()}, the driver {expected}: install the same on both and start it again"
        )
    if (room := shadowed()) is not None:
        raise EngineError(f"{where}: {room[0]} comes from {room[1]}: rename that folder, ours is in {ROOT}")
