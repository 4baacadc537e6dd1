"""Kernels: Python functions compiled once by Numba, kept as object files, loaded in milliseconds without Numba.

Importing Numba takes half a second and more, loading an object file through llvmlite a tenth, and a counting run of
a whole corpus takes little more. An object file is named by everything that shaped it: the source files of the kernel
and of its helpers, the versions of Numba and llvmlite, the processor and its features.
"""

import ctypes
import functools
import hashlib
import os
import tempfile
import threading
import types
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm


def cache_directory(name: str) -> Path:
    """The private folder `name` of hanmill's cache, made if it is not there.

    `HANMILL_CACHE` names the cache; without it `$XDG_CACHE_HOME/hanmill`, or `~/.cache/hanmill`. Where that cannot be
    written, a folder of this user in the system's temporary directory. Raises PermissionError if that fails too.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    preferred = Path(os.environ.get("HANMILL_CACHE") or os.path.join(home, "hanmill"))
    fallback = Path(tempfile.gettempdir()) / f"hanmill-{os.getuid()}"
    for root in (preferred, fallback):
        try:
            (root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(root / name, os.W_OK) and os.stat(root / name).st_uid == os.getuid():
            return root / name
    raise PermissionError(f"neither {preferred} nor {fallback} can be written: set HANMILL_CACHE to a folder of yours")


def replace_file(path: Path, content: bytes) -> None:
    """Writes a cache file so that other processes see all of it or none."""
    handle, attempt = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(attempt, path)
    except BaseException:
        os.unlink(attempt)
        raise


def kernels_of(module: types.ModuleType) -> "list[Kernel]":
    """The kernels that a module defines."""
    return [value for value in vars(module).values() if isinstance(value, Kernel)]


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a function that kernels call."""
    function.__dict__["hanmill_helper"] = True
    return function


def _is_helper(value: Any) -> bool:
    return getattr(value, "hanmill_helper", False) is True


def kernel(*parameters: Any) -> Callable[[Callable[..., Any]], "Kernel"]:
    """Declares a kernel: `int` and `float` are 64-bit scalars, a dtype is a one-dimensional contiguous array of it."""
    return lambda function: Kernel(function, parameters)


class Kernel:
    """The machine code of one function, compiled on first use; it allocates nothing and returns an int.

    Calls release the global interpreter lock. Bounds are not checked; floating point is exact (no fastmath).

    >>> import numpy as np
    >>> @kernel(np.dtype("f8"), float)
    ... def scale(values, factor):
    ...     for index in range(len(values)):
    ...         values[index] *= factor
    ...     return len(values)
    >>> values = np.arange(3.0)
    >>> scale(values, 2.0), values.tolist()
    (3, [0.0, 2.0, 4.0])
    """

    def __init__(self, function: Callable[..., Any], parameters: tuple[Any, ...]) -> None:
        self.function = function
        self.parameters = parameters

    def __call__(self, *arguments: Any) -> int:
        native: list[Any] = []
        for argument, parameter in zip(arguments, self.parameters, strict=True):
            if parameter is int or parameter is float:
                native.append(parameter(argument))
                continue
            if argument.dtype != parameter or argument.ndim != 1 or not argument.flags.c_contiguous:
                raise TypeError(f"{self.function.__name__}: expected a contiguous array of {parameter}")
            # Numba's array: memory owner, parent, items, item size, data, shape, strides.
            size = argument.itemsize
            native += (None, None, len(argument), size, argument.ctypes.data, len(argument), size)
        result, exception = ctypes.c_int64(), ctypes.c_void_p()
        status = self._entry(ctypes.byref(result), ctypes.byref(exception), *native)
        if status:
            raise RuntimeError(f"kernel {self.function.__name__} ended with status {status}")
        return result.value

    @property
    def object_file(self) -> Path:
        """Where the machine code is, or will be."""
        function = self.function
        source = hashlib.sha256(_source(function))
        source.update(f"{self.parameters} {_closure(function)}".encode())
        source.update(f"{version('numba')} {version('llvmlite')} {_processor()}".encode())
        name = f"{function.__module__}.{function.__qualname__}".replace("<locals>.", "")
        return cache_directory("kernels") / f"{name}-{source.hexdigest()[:16]}.o"

    @property
    def compiled(self) -> bool:
        """Whether the machine code is there, so that a first call need not compile it."""
        return self.object_file.exists()

    def prepare(self) -> None:
        """Compiles the kernel if its machine code is not there."""
        if not self.compiled:
            replace_file(self.object_file, _compile(self))

    def load(self) -> None:
        """Loads the machine code, which a first call would do; a forked process then has it."""
        _ = self._entry

    @functools.cached_property
    def _entry(self) -> Callable[..., int]:
        with _LOADING:
            if "_entry" not in self.__dict__:  # else another thread was first
                self.__dict__["_entry"] = self._loaded()
        return self.__dict__["_entry"]  # type: ignore[no-any-return]

    def _loaded(self) -> Callable[..., int]:
        self.prepare()
        symbol, code = self.object_file.read_bytes().split(b"\n", 1)
        engine = _engine()
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        array = [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 2 + [ctypes.c_void_p] + [ctypes.c_int64] * 2
        shape: list[Any] = []
        for parameter in self.parameters:
            scalar = ctypes.c_int64 if parameter is int else ctypes.c_double if parameter is float else None
            shape += [scalar] if scalar else array
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.POINTER(ctypes.c_int64), ctypes.c_void_p, *shape)
        return prototype(engine.get_function_address(symbol.decode()))


