"""Entity linking from end to end: what each command takes, where the knowledge base is looked for, what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.command import Result, hanmill, process
from tests.pipelines.keras_modules import with_keras
from tests.pipelines.made_models import write_checkpoint
from tests.pipelines.made_records import write_lines
from tests.pipelines.page import Page

pytestmark = pytest.mark.usefixtures("unsynced")
USAGE, INPUT = 2, 3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A knowledge base, records that were made with it, and others without; a run of the light model."""
    with_keras("models.encoder")
    from tests.pipelines.made_runs import records_of, rows_of

    folder = tmp_path_factory.mktemp("place")
    records_of(
        folder, "entity-linking", train=rows_of("entity-linking", 24, seed=1), dev=rows_of("entity-linking", 8, seed=2)
    )
    bare = ("records", "entity-linking", f"train={folder}/train.json", "--vocab", folder / "made_vocab.txt")
    assert hanmill(*bare, "--out", folder / "bare", "--workers", 1).code == 0
    other = write_lines(folder / "other_data", [{"subject_id": "1", "subject": "晨星"}])
    assert hanmill("kb", "build", other, "--out", folder / "other", "--workers", 1).code == 0
    return folder


@pytest.fixture(autouse=True)
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def train(out: Path, *arguments: object, records: object = "records") -> Result:
    given = ("--records", records, "--out", out, "--steps", 2, "--batch-size", 4)
    return hanmill("train", "entity-linking", *given, *arguments)


