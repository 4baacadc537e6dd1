"""Which scheduler counts: the options', a scheduler file's, that of Dask's configuration; and certificates."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import dask.config
import pytest

from pipelines.engines.cluster import address_of, connected, started
from pipelines.engines.options import EngineOptions
from pipelines.errors import EngineError, UsageError
from tests.clusters import ROOT, SCRIPTS


def test_options_come_before_configuration(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": "tcp://file:1"}))
    with dask.config.set({"scheduler-address": "tcp://configured:1"}):
        assert address_of(EngineOptions("dask")) == "tcp://configured:1"
        assert address_of(EngineOptions("dask", scheduler="tcp://told:1")) == "tcp://told:1"
        assert address_of(EngineOptions("dask", scheduler_file=file)) == "tcp://file:1"
    assert address_of(EngineOptions("dask")) is None


@pytest.mark.parametrize("how", ["variable", "file"])
def test_dask_s_configuration_counts(tmp_path: Path, how: str) -> None:
    (tmp_path / "dask.yaml").write_text("scheduler-address: tcp://configured:1\n")
    code = (
        "from pipelines.engines.options import EngineOptions; from pipelines.engines.cluster import address_of; "
        "print(address_of(EngineOptions('dask')))"
    )
    more = {"DASK_CONFIG": str(tmp_path)} if how == "file" else {"DASK_SCHEDULER_ADDRESS": "tcp://configured:1"}
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **more}, capture_output=True)
    assert ended.stdout == b"tcp://configured:1\n", ended.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory: `dask scheduler --scheduler-file .*` writes it"),
        ("{", "not what `dask scheduler --scheduler-file .*` writes"),
        ("[]", "not what"),
        ("{}", "not what"),
    ],
)
def test_a_scheduler_file_that_is_none(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "scheduler.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(EngineError, match=f"^{file}: {message}"):
        address_of(EngineOptions("dask", scheduler_file=file))


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "ftp://127.0.0.1:1", "tcp://127.0.0.1:1", ""])
def test_an_address_where_nobody_answers_is_named(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.engines.cluster.SECONDS_TO_CONNECT", 1)
    with (
        pytest.raises(EngineError, match=f"^no Dask scheduler answers at {address}: .") as told,
        connected(address, EngineOptions("dask")),
    ):
        pass
    assert told.value.exit_code == 5


def test_a_port_that_says_nothing_is_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.engines.cluster.SECONDS_TO_CONNECT", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        refused = pytest.raises(EngineError, match=f"^no Dask scheduler answers at {address}: no answer within 1 s$")
        with refused, connected(address, EngineOptions("dask")):
            pass


def test_certificates_are_for_tls_addresses(tmp_path: Path) -> None:
    subprocess.run([SCRIPTS / "certificates.sh", tmp_path / "tls"], check=True, stdout=subprocess.DEVNULL)
    names = [tmp_path / "tls" / name for name in ("ca.pem", "cert.pem", "key.pem")]
    options = EngineOptions("dask", tls_ca=names[0], tls_cert=names[1], tls_key=names[2])
    refused = pytest.raises(EngineError, match=r"^no Dask scheduler answers at tcp://127\.0\.0\.1:1: .*encryption")
    with refused, connected("tcp://127.0.0.1:1", options):
        pass


def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    options = EngineOptions("dask", tls_ca=missing, tls_cert=tmp_path, tls_key=tmp_path)
    with (
        pytest.raises(UsageError, match=f"^{missing}: cannot be read: --tls-ca"),
        connected("tls://127.0.0.1:1", options),
    ):
        pass
    missing.touch()
    with pytest.raises(UsageError, match=f"^{tmp_path}: cannot be read: --tls-ca"), started(options, workers=1):
        pass


def test_a_cluster_of_one_s_own_may_be_encrypted(tmp_path: Path) -> None:
    subprocess.run([SCRIPTS / "certificates.sh", tmp_path / "tls"], check=True, stdout=subprocess.DEVNULL)
    names = [tmp_path / "tls" / name for name in ("ca.pem", "cert.pem", "key.pem")]
    options = EngineOptions("dask", tls_ca=names[0], tls_cert=names[1], tls_key=names[2])
    with started(options, workers=1) as client:
        assert client.scheduler.address.startswith("tls://")
        assert client.submit(int, "7").result() == 7


def test_certificates_are_not_overwritten(tmp_path: Path) -> None:
    subprocess.run([SCRIPTS / "certificates.sh", tmp_path / "tls"], check=True, stdout=subprocess.DEVNULL)
    key = tmp_path / "tls/key.pem"
    assert key.stat().st_mode & 0o077 == 0
    before = key.read_bytes()
    again = subprocess.run([SCRIPTS / "certificates.sh", tmp_path / "tls"], capture_output=True, text=True)
    assert (again.returncode, "is there already: remove it first" in again.stderr) == (2, True)
    assert key.read_bytes() == before