_LOADING = threading.Lock()  # one execution engine serves all threads


@functools.cache
def _source(function: Callable[..., Any]) -> bytes:
    """A hash over the function's file and constants, and over those of the helpers that it calls, wherever they are."""
    file, code = Path(function.__code__.co_filename), function.__code__
    own = _content(file) if file.exists() else repr((code.co_code, code.co_consts, code.co_names)).encode()
    source = hashlib.sha256(_content(Path(__file__)) + own)
    for name in code.co_names:
        value = function.__globals__.get(name)
        if _is_helper(value):
            source.update(_source(value))
        elif isinstance(value, (int, float)):
            source.update(f"{name} {value!r}".encode())
    return source.digest()


_content = functools.cache(Path.read_bytes)


def _closure(function: Callable[..., Any]) -> list[Any]:
    return [cell.cell_contents for cell in function.__closure__ or ()]


@functools.cache
def _processor() -> str:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


@functools.cache
def _engine() -> llvm.ExecutionEngine:
    _processor()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def _compile(compiled: Kernel) -> bytes:
    """The object file behind its symbol's name; raises RuntimeError if the code needs Python or Numba at run time."""
    import numba

    def native(parameter: Any) -> Any:
        if parameter is int or parameter is float:
            return numba.int64 if parameter is int else numba.float64
        return numba.types.Array(numba.from_dtype(parameter), 1, "C", aligned=True)

    signature = numba.int64(*map(native, compiled.parameters))
    options = {"_nrt": False, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    dispatcher = numba.njit(signature, **options)(_with_helpers(compiled.function, options))
    result = dispatcher.overloads[signature.args]
    module = llvm.parse_assembly(result.library.get_llvm_str())
    foreign = [
        function.name
        for function in module.functions
        if function.is_declaration and not function.name.startswith("llvm.") and function.name not in _C_LIBRARY
    ]
    if foreign:
        raise RuntimeError(
            f"kernel {compiled.function.__name__} needs {', '.join(foreign)}: it must not raise or allocate"
        )
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="default",
    )
    symbol: str = result.fndesc.llvm_func_name
    code: bytes = machine.emit_object(module)
    return symbol.encode() + b"\n" + code


_C_LIBRARY = {"memset", "memcpy", "memmove", "memcmp", "bcmp"}


def _with_helpers(function: Callable[..., Any], options: dict[str, Any]) -> Callable[..., Any]:
    """A copy of the function that calls its helpers' compiled forms."""
    import numba

    names = dict(function.__globals__)
    for name in function.__code__.co_names:
        if _is_helper(names.get(name)):
            names[name] = numba.njit(**options)(_with_helpers(names[name], options))
    copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    copy.__qualname__, copy.__module__ = function.__qualname__, function.__module__
    return copy