@pytest.fixture(scope="module")
def light(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("light") / "run"
    result = train(out, records=place / "records")
    assert result.code == 0, result.err
    return out


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_a_light_run_and_all_that_it_leaves(light: Path, place: Path) -> None:
    told, configuration = read(light / "run.json"), read(light / "config.json")
    assert (told["encoder"], told["matmul_gflops"]) == (None, None)
    assert (configuration["encoder"], configuration["learning_rate"], configuration["epochs"]) == (None, 1e-3, 20)
    assert read(light / "knowledge_base.json") == {
        "directory": str(place / "kb"),
        "sha256": configuration["knowledge_base"],
    }
    assert sorted(path.name for path in (light / "best").iterdir()) == [
        "labels.json", "score.json", "statistics.json", "vocab.txt", "weights.safetensors",
    ]  # fmt: skip
    assert len(read(light / "best/statistics.json")["frequent"]) > 15  # of split train: dev has other names too
    rows = [json.loads(line) for line in (light / "metrics.jsonl").read_text().splitlines()]
    assert "mfu" not in rows[0]
    assert rows[-1].keys() >= {"precision", "recall", "f1", "mention_f1", "link_accuracy", "most_frequent_id"}
    page = Page(light / "report.html").text
    assert "Training of entity-linking" in page
    assert "MFU" not in page


def test_predictions_are_those_that_are_scored(light: Path, place: Path, tmp_path: Path) -> None:
    done = hanmill("predict", "entity-linking", "--model", light, "dev.json", "--out", tmp_path, "--workers", 1)
    assert done.code == 0, done.err
    scored = hanmill("score", "entity-linking", tmp_path / "submission.json", "dev.json", "--json")
    known = ("score", "entity-linking", tmp_path / "submission.json", "dev.json", "--kb", "kb", "--json")
    apart = json.loads(hanmill(*known).out)
    assert apart["known_links"] >= apart["known_found"] >= apart["known_right"]
    assert (apart["known_links"], apart["f1"]) == (8, json.loads(scored.out)["f1"])
    told = json.loads(hanmill("evaluate", "entity-linking", "--model", light, "dev.json", "--json").out)
    assert told.items() >= json.loads(scored.out).items()
    assert told.keys() - json.loads(scored.out).keys() == {
        "mention_f1", "link_accuracy", "most_frequent_id", "bad_records", "cut",
    }  # fmt: skip


def test_bad_rows_have_their_place(light: Path, tmp_path: Path) -> None:
    rows = [
        {"text_id": "1", "text": ""},
        {"text_id": "2", "text": "赵甲"},
        {"text_id": "3"},
        {"text_id": "4", "text": "钱乙"},
    ]
    source = write_lines(tmp_path / "rows.json", rows)
    given = ("--model", light, source, "--out", tmp_path / "out", "--workers", 1, "--max-bad-records", "50%")
    assert hanmill("predict", "entity-linking", *given).code == 0
    found = [json.loads(line) for line in (tmp_path / "out/predictions.jsonl").read_text("utf-8").splitlines()]
    assert [row["text_id"] for row in found] == ["1", "2", "3", "4"]
    assert found[0] == {"text_id": "1", "text": "", "mention_data": []}
    assert len((tmp_path / "out/dead_letters.jsonl").read_text().splitlines()) == 2


def test_a_knowledge_base_that_was_moved(light: Path, place: Path, tmp_path: Path) -> None:
    """It is named with --kb for predictions and for training; another one is not taken for it."""
    scored = ("evaluate", "entity-linking", "--model", light, "dev.json", "--json")
    expected = hanmill(*scored).out
    moved = tmp_path / "moved"
    shutil.move(place / "kb", moved)
    try:
        for result in (hanmill(*scored), train(tmp_path / "run")):
            assert result.code == INPUT
            assert f"{place / 'kb'}: no finished knowledge base there" in result.err
            assert "with --kb DIR" in result.err
        for result in (hanmill(*scored, "--kb", "other"), train(tmp_path / "run", "--kb", "other")):
            assert result.code == INPUT
            assert f"{place / 'other'}: the knowledge base there is " in result.err
        assert not (tmp_path / "run").exists()
        assert hanmill(*scored, "--kb", moved).out == expected
        result = train(tmp_path / "run", "--kb", moved)
        assert result.code == 0, result.err
        assert read(tmp_path / "run/knowledge_base.json")["directory"] == str(moved)
        out = ("--out", tmp_path / "out", "--workers", 1)
        assert hanmill("predict", "entity-linking", "--model", light, "dev.json", *out, "--kb", moved).code == 0
    finally:
        shutil.move(moved, place / "kb")


def test_records_without_a_knowledge_base(place: Path, tmp_path: Path) -> None:
    refused = train(tmp_path / "run", records="bare")
    assert (refused.code, "made without --kb: name a knowledge base, --kb DIR" in refused.err) == (USAGE, True)
    assert train(tmp_path / "run", "--kb", "kb", records="bare").code == 0
    again = train(tmp_path / "run", "--kb", "other", records="bare")
    assert again.code == INPUT
    assert "knowledge_base: " in again.err


def test_the_path_is_no_part_of_what_records_are(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "kb", tmp_path / "copy")
    given = ("records", "entity-linking", "train=train.json", "dev=dev.json", "--vocab", "made_vocab.txt")
    for kb in (place / "kb", tmp_path / "copy"):
        out = tmp_path / kb.name
        assert (
            hanmill(*given, "--kb", kb, "--out", out if kb.name == "kb" else tmp_path / "b", "--workers", 1).code == 0
        )
    first, second = tmp_path / "kb", tmp_path / "b"
    assert (first / "manifest.json").read_bytes() == (second / "manifest.json").read_bytes()
    assert read(second / "run.json")["knowledge_base"] == str(tmp_path / "copy")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--attention", "talking-heads", "--unshared", "--remat"),
            "--attention, --unshared, --remat: without --init or",
        ),
        (("--dropout", "0.1", "--key-size", "8"), "--key-size, --dropout: without --init or --encoder entity-linking"),
    ],
)
def test_options_of_an_encoder(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    refused = train(tmp_path / "run", *arguments)
    assert (refused.code, words in refused.err, (tmp_path / "run").exists()) == (USAGE, True, False)


def test_a_knowledge_base_for_another_task(tmp_path: Path) -> None:
    given = ("text-classification", "--records", "records", "--out", tmp_path / "run", "--kb", "kb")
    refused = hanmill("train", *given)
    assert (refused.code, "--kb: text-classification has no entities" in refused.err) == (USAGE, True)


def test_with_an_encoder(place: Path, tmp_path: Path) -> None:
    """From a checkpoint, and its run predicts; one with too few positions for a text and a description is refused."""
    short = write_checkpoint(tmp_path / "short", place / "made_vocab.txt", positions=128)
    refused = train(tmp_path / "run", "--init", short)
    assert (refused.code, "texts of up to 64 tokens and descriptions of 256" in refused.err) == (INPUT, True)
    init = write_checkpoint(tmp_path / "init", place / "made_vocab.txt", positions=320)
    result = train(tmp_path / "run", "--init", init, "--dropout", "0")
    assert result.code == 0, result.err
    assert read(tmp_path / "run/run.json")["encoder"]["positions"] == 320
    assert read(tmp_path / "run/config.json")["learning_rate"] == 5e-5
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert "mfu" in rows[0]
    told = hanmill("evaluate", "entity-linking", "--model", tmp_path / "run", "dev.json", "--json")
    assert told.code == 0, told.err
    assert json.loads(told.out)["f1"] == pytest.approx(rows[-1]["f1"])


@pytest.mark.slow
def test_the_recipe(place: Path, tmp_path: Path) -> None:
    """From the organisers' files to a score, with nothing but where they are."""
    data = {"train-data": "train.json", "dev-data": "dev.json", "kb-data": "kb_data"}
    settings = [f"{name}={place / file}" for name, file in data.items()] + [f"out={tmp_path}/out", "train.steps=2"]
    command = ("run", "entity-linking", "--json", *(part for setting in settings for part in ("--set", setting)))
    told = process(*command)
    assert told.code == 0, told.err
    assert read(tmp_path / "out/score.json").keys() == {"precision", "recall", "f1"}
    assert {step["status"] for step in json.loads(process(*command).out)["steps"]} == {"skipped"}
