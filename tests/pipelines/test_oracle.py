"""What gold becomes on its way through bytes and the decoder; a span that is wrong in the bytes costs score."""

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.local import Local
from pipelines.errors import InputError
from pipelines.knowledge_base import BuildKnowledgeBase
from pipelines.oracle import Oracle, score_oracle, vocabulary_of
from pipelines.run import run
from tests.pipelines.made_records import (
    EVENT,
    EVENT_TYPES,
    LINKED,
    PREDICATES,
    QUESTION,
    READING,
    RELATION,
    write_lines,
    write_vocabulary,
)
from tests.transforms.tasks.making import DATA, needs_data
from transforms.tfrecord import decode_example, encode_example, frame, read_frames

ROWS = {"relation-extraction": RELATION, "event-extraction": EVENT, "reading-comprehension": READING}
SCHEMAS: dict[str, Any] = {"relation-extraction": PREDICATES, "event-extraction": EVENT_TYPES}
SPANS = {"relation-extraction": "object", "event-extraction": "argument", "reading-comprehension": "answer"}
every_task = pytest.mark.parametrize("name", ROWS)


def gold_of(folder: Path, name: str) -> Path:
    return write_lines(folder / "gold.json", [ROWS[name]])


def f1(oracle: Oracle, gold: Path) -> float:
    return score_oracle(oracle, gold)["f1"]


def with_a_wrong_span(oracle: Oracle, name: str) -> Oracle:
    """The same records, but that one span begins and ends a character later: the only one of its example."""
    every: list[dict[str, Any]] = [
        dict(decode_example(raw)) for _, raw in read_frames(io.BytesIO(oracle.framed), name="")
    ]
    windows = Counter(features["id"][0] for features in every)
    alone = (f for f in every if windows[f["id"][0]] == len(f[f"{name}_begins"]) == 1)
    chosen = next(f for f in alone if b"NIL" not in f.get("entities", ()))  # which counts on neither side
    for edge in ("begins", "ends"):
        chosen[f"{name}_{edge}"] = chosen[f"{name}_{edge}"] + 1
    return replace(oracle, framed=b"".join(frame(map(encode_example, every))))


@every_task
def test_a_span_that_is_wrong_in_the_bytes_costs_score(tmp_path: Path, name: str) -> None:
    one = {
        "relation-extraction": {"text": RELATION["text"], "spo_list": RELATION["spo_list"][1:]},  # type: ignore[index]
        "event-extraction": EVENT,
        "reading-comprehension": {"data": [{"paragraphs": [{"context": "上海，北京，海", "qas": [QUESTION]}]}]},
    }
    gold = write_lines(tmp_path / "gold.json", [one[name]])
    oracle = Oracle.of(name, gold)
    assert f1(oracle, gold) == 1.0
    assert f1(with_a_wrong_span(oracle, SPANS[name]), gold) < 1.0


@every_task
def test_with_a_vocabulary_and_a_schema(tmp_path: Path, name: str) -> None:
    gold, vocabulary = gold_of(tmp_path, name), write_vocabulary(tmp_path / "vocab.txt")
    schema = write_lines(tmp_path / "schema.json", SCHEMAS[name]) if name in SCHEMAS else None
    oracle = Oracle.of(name, gold, schema=schema, vocabulary=vocabulary)
    assert f1(oracle, gold) == 1.0
    assert oracle.task.vocabulary.content == vocabulary.read_bytes()
    wanted = {
        "relation-extraction": {"predicates": ("作者_@value", "作者_inWork", "国家_@value")},
        "event-extraction": {"event_types": ("发",), "argument_roles": ("发/地", "发/人")},
        "reading-comprehension": {},
    }
    assert oracle.task.labels == wanted[name]


def test_labels_and_tokens_of_the_file(tmp_path: Path) -> None:
    gold = gold_of(tmp_path, "event-extraction")
    oracle = Oracle.of("event-extraction", gold)
    assert oracle.task.labels == {"event_types": ("发",), "argument_roles": ("发/地",)}
    known = sorted(set(EVENT["text"]))  # type: ignore[call-overload]
    assert oracle.task.vocabulary.tokens[5:] == (*known, *(f"##{character}" for character in known))
    assert [record["text"] for record in oracle.records()] == [EVENT["text"]]


def test_characters_are_tokens_however_they_are_joined() -> None:
    assert vocabulary_of(["\u3000ab\n中", "b"]).tokens[5:] == ("a", "b", "中", "##a", "##b", "##中")
    assert len(vocabulary_of([])) == 5


def test_escapes_are_characters_too(tmp_path: Path) -> None:
    gold = tmp_path / "gold.json"
    gold.write_text(json.dumps(READING))
    oracle = Oracle.of("reading-comprehension", gold)
    assert "北" in oracle.task.vocabulary.tokens
    assert "u" not in oracle.task.vocabulary.tokens


def test_windows_of_a_question_are_put_together(tmp_path: Path) -> None:
    context = "".join(f"第{number}年，" for number in range(300))
    asked = [
        {"id": str(number), "question": f"{number}", "answers": [{"text": f"{number}年"}]} for number in range(280, 300)
    ]
    gold = tmp_path / "gold.json"
    gold.write_text(json.dumps({"data": [{"paragraphs": [{"context": context, "qas": asked}]}]}))
    oracle = Oracle.of("reading-comprehension", gold, max_length=64)
    assert len(list(oracle.records())) > 10 * len(asked)
    assert score_oracle(oracle, gold) == {"f1": 1.0, "exact_match": 1.0}


