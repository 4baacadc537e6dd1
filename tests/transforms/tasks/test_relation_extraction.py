"""Relation extraction: where subjects and objects stand, slots, labels, bad rows."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.transforms.tasks.making import (
    a_task,
    as_read,
    check_shapes,
    line,
    made,
    needs_data,
    oracle,
    real_lines,
    real_task,
    reason,
    record_of,
    said,
    tokens_said,
)
from transforms.tasks.json_input import json_object
from transforms.tasks.record import BadRecord, content_id
from transforms.tasks.relation_extraction import RelationExtraction, combined
from transforms.tasks.scores import relation_extraction as scoring

SCHEMA = """{"object_type": {"inWork": "影视作品", "@value": "人物"}, "predicate": "饰演", "subject_type": "娱乐人物"}
{"object_type": {"@value": "人物"}, "predicate": "丈夫", "subject_type": "人物"}
{"object_type": "Date", "predicate": "建成", "subject_type": "地点"}
""".encode()
TASK = a_task(RelationExtraction, labels=SCHEMA)


def triple(subject: Any, predicate: Any, item: Any) -> dict[str, Any]:
    value = item if isinstance(item, dict) else {"@value": item}
    return {"subject": subject, "predicate": predicate, "object": value, "subject_type": "", "object_type": {}}


def triples(record: dict[str, Any]) -> list[tuple[str, str, str, int]]:
    return list(
        zip(
            said(record, "subject"),
            record["predicates"],
            said(record, "object"),
            record["groups"].tolist(),
            strict=True,
        )
    )


def test_a_slot_is_a_triple_and_its_group_tells_which_belong_together() -> None:
    spos = [
        triple("林远", "饰演", {"@value": "周舟", "inWork": "海雾"}),
        triple("周舟", "丈夫", "林远"),
        triple("林远", "饰演", {"inWork": "春夏", "@value": "周舟"}),
    ]
    record = record_of(TASK, line(text="林远在《海雾》《春夏》中饰演周舟", spo_list=spos))
    assert triples(record) == [
        ("林远", "饰演_@value", "周舟", 0),
        ("林远", "饰演_inWork", "海雾", 0),
        ("周舟", "丈夫_@value", "林远", 1),
        ("林远", "饰演_@value", "周舟", 2),
        ("林远", "饰演_inWork", "春夏", 2),
    ]
    assert record["text"] == "林远在《海雾》《春夏》中饰演周舟"
    assert record["id"] == content_id(record["text"])
    assert tokens_said(record) == ["", *record["text"], ""]
    assert list(TASK.marks(as_read(TASK, record)))[:3] == [
        (0, 2, "0 饰演_@value subject"),
        (14, 16, "0 饰演_@value object"),
        (0, 2, "0 饰演_inWork subject"),
    ]


def test_several_objects_of_one_subject_and_predicate_are_all_kept() -> None:
    spos = [triple("海雾", "丈夫", name) for name in ("林远", "周舟", "林远")]
    found = triples(record_of(TASK, line(text="海雾林远周舟", spo_list=spos)))
    assert [(item, group) for _, _, item, group in found] == [("林远", 0), ("周舟", 1), ("林远", 2)]


@pytest.mark.parametrize(
    ("text", "subject", "item", "spans"),
    [
        ("林远林远周舟周舟", "林远", "周舟", [(0, 2), (4, 6)]),  # several occurrences
        ("1987年98人，小城98", "小城", "98", [(9, 11), (5, 7)]),  # tokens rather than inside of one
        ("小城图书馆1987年", "小城图书馆", "图书馆", [(0, 5), (2, 5)]),  # one inside of the other
        ("小城图书馆", "小城图", "图书馆", [(0, 3), (2, 5)]),  # they overlap
        ("林远林远", "林远", "林远", [(0, 2), (0, 2)]),
        ("《海雾》林远", "海雾", "林远", [(1, 3), (4, 6)]),
        ("海雾，《海雾》林远", "《海雾》", "林远", [(3, 7), (7, 9)]),
        ("ABC林远abc", "abc", "林远", [(5, 8), (3, 5)]),  # as it is written, where it is
        ("ABC林远", "aBc", "林远", [(0, 3), (3, 5)]),
        ("𠀀𠮷林远周舟", "林远", "周舟", [(2, 4), (4, 6)]),  # beyond the basic plane a character is one
        ("\u3000 林远\r\n周舟", "林远", "周舟", [(2, 4), (6, 8)]),
        ("林远·周舟 （甲）", "林远·周舟", "（甲）", [(0, 5), (6, 9)]),
    ],
)
def test_where_they_stand(text: str, subject: str, item: str, spans: list[tuple[int, int]]) -> None:
    record = record_of(TASK, line(text=text, spo_list=[triple(subject, "丈夫", item)]))
    found = [record[f"{part}_{edge}"].tolist() for part in ("subject", "object") for edge in ("begins", "ends")]
    assert found == [[value] for span in spans for value in span]
    assert record["text"] == text


@given(st.text("林远周舟aA𠀀 98\r\n《》", min_size=2, max_size=20), st.data())
def test_spans_hold_what_they_claim(text: str, data: st.DataObject) -> None:
    parts = []
    for _ in range(2 * data.draw(st.integers(0, 3))):
        begin = data.draw(st.integers(0, len(text) - 1))
        parts.append(text[begin : data.draw(st.integers(begin + 1, len(text)))])
    assume(text.strip() and all(part.strip() for part in parts))
    spos = [triple(subject, "丈夫", item) for subject, item in zip(parts[::2], parts[1::2], strict=True)]
    record = record_of(TASK, line(text=text, spo_list=spos))
    assert [
        item for pair in zip(said(record, "subject"), said(record, "object"), strict=True) for item in pair
    ] == parts


@pytest.mark.parametrize("max_length", [8, 9, 30])
def test_spans_behind_the_last_token_are_kept(max_length: int) -> None:
    text = "林远在《海雾》中饰演周舟"
    task = a_task(RelationExtraction, labels=SCHEMA, max_length=max_length)
    record = record_of(task, line(text=text, spo_list=[triple("林远", "丈夫", "周舟")]))
    assert len(record["ids"]) == min(max_length, len(text) + 2)
    assert tokens_said(record) == ["", *text[: max_length - 2], ""]
    assert said(record, "object") == ["周舟"]


@pytest.mark.parametrize("given_", [{}, {"spo_list": []}, {"spo_list": None}])
def test_a_row_without_gold(given_: dict[str, Any]) -> None:
    record = record_of(TASK, line(text="林远", **given_))
    assert triples(record) == []
    assert {record[name].dtype for name in record if name.endswith(("begins", "ends", "groups"))} == {
        np.dtype(np.int32)
    }
    assert list(TASK.marks(as_read(TASK, record))) == []


@pytest.mark.parametrize("name", ["@value", "inWork"])
def test_a_slot_that_is_empty_is_told(name: str) -> None:
    """The organisers' metric counts it as one that says nothing, and decoding never finds it."""
    spo = triple("林远", "饰演", {"@value": "周舟", "inWork": "林远"} | {name: ""})
    message = f"spo_list, item 0: slot {name!r} is empty: leave it out, as the metric counts it"
    assert reason(TASK, line(text="林远周舟", spo_list=[spo])) == message
    gold = scoring.read_gold(line(text="林远周舟", spo_list=[spo]).encode())
    filled = {slot: said for slot, said in spo["object"].items() if said}
    without = scoring.read_predictions(line(text="林远周舟", spo_list=[{**spo, "object": filled}]).encode())
    assert (scoring.score(gold, gold)["f1"], scoring.score(without, gold)["f1"]) == (1, 0)


