"""A shard's examples: good ones become records where they belong, bad ones dead letters with the reason."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.examples import ShardRecords, held_schema
from pipelines.storage.batches import DeadLetter
from pipelines.storage.readers import read_batches
from pipelines.storage.record_tables import BY_KEY
from pipelines.storage.shards import whole
from pipelines.storage.sources import Reading, discover
from pipelines.task_options import open_task
from tests.pipelines.made_records import (
    EVENT,
    EVENT_TYPES,
    LINES,
    LINKED,
    PREDICATES,
    QUESTION,
    READING,
    RELATION,
    task_options,
    write_labelled,
    write_lines,
)
from transforms.splits import Splits

SPLITS = Splits((("train", 0.5), ("dev", 0.5)), named=("test",), files=2)


def made_of(
    folder: Path, name: str, path: Path, reading: Reading = LINES, split: str = "", **options: Any
) -> ShardRecords:
    task, wordpiece = open_task(task_options(folder, name, **options))
    found = ShardRecords(task, wordpiece, SPLITS, replace_errors=reading.errors == "replace")
    for batch in read_batches([whole(source) for source in discover([str(path)], reading)], reading):
        found.add(batch, split=split)
    return found


def rows_of(found: ShardRecords) -> list[dict[str, Any]]:
    """All records, in the order of files and keys."""
    tables = [table for file in range(sum(map(len, SPLITS.ranges.values()))) for table in found.table(file)]
    return pa.concat_tables(tables).to_pylist() if tables else []


def schema_of(folder: Path, name: str) -> Path | None:
    rows = {"relation-extraction": PREDICATES, "event-extraction": EVENT_TYPES}.get(name)
    return rows and write_lines(folder / "schema.json", rows)  # type: ignore[return-value, arg-type]


def reasons(dead: list[DeadLetter]) -> list[tuple[int, str]]:
    return [(letter.offset, letter.reason) for letter in dead]


def test_records_go_to_their_files_in_order(tmp_path: Path) -> None:
    rows = [("甲", f"第{number}") for number in range(40)]
    found = made_of(tmp_path, "text-classification", write_labelled(tmp_path / "a.tsv", rows), Reading())
    number = 0
    for file in range(5):
        for table in found.table(file):
            assert {SPLITS.place(one) for one in table["id"].to_pylist()} == {file}
            assert table["key"].to_pylist() == [SPLITS.key(one, 0) for one in table["id"].to_pylist()]
            assert table.equals(table.sort_by(BY_KEY))
            number += len(table)
    assert number == 40
    tokens = sum(len(row["ids"]) for row in rows_of(found))
    assert found.totals == {"documents": 40, "records": 40, "tokens": tokens, "cut": 0, "mended": 0}
    assert found.labels == {"甲": {"documents": 40, "tokens": found.totals["tokens"]}}


def test_what_is_named_for_a_split_goes_there(tmp_path: Path) -> None:
    source = write_labelled(tmp_path / "a.tsv", [("甲", f"第{number}") for number in range(9)])
    found = made_of(tmp_path, "text-classification", source, Reading(), split="test")
    assert sum(len(table) for table in found.table(0)) == 9
    assert all(found.table(file) == [] for file in range(1, 5))


def test_texts_that_are_cut_are_counted(tmp_path: Path) -> None:
    """A text of which a record holds no more than a part; a context does not count, as windows cover it."""
    texts = ["大学" * 2, "大学" * 3, "大学" * 4]
    source = write_labelled(tmp_path / "a.tsv", [("甲", text) for text in texts])
    found = made_of(tmp_path, "text-classification", source, Reading(), max_length=8)
    assert sorted(len(row["ids"]) for row in rows_of(found)) == [6, 8, 8]
    assert found.totals["cut"] == 1
    for question, cut in (("上海", 0), ("上海" * 20, 1)):
        qas = [{**QUESTION, "question": question}]
        content = {"data": [{"paragraphs": [{"context": f"{'上海' * 99}北京大学", "qas": qas}]}]}
        (tmp_path / "a.json").write_text(json.dumps(content))
        found = made_of(
            tmp_path, "reading-comprehension", tmp_path / "a.json", Reading(format="paragraphs"), max_length=40
        )
        assert (found.dead, found.totals["cut"]) == ([], cut)
        assert found.totals["records"] > 3


def test_offsets_that_are_mended_are_counted(tmp_path: Path) -> None:
    """Of good examples; of events and mentions none is mended."""
    answers = [{"text": "北京", "answer_start": begin} for begin in (0, 1, 12, 13)]
    qas = [{**QUESTION, "answers": answers}, {**QUESTION, "id": "q2", "answers": [answers[1], {"text": "标题"}]}]
    qas.append({**QUESTION, "id": "q3", "answers": [answers[1], {"text": "北京", "answer_start": 7}]})
    paragraph = {**READING["data"][0]["paragraphs"][0], "qas": qas}
    (tmp_path / "a.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    found = made_of(tmp_path, "reading-comprehension", tmp_path / "a.json", Reading(format="paragraphs"))
    assert [row["mended"] for row in rows_of(found)] == [2, 1]
    assert (found.totals["mended"], len(found.dead)) == (3, 1)


def test_windows_of_a_question_are_numbered(tmp_path: Path) -> None:
    context = "".join(f"北京有{'大学' * 4}，上海在{number}。" for number in range(30))
    (tmp_path / "a.json").write_text(json.dumps({"data": [{"paragraphs": [{"context": context, "qas": [QUESTION]}]}]}))
    reading = Reading(format="paragraphs")
    found = made_of(tmp_path, "reading-comprehension", tmp_path / "a.json", reading, max_length=120, stride=30)
    rows = sorted(rows_of(found), key=lambda row: row["window"])
    assert [row["window"] for row in rows] == list(range(len(rows)))
    assert found.totals["documents"] == 1
    assert found.totals["records"] == len(rows) > 3
    assert all(row["key"] == SPLITS.key("q1", row["number"]) and row["number"] == row["window"] for row in rows)
    assert len({SPLITS.place(row["id"]) for row in rows}) == 1


def test_questions_about_one_context_go_into_one_split(tmp_path: Path) -> None:
    paragraphs = [
        {
            "context": f"北京大学在上海有{'人' * number}",
            "qas": [{**QUESTION, "id": f"{number}-{of}"} for of in range(9)],
        }
        for number in range(1, 9)
    ]
    (tmp_path / "a.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    found = made_of(tmp_path, "reading-comprehension", tmp_path / "a.json", Reading(format="paragraphs"))
    files = {(row["context"], file) for file in range(5) for table in found.table(file) for row in table.to_pylist()}
    assert found.totals["records"] == 72
    split_of = {file: split for split, files in SPLITS.ranges.items() for file in files}
    of_context = {context: {split_of[file] for of, file in files if of == context} for context, _ in files}
    assert {len(splits) for splits in of_context.values()} == {1}
    assert len(files) > 8  # in a split questions are spread over files, each by its id
    assert len(set.union(*of_context.values())) > 1


def test_bad_examples_of_a_document_are_dead_letters_and_good_ones_stay(tmp_path: Path) -> None:
    questions = [QUESTION, {**QUESTION, "id": "q2", "answers": [{"text": "标题"}]}, {**QUESTION, "id": ""}]
    paragraph = READING["data"][0]["paragraphs"][0]
    articles = [{"paragraphs": [{**paragraph, "qas": questions}, {"context": "北京"}]}]
    (tmp_path / "a.json").write_text(json.dumps({"data": articles}))
    found = made_of(tmp_path, "reading-comprehension", tmp_path / "a.json", Reading(format="paragraphs"))
    assert [row["id"] for row in rows_of(found)] == ["q1"]
    assert sorted(reason for _, reason in reasons(found.dead)) == [
        "field 'qas' is missing",
        "qas, item 2: a question without field 'id'",
        "question q2: answers, item 0: answer '标题' does not stand in the context",
    ]


def test_reasons_and_places_of_bad_lines(tmp_path: Path) -> None:
    good = json.dumps(RELATION, ensure_ascii=False).encode()
    unknown = {**RELATION, "spo_list": [{**RELATION["spo_list"][1], "predicate": "首都"}]}  # type: ignore[index]
    lines = [
        good, b"{", b'{"text": 1}', b'{"text": " "}', b"\xff\xff", json.dumps(unknown).encode(), b'[]', good
    ]  # fmt: skip
    (tmp_path / "a.json").write_bytes(b"\n".join(lines))
    schema = schema_of(tmp_path, "relation-extraction")
    found = made_of(tmp_path, "relation-extraction", tmp_path / "a.json", schema=schema)
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
    dead = dict(reasons(found.dead))
    assert sorted(dead) == starts[1:-1]
    assert dead[starts[1]].startswith("not JSON: ")
    assert dead[starts[2]] == "field 'text' is a number, not text"
    assert dead[starts[3]] == "field 'text' is empty"
    assert dead[starts[5]] == "predicates: '首都_@value' is not in the schema"
    assert dead[starts[6]] == "not a JSON object but a list"
    assert (found.totals["documents"], found.totals["records"]) == (2, 2)
    assert {letter.source for letter in found.dead} == {str(tmp_path / "a.json")}


def test_bytes_that_do_not_decode_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"ab\xff\n")
    source = tmp_path / "a.txt"
    for errors, texts in (("dead-letter", []), ("replace", ["ab�"])):
        reading = Reading(encoding="utf-8", errors=errors)  # type: ignore[arg-type]
        found = made_of(tmp_path, "text-classification", source, reading)
        assert [row["text"] for row in rows_of(found)] == texts
        assert len(found.dead) == 1 - len(texts)


@pytest.mark.parametrize(
    ("name", "row", "field"),
    [
        ("relation-extraction", RELATION, "spo_list"),
        ("event-extraction", EVENT, "event_list"),
        ("entity-linking", LINKED, "mention_data"),
    ],
)
def test_a_row_without_gold_is_good_in_split_test_only(
    tmp_path: Path, name: str, row: dict[str, Any], field: str
) -> None:
    source = write_lines(tmp_path / "a.json", [row, {**row, field: []}, {**row, field: None}])
    schema = schema_of(tmp_path, name)
    assert len(rows_of(made_of(tmp_path, name, source, split="test", schema=schema))) == 3
    for split in ("train", "dev"):
        found = made_of(tmp_path, name, source, split=split, schema=schema)
        assert len(rows_of(found)) == 2
        ((offset, reason),) = reasons(found.dead)
        assert offset > 0
        assert reason.endswith(f"field {field!r} is missing: split {split} needs gold; else name it test=FILE")
        named = row.get("id", row.get("text_id"))
        assert reason.startswith("field" if named is None else f"id {named}: ")


@pytest.mark.parametrize("split", ["train", "dev", "test"])
@pytest.mark.parametrize("name", ["relation-extraction", "event-extraction", "entity-linking"])
def test_a_row_of_another_task_is_bad_in_every_split(tmp_path: Path, name: str, split: str) -> None:
    rows = {"relation-extraction": RELATION, "event-extraction": EVENT, "entity-linking": LINKED}
    source = write_lines(tmp_path / "a.json", list(rows.values()))
    found = made_of(tmp_path, name, source, split=split, schema=schema_of(tmp_path, name))
    assert [row["text"] for row in rows_of(found)] == [rows[name]["text"]]
    assert all("a row of " in reason for _, reason in reasons(found.dead))
    assert len(found.dead) == 2


def test_a_question_without_answers_is_good_in_split_test_only(tmp_path: Path) -> None:
    paragraph = READING["data"][0]["paragraphs"][0]
    asked = [{**QUESTION, "id": "q2", "answers": []}, {"id": "q3", "question": "大学"}, QUESTION]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{**paragraph, "qas": asked}]}]}))
    reading = Reading(format="paragraphs")
    for split, ids in (("test", ["q1", "q2", "q3"]), ("train", ["q1", "q2"])):
        found = made_of(tmp_path, "reading-comprehension", path, reading, split=split)
        assert sorted(row["id"] for row in rows_of(found)) == ids
        assert len(found.dead) == 3 - len(ids)


HALF = "\ud800"
HALVES: dict[str, tuple[str, Any]] = {
    "text": ("entity-linking", {**LINKED, "text": f"北京大学在北京{HALF}"}),
    "id": ("entity-linking", {**LINKED, "text_id": HALF}),
    "entity": ("entity-linking", {**LINKED, "mention_data": [{**LINKED["mention_data"][0], "kb_id": HALF}]}),  # type: ignore[dict-item]
    "trigger": ("event-extraction", {**EVENT, "event_list": [{**EVENT["event_list"][0], "trigger": HALF}]}),  # type: ignore[dict-item]
    "label": ("event-extraction", {**EVENT, "event_list": [{**EVENT["event_list"][0], "event_type": HALF}]}),  # type: ignore[dict-item]
    "slot": ("relation-extraction", {**RELATION, "spo_list": [{**RELATION["spo_list"][0], "object": {HALF: "人"}}]}),  # type: ignore[dict-item]
}  # fmt: skip


@pytest.mark.parametrize("place", HALVES)
def test_half_characters_are_dead_letters(tmp_path: Path, place: str) -> None:
    """JSON's escapes may stand for half of a surrogate pair, which is no text."""
    name, row = HALVES[place]
    good = {"entity-linking": LINKED, "event-extraction": EVENT, "relation-extraction": RELATION}[name]
    (tmp_path / "a.json").write_text(f"{json.dumps(row)}\n{json.dumps(good)}\n")
    found = made_of(tmp_path, name, tmp_path / "a.json", schema=schema_of(tmp_path, name))
    assert len(rows_of(found)) == 1
    ((offset, reason),) = reasons(found.dead)
    assert offset == 0
    assert any(said in reason for said in ("half of a surrogate pair, no text", "not stand in", "not in the schema"))


