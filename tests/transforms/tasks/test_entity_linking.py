"""Entity linking: where mentions stand, what they stand for, bad rows."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.tasks.making import (
    VOCABULARY,
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
from transforms.knowledge_base_building import Entity, made_of
from transforms.tasks.entity_linking import EntityLinking
from transforms.tasks.entity_linking_candidates import Candidates, Statistics
from transforms.tasks.json_input import json_object
from transforms.tasks.record import content_id
from transforms.vocabulary import SPECIAL_TOKENS, Vocabulary

TASK = a_task(EntityLinking)
TEXT = "晨星号几点发车"


def mention(said: Any, offset: Any, entity: Any = "90001") -> dict[str, Any]:
    return {"kb_id": entity, "mention": said, "offset": offset}


def test_mentions_and_their_entities() -> None:
    gold = [mention("晨星号", "0"), mention("发车", "5", "NIL"), mention("晨星", "0", "7")]
    record = record_of(TASK, line(text_id="7", text=TEXT, mention_data=gold))
    assert (record["id"], record["text"]) == ("7", TEXT)
    assert tokens_said(record) == ["", *TEXT, ""]
    assert said(record, "mention") == ["晨星号", "发车", "晨星"]
    assert record["entities"] == ["90001", "NIL", "7"]
    assert list(TASK.marks(record)) == [(0, 3, "90001"), (5, 7, "NIL"), (0, 2, "7")]


@pytest.mark.parametrize(
    ("text", "part", "offset", "span"),
    [
        ("晨星，晨星，晨星", "晨星", "3", (3, 5)),
        ("ABC号《ab》", "ab", "5", (5, 7)),
        ("𠀀𠮷晨星", "晨星", "2", (2, 4)),
        (" \u3000晨\r\n晨星", "晨星", "5", (5, 7)),
    ],
)
def test_offsets_are_kept(text: str, part: str, offset: Any, span: tuple[int, int]) -> None:
    record = record_of(TASK, line(text=text, mention_data=[mention(part, offset)]))
    assert (record["mention_begins"].tolist(), record["mention_ends"].tolist()) == ([span[0]], [span[1]])
    assert record["text"] == text


@pytest.mark.parametrize(
    ("part", "offset", "message"),
    [
        (
            "晨星号",
            "1",
            "mention '晨星号' does not stand at offset 1, where '星号晨' does, but next at 0: mend the offset",
        ),
        (
            "晨星号",
            "2",
            "mention '晨星号' does not stand at offset 2, where '号晨星' does, but next at 3: mend the offset",
        ),
        ("晨星号", 3, "field 'offset' is 3: make it text that holds a whole number, as \"3\""),
        ("晨星号", "03", 'field \'offset\' is "03": make it text that holds a whole number, as "3"'),
        ("晨星号", "-1", 'field \'offset\' is "-1": make it text that holds a whole number, as "0"'),
        ("晨星号", None, "field 'offset' is null: make it text that holds a whole number, as \"0\""),
        ("ＡB", "6", "mention 'ＡB' stands in the text as 'ａb': write it so"),
    ],
)
def test_what_no_prediction_could_match_is_bad(part: str, offset: Any, message: str) -> None:
    """As the organisers compare mention and offset as they are written."""
    gold = [mention("晨星", "0"), mention(part, offset)]
    assert reason(TASK, line(text="晨星号晨星号ａb", mention_data=gold)) == f"mention_data, item 1: {message}"


@pytest.mark.parametrize("max_length", [8, 30])
def test_mentions_behind_the_last_token_are_kept(max_length: int) -> None:
    record = record_of(
        a_task(EntityLinking, max_length=max_length), line(text=TEXT, mention_data=[mention("发车", "5")])
    )
    assert len(record["ids"]) == min(max_length, 9)
    assert said(record, "mention") == ["发车"]


@pytest.mark.parametrize("given_", [{}, {"mention_data": []}, {"mention_data": None}])
def test_a_row_without_gold(given_: dict[str, Any]) -> None:
    record = record_of(TASK, line(text=TEXT, **given_))
    assert (record["id"], record["entities"], list(TASK.marks(record))) == (content_id(TEXT), [], [])
    assert record["mention_begins"].dtype == record["mention_ends"].dtype == np.int32


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "\u3000"}, "field 'text' is empty"),
        ({"text": None}, "field 'text' is null, not text"),
        ({"text_id": 1.5}, "field 'text_id' is a number, not text"),
        ({"mention_data": {}}, "field 'mention_data' is an object, not a list"),
        ({"mention_data": [None]}, "mention_data, item 0: null, not an object with field 'mention'"),
        ({"mention_data": [mention("", "0")]}, "mention_data, item 0: field 'mention' is empty"),
        (
            {"mention_data": [mention("晨星", "0"), mention("晨星", "首")]},
            "mention_data, item 1: field 'offset' is neither a whole number from 0 nor -1 but '首'",
        ),
        (
            {"mention_data": [mention("晨星", 1.5)]},
            "mention_data, item 0: field 'offset' is neither a whole number from 0 nor -1 but 1.5",
        ),
        (
            {"mention_data": [mention("晨星", float("inf"))]},
            "mention_data, item 0: field 'offset' is neither a whole number from 0 nor -1 but inf",
        ),
        ({"mention_data": [mention("晨星", "0", None)]}, "mention_data, item 0: field 'kb_id' is null, not text"),
        ({"mention_data": [mention("晨星", "0", "")]}, "mention_data, item 0: field 'kb_id' is empty"),
        (
            {"mention_data": [mention(TEXT[5:], "2")]},
            f"mention_data, item 0: mention {TEXT[5:]!r} does not stand at offset 2, where '号几' does, "
            "but next at 5: mend the offset",
        ),
        (
            {"mention_data": [mention("海雾", "0")]},
            "mention_data, item 0: mention '海雾' does not stand at offset 0, where '晨星' does, "
            "nor elsewhere in the text",
        ),
    ],
)
def test_bad_rows_are_named(row: dict[str, Any], message: str) -> None:
    assert reason(TASK, line(**{"text": TEXT, **row})) == message


# --- a knowledge base ---

BASE = made_of(
    [
        Entity("90001", ("晨星号",), "名称：晨星号", ("列车",)),
        Entity("7", ("晨星", "车"), "名称：晨星", ()),
        Entity("8", ("晨星",), "名称：年", ()),
        Entity("9", ("发车",), "名称：发车", ()),
    ]
)
LINKING = a_task(EntityLinking, candidates=Candidates(BASE))
GOLD = [mention("晨星号", "0"), mention("发车", "5", "NIL"), mention("点", "4", "9")]


def description_ids(text: str) -> Any:
    """A description as it is cut, like any text."""
    return LINKING.tokenizer.tokenize([text])[0].ids


def read_of(task: Any, *rows: str) -> list[Any]:
    return [as_read(task, record_of(task, row)) for row in rows]


def test_ids_are_known_where_that_is_asked_for() -> None:
    strict = a_task(EntityLinking, candidates=Candidates(BASE), known_ids=True)
    good = line(text=TEXT, mention_data=[mention("晨星号", "0"), mention("发车", "5", "NIL")])
    bad = line(text=TEXT, mention_data=[mention("晨星号", "0"), mention("发车", "5", "90002")])
    assert record_of(strict, good)["entities"] == ["90001", "NIL"]
    assert reason(strict, bad) == "mention_data, item 1: the knowledge base has no entity '90002'"
    assert record_of(LINKING, bad)["entities"] == ["90001", "90002"]


def test_targets() -> None:
    (record,) = read_of(LINKING, line(text=TEXT, mention_data=GOLD))
    targets = LINKING.targets(record, np.random.default_rng(0))
    check_shapes(a_task(EntityLinking, candidates=Candidates(BASE), description_length=6), targets)
    assert np.argwhere(targets["matches"]).tolist() == [[1, 0], [3, 1], [6, 0], [7, 1]]
    assert np.argwhere(targets["mention_pointers"]).tolist() == [[1, 0], [3, 1], [5, 0], [5, 1]]
    assert np.flatnonzero(targets["mention"]).tolist() == [1, 2, 3]
    assert targets["description"].tolist() == description_ids("名称：晨星号").tolist()
    assert (targets["link"], targets["link_weight"]) == (1, 1)
    assert {name: value.dtype for name, value in targets.items() if value.dtype != np.float32} == {
        "ids": np.int32,
        "description": np.int32,
    }


def test_what_is_drawn_is_drawn_evenly() -> None:
    """A mention, then one of all entities of its name, though training has seen it with one alone."""
    task = a_task(EntityLinking, candidates=Candidates(BASE, Statistics(links={"晨星": ("8",)})))
    gold = [mention("晨星", "0", "8"), mention("发车", "5", "9")]
    (record,) = read_of(task, line(text=TEXT, mention_data=gold))
    rng = np.random.default_rng(0)
    drawn = Counter[tuple[int, float, bytes]]()
    for _ in range(400):
        targets = task.targets(record, rng)
        place = int(np.flatnonzero(targets["mention"])[0])
        drawn[place, float(targets["link"]), targets["description"].tobytes()] += 1
    assert sorted(place for place, *_ in drawn) == [1, 1, 6]
    assert {(place, link): round(count / 400, 1) for (place, link, _), count in drawn.items()} == {
        (1, 0.0): pytest.approx(0.25, abs=0.1),
        (1, 1.0): pytest.approx(0.25, abs=0.1),
        (6, 1.0): pytest.approx(0.5, abs=0.1),
    }


@pytest.mark.parametrize("gold", [[], [mention("发车", "5", "NIL")], [mention("点", "4", "9")]])
def test_a_text_without_a_pair_weighs_nothing(gold: list[Any]) -> None:
    (record,) = read_of(LINKING, line(text=TEXT, mention_data=gold))
    targets = LINKING.targets(record, np.random.default_rng(0))
    assert (targets["link"], targets["link_weight"], targets["mention"].sum()) == (0, 0, 0)
    assert len(targets["description"]) == 0


def test_without_a_knowledge_base_there_are_no_targets() -> None:
    with pytest.raises(ValueError, match="entity linking without a knowledge base"):
        TASK.targets(read_of(TASK, line(text=TEXT))[0], np.random.default_rng(0))


def test_gold_comes_back() -> None:
    """But for NIL, and for what no entity is called."""
    (row,) = oracle(LINKING, [record_of(LINKING, line(text_id="3", text=TEXT, mention_data=GOLD))])
    assert row == {
        "text_id": "3",
        "text": TEXT,
        "mention_data": [{"mention": "晨星号", "offset": "0", "kb_id": "90001"}],
    }
    assert list(LINKING.read_predictions(LINKING.write([row]))) == [("3", TEXT)]


NAMES = {"晨星": ("7", "8"), "发车": ("9",), "晨星号": ("90001",)}


@given(st.lists(st.tuples(st.sampled_from([*NAMES]), st.sampled_from(["7", "8", "9", "90001", "5", "NIL"]))))
def test_a_perfect_model_finds_what_candidates_allow(parts: list[tuple[str, str]]) -> None:
    text, gold, wanted = "点", [], []
    for name, one in parts:
        gold.append(mention(name, str(len(text)), one))
        if one in NAMES[name]:
            wanted.append({"mention": name, "offset": str(len(text)), "kb_id": one})
        text += name + "几"
    (row,) = oracle(a_long_task(), [record_of(a_long_task(), line(text=text, mention_data=gold))])
    assert row["mention_data"] == wanted


def a_long_task() -> Any:
    return a_task(EntityLinking, candidates=Candidates(BASE), max_length=512)


def test_records_of_one_text_are_told_apart_by_place() -> None:
    rows = [
        line(text_id="1", text="晨星几晨星", mention_data=[mention("晨星", "0", "7"), mention("晨星", "3", "8")]),
        line(text_id="2", text="晨星", mention_data=[mention("晨星", "0", "8")]),
    ]
    found = oracle(LINKING, [record_of(LINKING, row) for row in rows])
    assert [[item["kb_id"] for item in row["mention_data"]] for row in found] == [["7", "8"], ["8"]]


class Scripted:
    """A model that says begin and end wherever it is told, and of candidates what their descriptions are worth."""

    def __init__(self, *places: tuple[int, int], worth: dict[str, float]) -> None:
        self.places, self.asked = places, list[Any]()
        ids = {text: description_ids(text) for text in worth}
        self.worth = {ids[text].tobytes(): logit for text, logit in worth.items()}

    def __call__(self, inputs: Any) -> Any:
        self.asked.append({name: value.shape for name, value in inputs.items()})
        if "description" in inputs:
            rows = [self.worth[np.trim_zeros(row, "b").tobytes()] for row in inputs["description"]]
            return {"link": np.array(rows, np.float32)}
        logits = np.full((*inputs["ids"].shape, 2), -9, np.float32)
        for begin, end in self.places:
            logits[:, begin, 0] = logits[:, end, 1] = -0.3  # probability 0.43
        return {"mentions": logits}


@pytest.mark.parametrize(
    ("worth", "links"),
    [
        ({"名称：晨星": -1.0, "名称：年": 1.0}, ["8"]),
        ({"名称：晨星": 1.0, "名称：年": 1.0}, ["7"]),
        ({"名称：晨星": -2.0, "名称：年": -3.0}, ["7"]),
        ({"名称：晨星": -2.5, "名称：年": -3.0}, []),  # below 0.1
    ],
)
def test_the_likeliest_candidate_over_the_threshold(worth: dict[str, float], links: list[str]) -> None:
    (record,) = read_of(LINKING, line(text="晨星几点"))
    model = Scripted((1, 2), worth=worth)
    (row,) = LINKING.decode([record], model)
    assert [item["kb_id"] for item in row["mention_data"]] == links
    assert model.asked == [
        {"ids": (1, 6), "matches": (1, 6, 2)},
        {"ids": (2, 6), "matches": (2, 6, 2), "mention": (2, 6), "description": (2, 5), "hits": (2, 6, 3)},
    ]
    assert LINKING.decode([record], model, mention_threshold=0.5)[0]["mention_data"] == []


def test_what_no_entity_is_called_is_no_mention() -> None:
    (record,) = read_of(LINKING, line(text="几点"))
    model = Scripted((1, 2), worth={})
    assert LINKING.decode([record], model)[0]["mention_data"] == []
    assert len(model.asked) == 1


def test_many_pairs_are_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    records = read_of(LINKING, *[line(text="晨星" * size) for size in (1, 3, 2)])
    model = Scripted((1, 2), (3, 4), worth={"名称：晨星": -1.0, "名称：年": 1.0})
    whole = LINKING.decode(records, model)
    monkeypatch.setattr("transforms.tasks.entity_linking._PAIRS_AT_ONCE", 3)
    assert LINKING.decode(records, model) == whole
    assert [len(row["mention_data"]) for row in whole] == [1, 2, 2]


# --- texts and descriptions alike ---

SINGLE = Vocabulary((*SPECIAL_TOKENS, *"名称：晨星2015abc"))
CASED = Vocabulary((*SPECIAL_TOKENS, *"名称：晨星A2B", "abc", "2015", "##x", "20", "##15"))
BOTH = made_of([Entity("1", ("晨星",), "名称：晨星\n2015 abc", ()), Entity("2", ("晨",), "晨" * 3000, ())])


@pytest.mark.parametrize(
    ("vocabulary", "tokens"), [(SINGLE, [*"2015", "[UNK]", *"abc"]), (CASED, ["2015", "abc"])], ids=["single", "pieces"]
)
def test_what_is_alike_has_the_same_ids(vocabulary: Vocabulary, tokens: list[str]) -> None:
    """In text and description, years and Latin names too, in whatever case, though the vocabulary has capitals."""
    task = EntityLinking(vocabulary, 64, {}, candidates=Candidates(BOTH))
    row = line(text="晨星2015 ABC", mention_data=[mention("晨星", "0", "1")])
    (record,), _ = made(task, row, wordpiece=task.tokenizer)
    targets = task.targets(as_read(task, record), np.random.default_rng(0))
    assert [vocabulary.tokens[token] for token in record["ids"]] == ["[CLS]", *"晨星", *tokens, "[SEP]"]
    assert [vocabulary.tokens[token] for token in targets["description"]][-len(tokens) :] == tokens
    assert "".join(tokens_said(record)) == record["text"].replace(" ", "" if vocabulary is CASED else " ")


@pytest.mark.parametrize("vocabulary", [SINGLE, VOCABULARY])
def test_of_a_long_description_the_first_tokens_are_read(vocabulary: Vocabulary) -> None:
    task = EntityLinking(vocabulary, 64, {}, candidates=Candidates(BOTH), description_length=6)
    record = as_read(task, made(task, line(text="晨几"), wordpiece=task.tokenizer)[0][0])
    shapes = [
        {name: value.shape for name, value in inputs.items()}
        for inputs in (decoded(task, record, 1, 1), decoded(task, record, 1, 1))
    ]
    assert shapes[0] == shapes[1]
    assert shapes[0]["description"] == (1, 6)


def decoded(task: Any, record: Any, first: int, last: int) -> Any:
    """What a model is asked of the candidates of one mention."""
    asked = list[Any]()

    def model(inputs: Any) -> Any:
        asked.append(inputs)
        logits = np.full((*inputs["ids"].shape, 2), -9, np.float32)
        logits[:, first, 0] = logits[:, last, 1] = 9
        return {"mentions": logits, "link": np.zeros(len(inputs["ids"]), np.float32)}

    task.decode([record], model)
    return asked[-1]


# --- real data ---


@needs_data
def test_every_real_row_makes_a_record_that_says_the_same() -> None:
    task, wordpiece = real_task(EntityLinking)
    lines = real_lines("ccks2019/dev.json")
    records, bad = made(task, *lines, wordpiece=wordpiece)
    assert (len(records), bad) == (200, [])
    for record, row in zip(records, map(json_object, lines), strict=True):
        gold = row["mention_data"]
        assert record["id"] == row["text_id"]
        assert record["mention_begins"].tolist() == [int(item["offset"]) for item in gold]
        assert [text.lower() for text in said(record, "mention")] == [item["mention"].lower() for item in gold]
        assert record["entities"] == [item["kb_id"] for item in gold]
