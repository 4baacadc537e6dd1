"""Kernels: what they accept, what they compute, where their machine code lies."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from transforms.compiled import Kernel, cache_directory, helper, kernel, kernels_of, replace_file

ROOT = Path(__file__).parents[2]
I4, I8, F8 = np.dtype("i4"), np.dtype("i8"), np.dtype("f8")
PAIR = np.dtype([("low", "i4"), ("high", "f8")])

MODULE = '''
"""A module with one kernel."""
import numpy as np
from transforms.compiled import kernel

@kernel(np.dtype("i8"))
def total(values):
    result = 0
    for value in values:
        result += value * FACTOR
    return result
'''


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HANMILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def module_with(folder: Path, *, factor: int) -> ModuleType:
    """Writes a module with a kernel, in a file of its own, and imports it."""
    folder.mkdir(exist_ok=True)
    path = folder / "kernel_module.py"
    path.write_text(MODULE.replace("FACTOR", str(factor)))
    spec = importlib.util.spec_from_file_location("kernel_module", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- the cache ---


def test_cache_directory_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HANMILL_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory("kernels") == tmp_path / "xdg" / "hanmill" / "kernels"
    monkeypatch.setenv("HANMILL_CACHE", str(tmp_path / "own"))
    assert cache_directory("kernels") == tmp_path / "own" / "kernels"
    monkeypatch.delenv("HANMILL_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_directory("kernels") == tmp_path / "home" / ".cache" / "hanmill" / "kernels"


def test_cache_directory_is_made_for_its_user_alone(cache: Path) -> None:
    assert cache_directory("new").stat().st_mode & 0o777 == 0o700
    assert cache_directory("new") == cache / "new"


def test_cache_directory_falls_back_to_the_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("HANMILL_CACHE", str(tmp_path / "file" / "below"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert cache_directory("kernels") == tmp_path / f"hanmill-{os.getuid()}" / "kernels"


def test_cache_directory_says_what_to_set_when_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("HANMILL_CACHE", str(tmp_path / "file" / "below"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    with pytest.raises(PermissionError, match=r"file/below .*set HANMILL_CACHE"):
        cache_directory("kernels")


def test_cache_directory_refuses_a_folder_of_another_user(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache_directory("kernels")
    monkeypatch.setattr(tempfile, "tempdir", str(cache))
    monkeypatch.setattr(os, "getuid", lambda: cache.stat().st_uid + 1)
    with pytest.raises(PermissionError):
        cache_directory("kernels")


def test_replace_file_replaces_the_whole_content_and_leaves_nothing_else(tmp_path: Path) -> None:
    for content in (b"first and long", b"second"):
        replace_file(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# --- calls ---


def test_kernel_reads_and_writes_arrays_and_scalars(cache: Path) -> None:
    @kernel(F8, I4, int, float)
    def fill(values, indices, count, factor):  # type: ignore[no-untyped-def]
        for position in range(count):
            values[indices[position]] = factor * position
        return -len(values)

    values = np.zeros(5)
    assert fill(values, np.array([4, 2, 0], np.int32), np.int64(3), 0.5) == -5
    assert values.tolist() == [1.0, 0.0, 0.5, 0.0, 0.0]
    assert fill(values, np.array([1], np.int32), True, 2) == -5


def test_kernel_works_on_records_and_on_nothing(cache: Path) -> None:
    @kernel(PAIR)
    def swap(pairs):  # type: ignore[no-untyped-def]
        for index in range(len(pairs)):
            low = pairs[index].low
            pairs[index].low = np.int32(pairs[index].high)
            pairs[index].high = low
        return len(pairs)

    pairs = np.array([(1, 2.5), (3, 4.0)], PAIR)
    assert swap(pairs) == 2
    assert pairs.tolist() == [(2, 1.0), (4, 3.0)]
    assert swap(pairs[:0]) == 0
    assert swap(pairs[1:]) == 1
    assert pairs.tolist() == [(2, 1.0), (3, 4.0)]


def test_kernel_calls_helpers_that_call_helpers(cache: Path) -> None:
    assert _hypotenuse_squared(np.array([3, 4], np.int64)) == 25


@helper
def _square(value):  # type: ignore[no-untyped-def]
    return value * value


@helper
def _sum_of_squares(one, other):  # type: ignore[no-untyped-def]
    return _square(one) + _square(other)


@kernel(I8)
def _hypotenuse_squared(values):  # type: ignore[no-untyped-def]
    return _sum_of_squares(values[0], values[1])


def test_kernel_keeps_floating_point_exact(cache: Path) -> None:
    @kernel(F8)
    def cancel(values):  # type: ignore[no-untyped-def]
        values[2] = (values[0] + values[1]) - values[0]
        values[3] = values[1] / 0.0
        return 0

    values = np.array([1e16, 1.0, np.nan, np.nan])
    cancel(values)
    assert values[2] == 0.0, "reassociated to 1.0"
    assert values[3] == np.inf


def test_kernel_gives_the_same_from_many_threads(cache: Path) -> None:
    total = module_with(cache.parent / "threads", factor=3).total
    results: list[int] = []

    def work(seed: int) -> None:
        results.extend(total(np.arange(seed, seed + 1000)) - 3000 * seed for _ in range(50))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [3 * 999 * 500] * 400


@pytest.mark.parametrize(
    "argument",
    [
        np.arange(4, dtype=np.int32),
        np.arange(4, dtype=np.uint64),
        np.arange(4.0),
        np.arange(4, dtype=">i8"),
        np.arange(8)[::2],
        np.arange(4)[::-1],
        np.arange(4).reshape(2, 2),
        np.array(4),
    ],
    ids=["int32", "uint64", "float64", "big-endian", "every-second", "backwards", "two-dimensional", "no-dimension"],
)
def test_kernel_refuses_another_dtype_or_layout(cache: Path, argument: np.ndarray) -> None:
    @kernel(int, I8)
    def touch(value, values):  # type: ignore[no-untyped-def]
        return values[value]

    with pytest.raises(TypeError, match=r"touch: expected a contiguous array of int64"):
        touch(0, argument)
    assert not touch.compiled


@pytest.mark.parametrize("arguments", [(), (np.arange(3),), (np.arange(3), 1, 2)])
def test_kernel_refuses_another_number_of_arguments(cache: Path, arguments: tuple[object, ...]) -> None:
    @kernel(I8, int)
    def pick(values, index):  # type: ignore[no-untyped-def]
        return values[index]

    with pytest.raises(ValueError, match="zip"):
        pick(*arguments)


def test_kernel_that_would_need_python_at_run_time_is_refused(cache: Path) -> None:
    @kernel(I8)
    def lookup(values):  # type: ignore[no-untyped-def]
        print(values[0])
        return 0

    with pytest.raises(RuntimeError, match=r"kernel lookup needs .*must not raise or allocate"):
        lookup(np.arange(3))
    assert not lookup.compiled


def test_kernel_that_raises_is_refused_or_reported(cache: Path) -> None:
    script = cache.parent / "script.py"
    script.write_text(
        "import numpy as np\n"
        "from transforms.compiled import kernel\n"
        "@kernel(np.dtype('i8'))\n"
        "def check(values):\n"
        "    if values[0] > 3:\n"
        "        raise ValueError('too large')\n"
        "    return 0\n"
        "try:\n"
        "    check(np.array([4]))\n"
        "except RuntimeError as error:\n"
        "    print('RuntimeError:', error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout[:20]) == (0, "RuntimeError: kernel"), ended.stderr[-300:]


# --- the object file ---


def test_machine_code_is_kept_and_named_by_its_source(cache: Path, tmp_path: Path) -> None:
    old = module_with(tmp_path / "old", factor=2).total
    assert old.object_file.parent == cache / "kernels"
    assert old.object_file.name.startswith("kernel_module.total-")
    assert not old.compiled
    assert old(np.arange(4)) == 12
    assert old.compiled
    new = module_with(tmp_path / "new", factor=5).total
    assert new.object_file != old.object_file
    assert not new.compiled
    assert new(np.arange(4)) == 30
    again = module_with(tmp_path / "again", factor=2).total
    assert again.object_file == old.object_file
    assert again.compiled
    assert again(np.arange(4)) == 12
    assert sorted(path.name for path in (cache / "kernels").iterdir()) == sorted(
        [old.object_file.name, new.object_file.name]
    )


def test_kernels_of_a_module_can_be_prepared_before_a_call(cache: Path, tmp_path: Path) -> None:
    module = module_with(tmp_path / "module", factor=4)
    assert kernels_of(module) == [module.total]
    for _ in range(2):
        for found in kernels_of(module):
            found.prepare()
        assert module.total.compiled
    module.total.load()
    assert module.total(np.arange(4)) == 24


def test_machine_code_is_loaded_without_numba(cache: Path, tmp_path: Path) -> None:
    assert module_with(tmp_path / "module", factor=7).total(np.arange(4)) == 42
    program = (
        "import sys; sys.modules['numba'] = None\n"
        "import numpy as np, kernel_module\n"
        "print(kernel_module.total(np.arange(4)))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path / 'module'}"}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.returncode) == ("42\n", 0), ended.stderr


@pytest.mark.parametrize("shaped_by", ["parameters", "closure", "constants", "globals", "helpers"])
def test_machine_code_is_named_by_all_that_shapes_it(cache: Path, shaped_by: str) -> None:
    def first(values):  # type: ignore[no-untyped-def]
        return np.int64(values[0])

    def adding(amount: int) -> Kernel:
        @kernel(I8)
        def add(values):  # type: ignore[no-untyped-def]
            return values[0] + amount

        return add

    def from_text(constant: int) -> Kernel:
        names: dict[str, object] = {}
        exec(f"def constant(values):\n    return {constant}", names)
        return Kernel(names["constant"], (I8,))  # type: ignore[arg-type]

    def calling(text: str, **names: object) -> Kernel:
        exec(f"def called(values):\n    return {text}", names)
        return Kernel(names["called"], (I8,))  # type: ignore[arg-type]

    def helping(constant: int) -> Kernel:
        return calling("helps(values)", helps=helper(from_text(constant).function))

    one, other = {
        "parameters": (kernel(I4)(first), kernel(I8)(first)),
        "closure": (adding(1), adding(2)),
        "constants": (from_text(1), from_text(2)),
        "globals": (calling("FACTOR", FACTOR=1), calling("FACTOR", FACTOR=2)),
        "helpers": (helping(1), helping(2)),
    }[shaped_by]
    assert one.object_file != other.object_file
