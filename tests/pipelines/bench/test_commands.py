"""Each figure's command, over a small corpus: what it prints, and that its parts add up."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.bench import encoder
from pipelines.errors import EngineError
from tests.pipelines.command import hanmill


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    corpus = tmp_path_factory.mktemp("bench") / "corpus"
    assert hanmill("sample", "--out", corpus, "--documents", 50).code == 0
    return corpus


@pytest.fixture(autouse=True)
def all_cores() -> Iterator[None]:
    """A figure of one core leaves the process bound to it."""
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


def printed(*arguments: object) -> str:
    ended = hanmill("bench", *arguments)
    assert ended.code == 0, ended.err
    return ended.out


def test_segmentation(corpus: Path) -> None:
    lines = printed("segmentation", corpus, "--rounds", 1).splitlines()
    assert lines[0].startswith("50 documents, ")
    assert [line.partition(",")[0] for line in lines[1:]] == ["jieba", "rjieba", "hanmill"]
    assert lines[1].endswith("1.0 x")


def test_engines(corpus: Path) -> None:
    told = printed("engines", corpus, "--engine", "local", "--rounds", 1)
    alone, together, gained = (
        float(re.findall(pattern, told)[0])
        for pattern in (r"1 worker +([\d.]+) s", r"2 workers +([\d.]+) s", r"E_self ([\d.]+)")
    )
    assert gained == pytest.approx(alone / (2 * together), abs=0.05)
    assert "E_loop" in told


def test_kb() -> None:
    told = printed("kb", "--entities", 50, "--rounds", 1, "--workers", 1).splitlines()
    assert told[0].startswith("50 entities, ")
    assert [line.split()[0] for line in told[1:3]] == ["build,", "files:"]
    assert [line.strip()[:3] for line in told[-2:]] == ["one", "64 "]


def test_scheduling() -> None:
    assert printed("scheduling", "--engine", "local", "--shards", 20).startswith("20 shards of nothing on local")


def test_profile(corpus: Path) -> None:
    told = printed("profile", corpus)
    seconds = {step: float(taken) for step, taken in re.findall(r"^(\w[\w ]*?) +([\d.]+) s", told, re.MULTILINE)}
    whole = seconds.pop("the whole")
    assert {"list", "read", "decode", "segment", "tally", "counts", "write runs", "write entry"} <= seconds.keys()
    assert sum(seconds.values()) == pytest.approx(whole, abs=0.02)
    assert printed("profile", corpus)  # what was measured is as it was


@pytest.mark.slow
def test_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "SIZES", {"vocabulary_size": 50, "hidden": 16, "layers": 1, "heads": 2})
    told = printed("encoder", "--batch-size", 1, "--length", 4, "--rounds", 2)
    lines = told.splitlines()
    left_out = [line.partition(":")[0] for line in lines if ": left out, not installed: " in line]
    measured = re.findall(r"^([\w, ]+?) +[\d.]+ s \([\d.]+ to [\d.]+\) .* x$", told, re.MULTILINE)
    assert sorted([*left_out, *left_out, *measured]) == sorted(2 * [peer.name for peer in encoder.PEERS])
    assert "hanmill, TensorFlow" in measured
    assert "A step of 1 texts of up to 4 tokens, 1 layers of 16, AdamW, by the clock; " in told


def test_an_encoder_that_fails_is_named() -> None:
    peer = encoder.Peer("broken", "hanmill", "tensorflow", (), {"attention": "no such kind"})
    with pytest.raises(EngineError, match=r"(?s)broken: its process ended: .*'no such kind' is not known"):
        encoder.bench_encoder([peer], batch_size=1, length=4, rounds=1)


def test_memory(corpus: Path) -> None:
    [told] = re.findall(r"^largest process: (\d+) MiB$", printed("memory", corpus), re.MULTILINE)
    assert int(told) > 50


def test_dictionary() -> None:
    compiled, loaded = (float(value) for value in re.findall(r"([\d.]+) s", printed("dictionary")))
    assert 0 < loaded < compiled


def test_angles() -> None:
    told = printed("angles", "--dimension", 5, "--pairs", 2000, "--rounds", 1)
    names = re.findall(r"^(NumPy|hanmill, \w+|search|SciPy|the same)", told, re.MULTILINE)
    assert names == ["NumPy", "hanmill, vectors", "hanmill, reduced", "search", "SciPy", "the same"]
    assert "in another bin by cells than by search: 0" in told


def test_agreement(tmp_path: Path) -> None:
    for method, dimensions in (("vectors", "2,3"), ("reduced", "3,4")):
        options = ("--dimensions", dimensions, "--pairs", "2e4", "--method", method, "--workers", 1, "--no-report")
        assert hanmill("angles", *options, "--out", tmp_path / method).code == 0
    told = printed("agreement", tmp_path / "vectors", tmp_path / "reduced")
    assert re.fullmatch(r"n = 3 +20,000 and 20,000 pairs  KS \d\.\d\de-\d\d  p 0\.\d{3}\n", told)
