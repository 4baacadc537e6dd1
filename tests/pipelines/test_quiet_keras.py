"""What stands on standard error after Keras was imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAID = """import os
os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
os.write(2, b"I0000 00:00:1 9 port.cc:153] oneDNN custom operations are on.\\n")
os.write(2, b"W0000 00:00:1 9 gpu_device.cc:1] Cannot dlopen some GPU libraries.\\n")
"""


def imported(path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{path}:{ROOT}"}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    program = "import pipelines.quiet_keras, sys\nprint('after', file=sys.stderr)"
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_keras_itself(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    found = imported(tmp_path)
    assert (found.returncode, found.stderr) == (0, "after\n")


def test_notes_are_left_out_and_warnings_are_not(tmp_path: Path) -> None:
    (tmp_path / "keras.py").write_text(SAID)
    found = imported(tmp_path)
    assert found.stderr == "W0000 00:00:1 9 gpu_device.cc:1] Cannot dlopen some GPU libraries.\nafter\n"


def test_what_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "keras.py").write_text(f"{SAID}raise ImportError('damaged')")
    found = imported(tmp_path)
    assert found.returncode == 1
    assert found.stderr.startswith("W0000")
    assert found.stderr.endswith("ImportError: damaged\n")
    assert "after" not in found.stderr