@pytest.mark.parametrize(("value", "kind"), [(0, "a number"), ([], "a list"), (False, "true or false"), (None, "null")])
def test_a_slot_that_is_no_text_is_told(value: Any, kind: str) -> None:
    spo = triple("林远", "饰演", {"@value": "周舟", "inWork": value})
    message = f"spo_list, item 0: field 'inWork' is {kind}, not text"
    assert reason(TASK, line(text="林远周舟", spo_list=[spo])) == message


def test_an_object_without_slots_is_its_value() -> None:
    spo = {"subject": "小城", "predicate": "建成", "object": "1987"}
    found = triples(record_of(TASK, line(text="小城1987", spo_list=[spo])))
    assert found == [("小城", "建成_@value", "1987", 0)]
    gold = RelationExtraction.read_gold(line(text="小城1987", spo_list=[spo]).encode())
    assert gold == {"小城1987": [("小城", "建成", {"@value": "1987"})]}


def test_the_id_of_a_row() -> None:
    assert record_of(TASK, line(text="林远", id="r1"))["id"] == "r1"
    assert record_of(TASK, line(text="林远", id=0))["id"] == "0"
    assert record_of(TASK, line(text="林远", id=""))["id"] == content_id("林远")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": " "}, "field 'text' is empty"),
        ({"text": None}, "field 'text' is null, not text"),
        ({"text": "林\ud800"}, "field 'text': character 1 is half of a surrogate pair, no text"),
        ({"id": ["r1"]}, "field 'id' is a list, not text"),
        ({"spo_list": {"subject": "林远"}}, "field 'spo_list' is an object, not a list"),
        ({"spo_list": 1}, "field 'spo_list' is a number, not a list"),
        ({"spo_list": ["林远"]}, "spo_list, item 0: text, not an object with field 'subject'"),
        ({"spo_list": [triple("", "丈夫", "周舟")]}, "spo_list, item 0: field 'subject' is empty"),
        ({"spo_list": [triple("林远", None, "周舟")]}, "spo_list, item 0: field 'predicate' is null, not text"),
        (
            {"spo_list": [triple("林远", "丈夫", "")]},
            "spo_list, item 0: slot '@value' is empty: leave it out, as the metric counts it",
        ),
        ({"spo_list": [triple("林远", "丈夫", {})]}, "spo_list, item 0: field 'object' has no slot"),
        (
            {"spo_list": [{"subject": "林远", "predicate": "丈夫"}]},
            "spo_list, item 0: field 'object' is missing",
        ),
        (
            {"spo_list": [{"subject": "林远", "predicate": "丈夫", "object": 0}]},
            "spo_list, item 0: field 'object' is a number, not text",
        ),
        ({"spo_list": [triple("林远", "丈夫", " ")]}, "spo_list, item 0: field '@value' is empty"),
        ({"spo_list": [triple("林远", "丈夫", ["周舟"])]}, "spo_list, item 0: field '@value' is a list, not text"),
        (
            {"spo_list": [triple("林远", "丈夫", "周舟"), triple("甲", "丈夫", "周舟")]},
            "spo_list, item 1: subject '甲' does not stand in the text",
        ),
        ({"spo_list": [triple("林远", "丈夫", "甲")]}, "spo_list, item 0: object '甲' does not stand in the text"),
        ({"spo_list": [triple("林远", "导演", "周舟")]}, "predicates: '导演_@value' is not in the schema"),
        ({"spo_list": [triple("林远", "丈夫", {"inWork": "周舟"})]}, "predicates: '丈夫_inWork' is not in the schema"),
    ],
)
def test_bad_rows_are_named(row: dict[str, Any], message: str) -> None:
    escaped = line(**{"text": "林远周舟", **row}).replace("\ud800", "\\ud800")
    assert reason(TASK, escaped) == message


