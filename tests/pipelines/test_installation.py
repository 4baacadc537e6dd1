"""Which hanmill a process runs."""

import importlib.util
import re
import shutil
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from pipelines import installation
from pipelines.errors import EngineError
from pipelines.installation import ROOT, check, identity, shadowed


def test_an_installation_is_itself() -> None:
    assert re.fullmatch(r"(\d+\.\d+\.\d+|a checkout) \(code [0-9a-f]{12}\)", identity())
    check(identity(), where="here")


def test_another_is_refused_by_name() -> None:
    with pytest.raises(EngineError, match=rf"^worker 3 has hanmill {re.escape(identity())}, the driver 9\.9: install"):
        check("9.9", where="worker 3")


def test_one_changed_line_is_another_hanmill(tmp_path: Path) -> None:
    for room in installation.ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))

    def told() -> str:
        code = "from pipelines.installation import identity; print(identity())"
        return subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True).strip().partition(" (")[2]

    assert told() == identity().partition(" (")[2]
    with (tmp_path / "transforms/document.py").open("a") as file:
        file.write("# changed\n")
    assert told() != identity().partition(" (")[2]


@pytest.mark.parametrize("places", [["/elsewhere/models"], []])
def test_a_folder_of_the_user_s_own_is_named(monkeypatch: pytest.MonkeyPatch, places: list[str]) -> None:
    real = importlib.util.find_spec

    def find(name: str, *arguments: Any) -> ModuleSpec | None:
        if name != "models":
            return real(name, *arguments)
        found = ModuleSpec("models", None)
        found.submodule_search_locations = places
        return found

    monkeypatch.setattr(importlib.util, "find_spec", find)
    where = places[0] if places else "nowhere"
    assert shadowed() == ("models", where)
    with pytest.raises(EngineError, match=f"^a worker: models comes from {where}: rename that folder, ours is in "):
        check(identity(), where="a worker")
