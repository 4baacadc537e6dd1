"""The largest process is found wherever it comes from."""

import pytest

from pipelines.bench.watched import run_watched
from pipelines.errors import EngineError

LARGE = 200 << 20
TAKE = f"x = b'1' * {LARGE}"
CHILD = f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {TAKE!r}])"


@pytest.mark.parametrize("statement", [TAKE, f"{CHILD}; child.wait()", CHILD], ids=["itself", "child", "orphan"])
def test_the_largest_process_is_told(statement: str) -> None:
    assert LARGE < run_watched("timeit", "-n", "1", "-r", "1", statement) < LARGE + (60 << 20)


def test_what_this_process_holds_is_not_counted() -> None:
    held = b"1" * LARGE
    assert run_watched("timeit", "-n", "1", "-r", "1", "pass") < len(held) / 2


def test_a_module_that_fails_is_told() -> None:
    with pytest.raises(EngineError, match=r"^timeit -n: ZeroDivisionError: division by zero$"):
        run_watched("timeit", "-n", "1", "1 / 0")
