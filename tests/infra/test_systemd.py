"""The units in `infra/systemd`: systemd accepts them, and the command that they hold does what they say."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import DONE
from pipelines.storage.manifest import SUCCESS
from tests.pipelines.command import ROOT, hanmill

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")

UNITS = ROOT / "infra/systemd"
SERVICE, TIMER = "hanmill-count.service", "hanmill-count.timer"
COMMAND = "/opt/hanmill/.venv/bin/hanmill"


def analyze(*arguments: object) -> tuple[int, str]:
    """Runs systemd-analyze; returns its exit code and all that it printed."""
    ended = subprocess.run(
        ["systemd-analyze", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )
    return ended.returncode, ended.stdout.strip()


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units in a folder of their own, with a command that is there."""
    for path in UNITS.iterdir():
        content = path.read_text(encoding="utf-8").replace(COMMAND, sys.executable)
        (tmp_path / path.name).write_text(content, encoding="utf-8")
    return tmp_path


def section(name: str, unit: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters="=")
    parser.read(UNITS / unit, encoding="utf-8")
    return parser[name]


def test_accepted_without_a_warning(units: Path) -> None:
    assert analyze("verify", units / SERVICE, units / TIMER) == (0, "")


@pytest.mark.parametrize(
    ("name", "right", "wrong", "complaint"),
    [
        (SERVICE, "Type=oneshot", "Type=onceonly", "Failed to parse service type"),
        (SERVICE, sys.executable, "/nosuch/hanmill", "is not executable"),
        (SERVICE, "Restart=on-failure", "Restart=always", "isn't allowed for Type=oneshot"),
        (SERVICE, "ProtectSystem=strict", "ProtectSytem=strict", "'ProtectSytem'"),
        (TIMER, "02:00:00", "26:00:00", "Failed to parse calendar specification"),
    ],
)
def test_broken_copy(units: Path, name: str, right: str, wrong: str, complaint: str) -> None:
    """What makes `test_accepted_without_a_warning` fail: some of it is a warning only."""
    content = (units / name).read_text(encoding="utf-8")
    assert right in content
    (units / name).write_text(content.replace(right, wrong), encoding="utf-8")
    assert complaint in analyze("verify", units / SERVICE, units / TIMER)[1]


def test_broken_calendar_is_refused(units: Path) -> None:
    (units / TIMER).write_text("[Timer]\nOnCalendar=every night\n", encoding="utf-8")
    assert analyze("verify", units / TIMER)[0] != 0


def test_once_a_night() -> None:
    calendar = section("Timer", TIMER)["OnCalendar"]
    code, printed = analyze("calendar", "--base-time=2026-01-01 00:00:00 UTC", "--iterations=3", calendar)
    assert code == 0
    assert [f"2026-01-0{day} 02:00:00" in printed for day in (1, 2, 3, 4)] == [True, True, True, False]


def test_sandbox(units: Path) -> None:
    """Exposure below 2 of 10, as systemd reckons it."""
    code, printed = analyze("security", "--offline=true", "--threshold=20", units / SERVICE)
    assert code == 0, printed


def test_command(tmp_path: Path) -> None:
    """The command of the service with the variables of `count.env`, over a corpus and an output folder made here."""
    lines = (UNITS / "count.env").read_text(encoding="utf-8").splitlines()
    variables = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    service = section("Service", SERVICE)
    assert Path(variables["OUT"]).parent == Path("/var/lib", service["StateDirectory"])
    assert service["Environment"] == f"HANMILL_CACHE=/var/cache/{service['CacheDirectory']}"
    assert hanmill("sample", "--out", tmp_path / "corpus", "--documents", 20).code == DONE
    variables |= {"INPUT": str(tmp_path / "corpus"), "OUT": str(tmp_path / "counts")}
    command, *arguments = service["ExecStart"].split()
    assert command == COMMAND
    for name, value in variables.items():
        arguments = [word for given in arguments for word in (value.split() if given == f"${name}" else [given])]
        arguments = [given.replace(f"${{{name}}}", value) for given in arguments]
    ended = hanmill(*arguments)
    assert ended.code == DONE, ended.err
    assert (tmp_path / "counts" / SUCCESS).exists()
