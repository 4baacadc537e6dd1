"""Arguments in, exit codes out; what the flags do is in tests/e2e."""

import io
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from pipelines import cli
from pipelines.errors import BadRecordsError, EngineError, HanmillError, InputError, UsageError
from tests.pipelines.command import Result, hanmill

# Exit codes


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command when what it does raises an error."""

    def run(error: BaseException) -> Result:
        def app(*_: Any, **__: Any) -> None:
            raise error

        monkeypatch.setattr(cli, "app", app)
        return hanmill("status", ".")

    return run


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError, 2), (InputError, 3), (BadRecordsError, 4), (EngineError, 5), (HanmillError, 5)]
)
def test_errors_end_with_their_code_and_one_line(raising: Any, error: type[HanmillError], code: int) -> None:
    assert raising(error("a.txt: what to do")) == (code, "", "hanmill: a.txt: what to do\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt, typer.Abort])
def test_an_interrupt_says_how_to_go_on(raising: Any, error: type[BaseException]) -> None:
    assert raising(error()) == (130, "", "hanmill: interrupted; the same command goes on from here\n")


def test_an_interrupt_within_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.show.tell_status", interrupted)
    result = hanmill("status", ".")
    assert (result.code, result.err) == (130, "hanmill: interrupted; the same command goes on from here\n")


def test_what_nobody_thought_of_shows_where_it_came_from(raising: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        raising(ZeroDivisionError("a bug"))


@pytest.mark.parametrize(("healthy", "code"), [(True, 0), (False, 5)])
def test_the_doctor_s_exit_code(monkeypatch: pytest.MonkeyPatch, healthy: bool, code: int) -> None:
    monkeypatch.setattr("pipelines.show.tell_health", lambda: healthy)
    assert hanmill("doctor").code == code


def test_exit_codes_are_documented() -> None:
    documented = (Path(cli.__file__).parents[1] / "docs/exit_codes.md").read_text()
    for code in (0, 2, 3, 4, 5, 130):
        assert re.search(rf"^\| *`?{code}`? *\|", documented, re.MULTILINE), code


# The process


@pytest.mark.parametrize("ignored", [True, False])
def test_sigterm_is_an_interrupt_even_where_control_c_is_ignored(
    monkeypatch: pytest.MonkeyPatch, ignored: bool
) -> None:
    handlers: list[Any] = []
    monkeypatch.setattr("pipelines.show.tell_status", lambda _: handlers.append(signal.getsignal(signal.SIGTERM)))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler)
    try:
        hanmill("status", ".")
    finally:
        signal.signal(signal.SIGINT, before)
    assert handlers == [signal.default_int_handler]


@pytest.mark.parametrize(
    ("arguments", "cores", "started"),
    [
        (["count", "x"], 2, True),
        (["count", "x"], 1, False),
        (["count", "--help"], 2, False),
        (["count", "x", "--engine", "local"], 2, True),
        (["count", "x", "--engine", "dask"], 2, False),
        (["count", "x", "--engine=beam"], 2, False),
        (["status", "x"], 2, False),
        ([], 2, False),
    ],
)
def test_the_fork_server_starts_before_the_options_are_read_if_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], cores: int, started: bool
) -> None:
    steps: list[str] = []
    monkeypatch.setattr("pipelines.engines.local.start_early", lambda: steps.append("server"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(cli, "app", lambda *_, **__: steps.append("options"))
    assert hanmill(*arguments).code == 0
    assert steps == (["server"] if started else []) + ["options"]


def test_what_a_stream_cannot_encode_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "argv", ["hanmill", "status", "."])
    monkeypatch.setattr("pipelines.show.tell_status", lambda _: print("中\udcd6"))
    try:
        with pytest.raises(SystemExit) as end:
            cli.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert end.value.code == 0
    assert raw.getvalue() == b"\\u4e2d\\udcd6\n"


def test_sample_makes_a_corpus_that_counts(tmp_path: Path) -> None:
    result = hanmill("sample", "--out", tmp_path / "corpus", "--documents", 20, "--seed", 3)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"{tmp_path}/corpus: 20 documents, ")
    result = hanmill("count", tmp_path / "corpus", "--out", tmp_path / "out", "--workers", 1, "--no-report")
    assert result.out.startswith("20 documents, ")
    assert hanmill("sample", "--out", "/proc/nowhere", "--documents", 1).code == 3