def test_half_an_answer_is_a_dead_letter(tmp_path: Path) -> None:
    """An answer that stands nowhere is kept where another one does, so it must be text."""
    question = {**QUESTION, "answers": [{"text": "北京"}, {"text": HALF}]}
    paragraph = {**READING["data"][0]["paragraphs"][0], "qas": [question]}
    (tmp_path / "a.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    found = made_of(tmp_path, "reading-comprehension", tmp_path / "a.json", Reading(format="paragraphs"))
    why = "question q1: answers, item 1: field 'text': character 0 is half of a surrogate pair, no text"
    assert reasons(found.dead) == [(0, why)]


@given(
    texts=st.lists(st.text("中国人民。，！ab\n 龘é", max_size=30), max_size=8),
    across=st.booleans(),
    max_length=st.integers(8, 20),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_masked_language_models_hold_each_token_once(
    tmp_path: Path, texts: list[str], across: bool, max_length: int
) -> None:
    source = write_lines(tmp_path / "a.jsonl", [{"text": text} for text in texts])
    name = "masked-language-model"
    found = made_of(tmp_path, name, source, Reading(), max_length=max_length, across=across)
    rows = rows_of(found)
    bad = sum(not text.strip() for text in texts)
    assert len(found.dead) == bad
    assert found.totals["documents"] == len(texts) - bad
    assert found.totals["records"] == len(rows)
    task, wordpiece = open_task(task_options(tmp_path, name, max_length=max_length, across=across))
    assert all(row.keys() >= held_schema(task).keys() for row in rows)
    special = {task.vocabulary.cls, task.vocabulary.sep}
    ids = sorted(number for row in rows for number in row["ids"] if number not in special)
    wanted = [tokens.ids.tolist() for tokens in wordpiece.tokenize([text for text in texts if text.strip()])]
    assert ids == sorted(number for tokens in wanted for number in tokens)
    assert across or all(len(row["ids"]) <= max_length for row in rows)