def test_bad_examples_have_no_prediction(tmp_path: Path) -> None:
    lost = {"text": "中国", "spo_list": [{"subject": "上海", "predicate": "国家", "object": {"@value": "中国"}}]}
    gold = write_lines(tmp_path / "gold.json", [RELATION, lost])
    oracle = Oracle.of("relation-extraction", gold)
    assert [letter.reason for letter in oracle.dead] == ["spo_list, item 0: subject '上海' does not stand in the text"]
    assert score_oracle(oracle, gold) == {"precision": 1.0, "recall": pytest.approx(2 / 3), "f1": pytest.approx(0.8)}


def test_gold_without_its_field_is_no_gold(tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", [RELATION, {"text": "中国"}])
    with pytest.raises(InputError, match=r"gold\.json: line 2: field 'spo_list' is missing$"):
        score_oracle(Oracle.of("relation-extraction", gold), gold)


@pytest.mark.parametrize(
    ("content", "message"),
    [("", ": no example in it$"), ("{}\n[]\n", ": no example in it: field 'text' is missing$")],
)
def test_a_file_without_examples(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "gold.json").write_text(content)
    with pytest.raises(InputError, match=message):
        Oracle.of("relation-extraction", tmp_path / "gold.json")


def test_links_against_a_knowledge_base_of_the_file(tmp_path: Path) -> None:
    """And what stands beside: NIL is no link, and a name of two ids has its most frequent one."""
    twice = [{"mention": "北京", "offset": offset, "kb_id": "3"} for offset in ("0", "3")]
    more = {"text": "北京，北京", "mention_data": twice}
    other = {"text": "在北京", "mention_data": [{"mention": "北京", "offset": "1", "kb_id": "4"}]}
    gold = write_lines(tmp_path / "gold.json", [LINKED, more, other])
    oracle = Oracle.of("entity-linking", gold)
    assert score_oracle(oracle, gold) == {
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "most_frequent_id": 3 / 4,
        "with_candidates": 1.0,
        "f1_given_candidates": 1.0,
        "within_matches": 1.0,
    }
    assert f1(with_a_wrong_span(oracle, "mention"), gold) < 1.0


def test_links_beside_capitals_and_letters_with_accents(tmp_path: Path) -> None:
    """A mention inside of a Latin word, or with blanks in it, is no less a mention."""
    said = [{"mention": "B é", "offset": "1", "kb_id": "3"}, {"mention": "2015", "offset": "5", "kb_id": "4"}]
    gold = write_lines(tmp_path / "gold.json", [{"text": "AB éİ2015年", "mention_data": said}])
    assert score_oracle(Oracle.of("entity-linking", gold), gold)["f1"] == 1.0


def test_links_against_a_knowledge_base_that_lacks_some(tmp_path: Path) -> None:
    kb_data = write_lines(tmp_path / "kb_data", [{"subject_id": "3", "subject": "北京"}])
    run(BuildKnowledgeBase((str(kb_data),), tmp_path / "kb"), engine=Local(1))
    links = [{"mention": "北京", "offset": "0", "kb_id": "3"}, {"mention": "大学", "offset": "2", "kb_id": "4"}]
    gold = write_lines(tmp_path / "gold.json", [{"text": "北京大学", "mention_data": links}])
    found = score_oracle(Oracle.of("entity-linking", gold, knowledge_base=tmp_path / "kb"), gold)
    assert (found["precision"], found["recall"], found["f1_given_candidates"]) == (1.0, 0.5, 1.0)
    assert (found["with_candidates"], found["within_matches"]) == (0.5, 0.5)


@needs_data
@pytest.mark.parametrize("gold", ["dev.json", "train.json"])
def test_real_links(tmp_path: Path, gold: str) -> None:
    assert DATA is not None
    path = Path(DATA) / "ccks2019" / gold
    oracle = Oracle.of("entity-linking", path)
    assert oracle.dead == []
    assert f1(oracle, path) >= 0.999
    assert f1(with_a_wrong_span(oracle, "mention"), path) < f1(oracle, path)
    run(BuildKnowledgeBase((str(Path(DATA) / "ccks2019/kb_data"),), tmp_path / "kb"), engine=Local(1))
    real = score_oracle(Oracle.of("entity-linking", path, knowledge_base=tmp_path / "kb"), path)
    assert real["f1_given_candidates"] >= 0.99


@needs_data
@pytest.mark.parametrize(
    ("name", "gold", "schema", "least"),
    [
        ("reading-comprehension", "dureader_robust/dev.json", None, 0.999),
        ("relation-extraction", "duie2/dev.json", "duie2/schema.json", 0.997),
        ("event-extraction", "duee/dev.json", "duee/event_schema.json", 0.979),
    ],
)
def test_real_data(name: str, gold: str, schema: str | None, least: float) -> None:
    assert DATA is not None
    path = Path(DATA) / gold
    oracle = Oracle.of(name, path, schema=schema and Path(DATA) / schema, vocabulary=Path(DATA) / "vocab/vocab.txt")  # type: ignore[arg-type]
    assert oracle.dead == []
    whole = f1(oracle, path)
    assert least <= whole <= 1
    assert f1(with_a_wrong_span(oracle, SPANS[name]), path) < whole