@pytest.mark.parametrize(("text", "message"), [("林远", "not JSON: "), ("[]", "not a JSON object but a list")])
def test_a_line_that_is_no_object(text: str, message: str) -> None:
    assert reason(TASK, text).startswith(message)


def test_a_slot_with_an_underscore_could_not_be_told_from_its_predicate() -> None:
    with pytest.raises(BadRecord, match=r"^line 4: slot 'in_work': has an underscore"):
        RelationExtraction.read_labels(SCHEMA + '{"predicate": "饰演", "object_type": {"in_work": "书"}}'.encode())


def test_labels_of_a_schema() -> None:
    assert RelationExtraction.read_labels(SCHEMA.replace(b"\n", b"\r\n") + SCHEMA) == {
        "predicates": ("饰演_@value", "饰演_inWork", "丈夫_@value", "建成_@value")
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}\n", "line 1: field 'predicate' is missing"),
        (SCHEMA + b"\n[]", "line 5: not a JSON object but a list"),
        (SCHEMA + b"{", "line 4: not JSON: "),
        (b'{"predicate": "a"}', "line 1: field 'object_type' is missing"),
        (SCHEMA + b'{"predicate": "a", "object_type": 5}', "line 4: field 'object_type' is a number, not text"),
        (b'{"predicate": "a", "object_type": {}}', "line 1: field 'object_type' has no slot"),
    ],
)
def test_a_bad_line_of_a_schema_is_named(content: bytes, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        RelationExtraction.read_labels(content)
    assert str(caught.value).startswith(message)


# --- targets ---


def test_targets_of_the_subject_that_is_drawn() -> None:
    spos = [
        triple("林远", "饰演", {"@value": "周舟", "inWork": "海雾"}),
        triple("林远", "丈夫", "小城"),
        triple("周舟", "丈夫", "林远"),
    ]
    text = "林远在《海雾》饰演周舟和小城"
    record = as_read(TASK, record_of(TASK, line(text=text, spo_list=spos)))
    places = {word: (text.find(word) + 1, text.find(word) + 2) for word in ("林远", "周舟", "海雾", "小城")}
    rng, drawn, times = np.random.default_rng(0), dict[tuple[int, int], Any](), Counter[tuple[int, int]]()
    for _ in range(400):
        targets = TASK.targets(record, rng)
        check_shapes(TASK, targets)
        assert targets["subject"].dtype == np.int32
        assert targets["ids"].tolist() == record["ids"].tolist()
        assert np.argwhere(targets["subject_pointers"]).tolist() == [[1, 0], [2, 1], [10, 0], [11, 1]]
        subject = tuple(targets["subject"].tolist())
        drawn[subject] = np.argwhere(targets["object_pointers"]).tolist()
        times[subject] += 1
    value, work, husband = range(3)
    assert drawn == {
        places["林远"]: sorted(
            [at, label, edge]
            for label, word in ((value, "周舟"), (work, "海雾"), (husband, "小城"))
            for edge, at in enumerate(places[word])
        ),
        places["周舟"]: [[1, husband, 0], [2, husband, 1]],
        (1, 11): [],  # two halves: no subject, and so without objects
    }
    shares = [times[places["林远"]], times[places["周舟"]], times[1, 11]]  # half of a fifth of what begins with 林远
    assert shares == pytest.approx([180, 200, 20], abs=30)


def test_targets_without_a_subject() -> None:
    targets = TASK.targets(as_read(TASK, record_of(TASK, line(text="林远", spo_list=[]))), np.random.default_rng(0))
    check_shapes(TASK, targets)
    assert targets["subject"].tolist() == [0, 0]
    assert not targets["subject_pointers"].any()
    assert not targets["object_pointers"].any()


@pytest.mark.parametrize(("max_length", "subjects", "objects"), [(8, 2, 0), (16, 2, 2)])
def test_what_does_not_lie_in_a_record_is_no_target(max_length: int, subjects: int, objects: int) -> None:
    task = a_task(RelationExtraction, labels=SCHEMA, max_length=max_length)
    row = line(text="林远在《海雾》中饰演周舟", spo_list=[triple("林远", "丈夫", "周舟")])
    targets = task.targets(as_read(task, record_of(task, row)), np.random.default_rng(0))
    assert (targets["subject_pointers"].sum(), targets["object_pointers"].sum()) == (subjects, objects)
    assert (
        oracle(task, [record_of(task, row)])[0]["spo_list"]
        == [{"subject": "林远", "predicate": "丈夫", "object": {"@value": "周舟"}}][: objects // 2]
    )


# --- decoding ---


def found(text: str, *spos: dict[str, Any]) -> list[tuple[str, str, dict[str, str]]]:
    """What a perfect model and the decoder make of a row."""
    (row,) = oracle(TASK, [record_of(TASK, line(text=text, spo_list=list(spos)))])
    assert (row["id"], row["text"]) == (content_id(text), text)
    return [tuple(spo[name] for name in ("subject", "predicate", "object")) for spo in row["spo_list"]]  # type: ignore[misc]


def test_all_objects_of_a_subject_and_predicate_are_kept() -> None:
    spos = [triple("海雾", "丈夫", name) for name in ("林远", "周舟", "小城")]
    assert found("海雾林远，周舟，小城", *spos) == [
        ("海雾", "丈夫", {"@value": name}) for name in ("林远", "周舟", "小城")
    ]


def test_slots_go_together_by_nearness() -> None:
    spos = [
        triple("林远", "饰演", {"@value": "周舟", "inWork": "海雾"}),
        triple("林远", "饰演", {"@value": "公司", "inWork": "春夏"}),
        triple("林远", "饰演", {"@value": "周舟", "inWork": "图书馆"}),
    ]
    made_ = found("林远在《海雾》《图书馆》中饰演周舟，在《春夏》中饰演公司", *spos)
    wanted = [(spo["subject"], spo["predicate"], spo["object"]) for spo in spos]
    assert sorted(made_, key=str) == sorted(wanted, key=str)


@given(
    st.lists(st.sampled_from(["林远", "周舟", "小城", "海雾", "公司", "1987"]), min_size=2, unique=True),
    st.data(),
)
def test_a_perfect_model_finds_all_triples(words: list[str], data: st.DataObject) -> None:
    """Of words that stand apart, without slots that must be put together."""
    pairs = st.tuples(st.sampled_from(words), st.sampled_from(["丈夫", "建成"]), st.sampled_from(words))
    spos = data.draw(st.sets(pairs))
    made_ = found("，".join(words), *(triple(*spo) for spo in spos))
    assert sorted((s, p, o["@value"]) for s, p, o in made_) == sorted(spos)


def test_thresholds_and_calls_of_the_model() -> None:
    records = [as_read(TASK, record_of(TASK, line(text=text))) for text in ("林远周舟", "海雾")]
    calls = []

    def model(inputs: Any) -> Any:
        calls.append({name: value.tolist() for name, value in inputs.items()})
        assert all(value.dtype == np.int32 for value in inputs.values())
        rows, tokens = inputs["ids"].shape
        if "subjects" not in inputs:
            logits = np.full((rows, tokens, 2), -9, np.float32)
            logits[0, [1, 2], [0, 1]] = 0.2  # probability 0.55
            logits[1] = 9  # [CLS], [SEP] and padding too
            return {"subjects": logits}
        logits = np.full((rows, tokens, 4, 2), -9, np.float32)
        logits[:, [1, 2], 2, [0, 1]] = -0.2  # 0.45
        return {"objects": logits}

    def spos(**thresholds: float) -> list[list[tuple[str, str]]]:
        return [
            [(spo["subject"], spo["object"]["@value"]) for spo in row["spo_list"]]
            for row in TASK.decode(records, model, **thresholds)
        ]

    assert spos() == [[("林远", "林远")], [("海", "海雾"), ("雾", "海雾")]]
    first, second = calls
    assert first.keys() == {"ids"}
    assert second["subjects"] == [[1, 2], [1, 1], [2, 2]]
    assert second["ids"] == [first["ids"][0], first["ids"][1], first["ids"][1]]
    assert spos(object_threshold=0.5) == [[], []]
    assert spos(subject_threshold=0.6) == [[], [("海", "海雾"), ("雾", "海雾")]]


def test_a_model_that_finds_no_subject_is_asked_once() -> None:
    records = [as_read(TASK, record_of(TASK, line(text="林远")))]
    rows = TASK.decode(records, lambda inputs: {"subjects": np.full((*inputs["ids"].shape, 2), -9, np.float32)})
    assert [row["spo_list"] for row in rows] == [[]]


spans = st.lists(
    st.tuples(st.integers(0, 19), st.integers(1, 4)).map(lambda drawn: (drawn[0], drawn[0] + drawn[1])),
    max_size=4,
)


@given(st.text("甲乙，。", min_size=24, max_size=24), spans, spans, spans)
def test_every_span_is_part_of_an_object_if_there_is_a_value(text: str, values: Any, works: Any, dates: Any) -> None:
    slots = {name: given_ for name, given_ in (("@value", values), ("inWork", works), ("onDate", dates)) if given_}
    objects = combined(text, slots)
    if not values:
        assert objects == []
        return
    assert all(item.keys() == slots.keys() for item in objects)
    for slot, given_ in slots.items():
        assert {item[slot] for item in objects} == {text[begin:end] for begin, end in given_}
    assert len({tuple(sorted(item.items())) for item in objects}) == len(objects)


# --- real data ---


@needs_data
def test_every_real_row_makes_a_record_that_says_the_same() -> None:
    task, wordpiece = real_task(RelationExtraction, schema="duie2/schema.json")
    assert len(task.labels["predicates"]) == 55
    lines = real_lines("duie2/dev.json")
    records, bad = made(task, *lines, wordpiece=wordpiece)
    assert (len(records), bad) == (2500, [])
    for record, row in zip(records, map(json_object, lines), strict=True):
        found: dict[int, list[tuple[str, str, str]]] = {}
        for subject, label, item, group in triples(record):
            found.setdefault(group, []).append((subject.lower(), label, item.lower()))
        assert found == {
            number: [
                (spo["subject"].lower(), f"{spo['predicate']}_{slot}", item.lower())
                for slot, item in sorted(spo["object"].items())
                if item
            ]
            for number, spo in enumerate(row["spo_list"])
        }
