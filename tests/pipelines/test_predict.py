"""Predictions: a row for each example, in the order of the input, whatever is wrong with it; and their score."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import BadRecordsError, InputError
from tests.pipelines.command import hanmill
from tests.pipelines.made_records import write_lines
from tests.pipelines.made_runs import rows_of, untrained_run
from transforms.tasks.json_input import GOLD
from transforms.tasks.task import TASKS

pytest.importorskip("keras")
NAMES = ("reading-comprehension", "relation-extraction", "event-extraction", "entity-linking")
every_task = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return {name: untrained_run(tmp_path_factory.mktemp(name), name) for name in NAMES}


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text("utf-8").splitlines()]


def predict(name: str, run: Path, out: Path, *files: Path, **options: Any) -> Any:
    given = [item for option, value in options.items() for item in (f"--{option.replace('_', '-')}", value)]
    return hanmill("predict", name, "--model", run, *files, "--out", out, "--workers", 1, *given)


@every_task
def test_a_row_an_example_in_the_order_of_the_input(name: str, runs: dict[str, Path], tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", rows_of(name, 150, seed=3))
    result = predict(name, runs[name], tmp_path / "out", gold)
    assert result.code == 0, result.err
    assert "150 documents" in result.out
    found = rows(tmp_path / "out")
    if name == "relation-extraction":
        assert [row["text"] for row in found] == [row["text"] for row in rows_of(name, 150, seed=3)]
    else:
        ids = [row["text_id" if name == "entity-linking" else "id"] for row in found]
        assert ids == [f"3-{number}" for number in range(150)]
    said = [row.get("answer") or row.get(GOLD[name]) for row in found]
    assert sum(map(bool, said)) >= 10
    submission = (tmp_path / "out/submission.json").read_bytes()
    assert submission == TASKS[name].write(found)
    archive = tmp_path / "out/submission.zip"
    assert archive.exists() == (name == "relation-extraction")
    assert f"for the organisers: {archive if archive.exists() else archive.with_suffix('.json')}\n" in result.out
    if archive.exists():
        with zipfile.ZipFile(archive) as opened:
            assert [opened.read(file) for file in opened.namelist()] == [submission]
        assert (
            hanmill("score", name, archive, gold).out == hanmill("score", name, archive.with_suffix(".json"), gold).out
        )
    scored = hanmill("score", name, tmp_path / "out/submission.json", gold, "--json")
    told = hanmill("evaluate", name, "--model", runs[name], gold, "--json")
    found = json.loads(told.out)
    parts = {"mention_f1", "link_accuracy", "most_frequent_id"} if name == "entity-linking" else set()
    assert found.keys() == {*json.loads(scored.out), *parts, "bad_records", "cut"}
    assert found.items() >= {**json.loads(scored.out), "bad_records": 0, "cut": 0}.items()


@pytest.mark.parametrize("name", ["event-extraction", "reading-comprehension"])
def test_nothing_in_is_nothing_out(name: str, runs: dict[str, Path], tmp_path: Path) -> None:
    """As on a night without articles."""
    source = tmp_path / "a.json"
    source.write_text('{"data": []}' if name == "reading-comprehension" else "")
    predict(name, runs[name], tmp_path / "out", source)
    assert rows(tmp_path / "out") == []
    assert json.loads((tmp_path / "out/submission.json").read_text() or "[]") in ([], {})


def test_what_is_bad_has_a_dead_letter_and_its_place(runs: dict[str, Path], tmp_path: Path) -> None:
    good = [
        {"id": f"g{number}", "text": row["text"]} for number, row in enumerate(rows_of("event-extraction", 3, seed=1))
    ]
    twice = {**good[0], "id": "g9"}
    lines = [good[0], {"id": "empty", "text": ""}, good[1], {"id": "none"}, twice, good[2], good[2]]
    path = write_lines(tmp_path / "rows.json", lines)
    with path.open("a") as file:
        file.write("no JSON\n")
    assert (
        predict("event-extraction", runs["event-extraction"], tmp_path / "out", path).code == BadRecordsError.exit_code
    )
    result = predict("event-extraction", runs["event-extraction"], tmp_path / "out", path, max_bad_records="4")
    assert result.code == 0, result.err
    found = rows(tmp_path / "out")
    assert [row["id"] for row in found] == ["g0", "empty", "g1", "none", "g9", "g2", "g2"]
    assert found[1] == {"id": "empty", "event_list": []}
    assert found[0]["event_list"] == found[4]["event_list"]
    assert found[5] == found[6]
    totals = json.loads((tmp_path / "out/manifest.json").read_text())["totals"]
    assert (totals["documents"], totals["predictions"], totals["dead_letters"]) == (4, 7, 4)
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "out/dead_letters.jsonl").read_text().splitlines()]
    assert reasons[:2] == ["id empty: field 'text' is empty", "id none: field 'text' is missing"]
    assert reasons[2].startswith("id 'g2' stands before: ")
    assert reasons[3].startswith("not JSON")
    submitted = (tmp_path / "out/submission.json").read_text().splitlines()
    assert [json.loads(line)["id"] for line in submitted] == ["g0", "empty", "g1", "none", "g9", "g2"]


def test_a_row_that_is_bad_counts_once_and_leaves_its_id_to_a_good_one(runs: dict[str, Path], tmp_path: Path) -> None:
    name = "event-extraction"
    text = rows_of(name, 1, seed=1)[0]["text"]
    lines = [{"id": "a", "text": ""}, {"id": "a", "text": ""}, {"id": "b", "text": ""}, {"id": "b", "text": text}]
    path = write_lines(tmp_path / "rows.json", [*lines, {"id": "c", "text": text}])
    assert predict(name, runs[name], tmp_path / "out", path, max_bad_records="3").code == 0
    found = rows(tmp_path / "out")
    assert [row["id"] for row in found] == ["a", "a", "b", "b", "c"]
    totals = json.loads((tmp_path / "out/manifest.json").read_text())["totals"]
    assert (totals["documents"], totals["predictions"], totals["dead_letters"]) == (2, 5, 3)
    submitted = [json.loads(line) for line in (tmp_path / "out/submission.json").read_text().splitlines()]
    assert submitted == [found[0], found[3], found[4]]


def test_relations_of_one_id_and_two_texts_are_both_submitted(runs: dict[str, Path], tmp_path: Path) -> None:
    name = "relation-extraction"
    path = write_lines(tmp_path / "rows.json", [{**row, "id": 1} for row in rows_of(name, 2, seed=1)])
    assert predict(name, runs[name], tmp_path / "out", path, max_bad_records="0").code == 0
    assert len((tmp_path / "out/submission.json").read_text().splitlines()) == 2


def test_totals_do_not_depend_on_shards(runs: dict[str, Path], tmp_path: Path) -> None:
    name = "event-extraction"
    text = rows_of(name, 1, seed=1)[0]["text"]
    path = write_lines(tmp_path / "rows.json", [{"text": text}] * 4)
    for shard_bytes in ("1MiB", "40"):
        assert predict(name, runs[name], tmp_path / shard_bytes, path, shard_bytes=shard_bytes).code == 0
    manifests = [(tmp_path / shard_bytes / "manifest.json").read_bytes() for shard_bytes in ("1MiB", "40")]
    assert manifests[0] == manifests[1]


def test_another_limit_of_documents_is_another_output(runs: dict[str, Path], tmp_path: Path) -> None:
    name = "reading-comprehension"
    path = write_lines(tmp_path / "rows.json", rows_of(name, 2, seed=1))
    first = predict(name, runs[name], tmp_path / "out", path, max_document_bytes=9, max_bad_records="100%")
    assert first.code == 0, first.err
    again = predict(name, runs[name], tmp_path / "out", path)
    assert again.code == InputError.exit_code
    assert "(max_document_bytes: 9, now 67108864)" in again.err


def test_of_two_questions_with_one_id_the_first_is_submitted(runs: dict[str, Path], tmp_path: Path) -> None:
    name = "reading-comprehension"
    first, second = (rows_of(name, 1, seed=seed)[0]["data"][0]["paragraphs"][0] for seed in (2, 3))
    second["qas"][0]["id"] = first["qas"][0]["id"]
    path = write_lines(tmp_path / "twice.json", [{"data": [{"paragraphs": [first, second]}]}])
    assert predict(name, runs[name], tmp_path / "out", path, max_bad_records="0").code == BadRecordsError.exit_code
    assert predict(name, runs[name], tmp_path / "out", path, max_bad_records="1").code == 0
    found = rows(tmp_path / "out")
    assert len(found) == 2
    assert json.loads((tmp_path / "out/submission.json").read_text()) == {found[0]["id"]: found[0]["answer"]}
    (letter,) = map(json.loads, (tmp_path / "out/dead_letters.jsonl").read_text().splitlines())
    assert (letter["offset"], letter["reason"]) == (1, f"id {found[0]['id']!r} stands before: {path}, offset 0")


def test_a_bad_question_has_a_row(runs: dict[str, Path], tmp_path: Path) -> None:
    name = "reading-comprehension"
    paragraph = rows_of(name, 1, seed=2)[0]["data"][0]["paragraphs"][0]
    paragraph["qas"].insert(0, {"id": "bad", "question": ""})
    path = write_lines(tmp_path / "rows.json", [{"data": [{"paragraphs": [paragraph]}]}])
    assert predict(name, runs[name], tmp_path / "out", path, max_bad_records="1").code == 0
    found = rows(tmp_path / "out")
    assert [(row["id"], bool(row["answer"])) for row in found] == [("bad", False), ("2-0", True)]
    assert json.loads((tmp_path / "out/submission.json").read_text()) == {row["id"]: row["answer"] for row in found}
    assert len((tmp_path / "out/dead_letters.jsonl").read_text().splitlines()) == 1


def test_a_file_of_questions_is_cut_in_shards(runs: dict[str, Path], tmp_path: Path) -> None:
    name = "reading-comprehension"
    path = write_lines(tmp_path / "many.json", rows_of(name, 9, seed=4))
    for shard_bytes in ("1GiB", "300"):
        out = tmp_path / shard_bytes
        assert predict(name, runs[name], out, path, shard_bytes=shard_bytes).code == 0
    assert len(list((tmp_path / "300/_shards").glob("*.arrow"))) > 3
    assert (tmp_path / "300/predictions.jsonl").read_bytes() == (tmp_path / "1GiB/predictions.jsonl").read_bytes()


def test_texts_that_are_cut_are_told(runs: dict[str, Path], tmp_path: Path) -> None:
    text = rows_of("event-extraction", 1, seed=1)[0]["text"]
    path = write_lines(tmp_path / "rows.json", [{"id": "a", "text": text}, {"id": "b", "text": text * 99}])
    result = predict("event-extraction", runs["event-extraction"], tmp_path / "out", path)
    assert "2 predictions, 1 too long and cut\n" in result.out
    assert [row["id"] for row in rows(tmp_path / "out")] == ["a", "b"]


def test_windows_of_a_question_are_one_row(runs: dict[str, Path], tmp_path: Path) -> None:
    paragraph = rows_of("reading-comprehension", 1, seed=2)[0]["data"][0]["paragraphs"][0]
    paragraph["context"] *= 20
    path = write_lines(tmp_path / "long.json", [{"data": [{"paragraphs": [paragraph]}]}])
    assert predict("reading-comprehension", runs["reading-comprehension"], tmp_path / "out", path).code == 0
    assert len(rows(tmp_path / "out")) == 1
    assert json.loads((tmp_path / "out/manifest.json").read_text())["totals"]["tokens"] > 200


def test_again_there_is_nothing_to_do_and_another_model_is_another_output(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    name = "event-extraction"
    gold = write_lines(tmp_path / "gold.json", rows_of(name, 5, seed=3))
    assert predict(name, runs[name], tmp_path / "out", gold).code == 0
    assert "up to date, nothing to do" in predict(name, runs[name], tmp_path / "out", gold).out
    other = untrained_run(tmp_path / "other", name)
    (other / "best/score.json").write_text("{}")
    result = predict(name, other, tmp_path / "out", gold)
    assert result.code == InputError.exit_code
    assert "holds a run with other options (model:" in result.err


def test_what_is_no_run_of_the_task(runs: dict[str, Path], tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", rows_of("event-extraction", 2, seed=3))
    result = predict("event-extraction", runs["relation-extraction"], tmp_path / "out", gold)
    assert (result.code, "a model of relation-extraction, not of event-extraction" in result.err) == (3, True)
    result = predict("event-extraction", tmp_path, tmp_path / "out", gold)
    assert (result.code, "no run with weights in best/: name the folder" in result.err) == (3, True)


def test_weights_that_the_model_has_not_are_not_passed_over(tmp_path: Path) -> None:
    import keras

    run = untrained_run(tmp_path / "made", "event-extraction")
    weights = run / "best/weights.safetensors"
    from safetensors.numpy import load_file, save_file

    held = load_file(weights)
    save_file({**held, "event_extraction/extra/kernel": next(iter(held.values()))}, weights)
    keras.utils.clear_session()
    gold = write_lines(tmp_path / "gold.json", rows_of("event-extraction", 2, seed=3))
    result = predict("event-extraction", run, tmp_path / "out", gold)
    assert result.code == InputError.exit_code
    assert "best: has event_extraction/extra/kernel, which the model has not: train it again" in result.err


def test_a_damaged_checkpoint_names_its_file(tmp_path: Path) -> None:
    run = untrained_run(tmp_path / "made", "event-extraction")
    (run / "best/weights.safetensors").write_bytes(b"damaged")
    gold = write_lines(tmp_path / "gold.json", rows_of("event-extraction", 2, seed=3))
    result = predict("event-extraction", run, tmp_path / "out", gold)
    assert (result.code, "weights.safetensors" in result.err) == (3, True)
