"""What the doctor finds, and how it says to mend it."""

import importlib.util
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from pipelines import doctor
from pipelines.doctor import Finding, examine
from pipelines.show import tell_health


def found() -> dict[str, Finding]:
    return {finding.name: finding for finding in examine()}


def test_a_machine_that_runs_these_tests_is_healthy() -> None:
    findings = found()
    assert [name for name, finding in findings.items() if finding.mend and finding.needed] == []
    assert {
        "hanmill",
        "numpy",
        "pyarrow",
        "numba",
        "llvmlite",
        "jieba",
        "bokeh",
        "fsspec",
        "kernels",
        "dictionary",
    } <= findings.keys()
    assert findings["jieba"].found == "0.42.1"
    assert findings["engine local"].found.endswith(" cores")
    assert {"engine local", "engine dask", "engine beam", "training and prediction", "free disk"} <= findings.keys()


def test_a_missing_package_is_to_be_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor.version

    def version(name: str) -> str:
        if name == "jieba":
            raise PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor, "version", version)
    assert found()["jieba"] == Finding("jieba", "missing", "pip install hanmill")


@pytest.mark.parametrize(
    ("there", "told"), [(True, ("ready", "")), (False, ("not installed", "pip install 'hanmill[dask]'"))]
)
def test_an_engine_that_is_not_installed_is_a_note(
    monkeypatch: pytest.MonkeyPatch, there: bool, told: tuple[str, str]
) -> None:
    real = importlib.util.find_spec

    def find(name: str) -> ModuleSpec | None:
        return (ModuleSpec(name, None) if there else None) if name == "distributed" else real(name)

    monkeypatch.setattr(doctor.importlib.util, "find_spec", find)
    finding = found()["engine dask"]
    assert (finding.found, finding.mend, finding.needed) == (*told, False)


@pytest.mark.parametrize("places", [["/elsewhere/models"], None])
def test_a_folder_that_shadows_ours_is_to_be_mended(monkeypatch: pytest.MonkeyPatch, places: list[str] | None) -> None:
    real = importlib.util.find_spec

    def find(name: str) -> Any:
        spec = ModuleSpec(name, None)
        spec.submodule_search_locations = places
        return spec if name == "models" else real(name)

    monkeypatch.setattr(doctor.importlib.util, "find_spec", find)
    finding = found()["hanmill"]
    assert finding.found == f"models comes from {places[0] if places else 'nowhere'}"
    assert str(Path(doctor.__file__).parents[1]) in finding.mend
    assert finding.needed


def test_a_checkout_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def distribution(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "distribution", distribution)
    finding = found()["hanmill"]
    assert (finding.found, finding.needed) == ("runs from a checkout", False)
    assert finding.mend.startswith("pip install -e ")


def test_a_cache_without_anything_compiled_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANMILL_CACHE", str(tmp_path))
    findings = found()
    assert findings["dictionary"].found == "not compiled"
    assert not findings["dictionary"].needed
    assert list(tmp_path.rglob("*.npy")) == []  # the doctor only looks


def test_the_doctor_s_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    findings = [
        Finding("good", "1.0"),
        Finding("optional", "not [there]", "pip install 'hanmill[dask]'", needed=False),
        Finding("bad", "missing", "mend [it]"),
    ]

    def examined() -> Iterator[Finding]:
        yield from findings

    monkeypatch.setattr("pipelines.show.examine", examined)
    assert not tell_health()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["ok", "good", "1.0"],
        ["note", "optional", "not", "[there]"],
        ["→", "pip", "install", "'hanmill[dask]'"],
        ["mend", "bad", "missing"],
        ["→", "mend", "[it]"],
    ]
    findings.pop()
    assert tell_health()
