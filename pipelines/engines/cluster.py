"""Which Dask cluster a run works on: one that is there, or one started on this machine."""

import asyncio
import contextlib
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.config
from distributed import Client, LocalCluster, Security
from distributed.comm import connect

from pipelines.engines.options import EngineOptions
from pipelines.errors import EngineError, UsageError

SECONDS_TO_CONNECT = 8
PRELOAD = ["pipelines.engines.preload"]
DASHBOARD = "127.0.0.1:8787"
ROLES = ("client", "scheduler", "worker")


def address_of(options: EngineOptions) -> str | None:
    """The scheduler that the options name, else Dask's configuration (and so `DASK_SCHEDULER_ADDRESS`), else None.

    Raises EngineError for a scheduler file that is not there or not whole.
    """
    if options.scheduler is not None:
        return options.scheduler
    file = options.scheduler_file
    if file is None:
        address: str | None = dask.config.get("scheduler-address", None)
        return address
    try:
        return str(json.loads(file.read_bytes())["address"])
    except OSError as error:
        raise EngineError(f"{file}: {error.strerror}: `dask scheduler --scheduler-file {file}` writes it") from None
    except (ValueError, KeyError, TypeError):
        raise EngineError(f"{file}: not what `dask scheduler --scheduler-file {file}` writes") from None


@contextlib.contextmanager
def connected(address: str, options: EngineOptions) -> Iterator[Client]:
    """A client of the scheduler at an address; raises EngineError within ten seconds if nobody answers there."""
    security = _security(options)
    try:
        # A client would wait for ever at a port that accepts and says nothing.
        asyncio.run(asyncio.wait_for(_greet(address, security.get("security") or Security()), SECONDS_TO_CONNECT))
    except Exception as error:  # of many kinds, from a wrong address to a certificate that nobody knows
        raise EngineError(f"no Dask scheduler answers at {address}: {_reason(error)}") from error
    with Client(address, timeout=SECONDS_TO_CONNECT, name="hanmill", **security) as client:
        yield client


async def _greet(address: str, security: Security) -> None:
    comm = await connect(address, timeout=SECONDS_TO_CONNECT, **security.get_connection_args("client"))
    await comm.close()


@contextlib.contextmanager
def started(options: EngineOptions, *, workers: int) -> Iterator[Client]:
    """A client of a new cluster here, of one thread a process; its dashboard may find Dask's usual port taken."""
    with contextlib.suppress(ImportError):
        import pandas  # noqa: F401  else the dashboard's thread and Arrow in ours would both be at it
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Port 8787 is already in use")
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address=DASHBOARD,
                preload=PRELOAD,
                **_security(options),
            )
        except (OSError, RuntimeError) as error:
            raise EngineError(f"no Dask cluster can be started here: {_reason(error)}") from error
    with cluster, Client(cluster, name="hanmill") as client:
        yield client


def _security(options: EngineOptions) -> dict[str, Any]:
    """The certificates of the options, if they name any; else Dask's configuration counts."""
    files = [str(file) for file in (options.tls_ca, options.tls_cert, options.tls_key) if file is not None]
    if not files:
        return {}
    for file in files:
        if not os.access(file, os.R_OK) or not Path(file).is_file():
            raise UsageError(f"{file}: cannot be read: --tls-ca, --tls-cert and --tls-key name PEM files")
    authority, certificate, key = files
    pairs = {f"tls_{role}_cert": certificate for role in ROLES} | {f"tls_{role}_key": key for role in ROLES}
    return {"security": Security(tls_ca_file=authority, require_encryption=True, **pairs)}


def _reason(error: BaseException) -> str:
    """The last of a chain of exceptions says what happened."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, TimeoutError | asyncio.CancelledError):
        return f"no answer within {SECONDS_TO_CONNECT} s"
    return str(error) or type(error).__name__
