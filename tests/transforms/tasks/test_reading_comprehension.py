"""Reading comprehension: every place of every answer, windows over long contexts, bad questions."""

import json
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
    real_task,
    real_text,
    reason,
    record_of,
    said,
)
from transforms.tasks.json_input import json_object, paragraphs
from transforms.tasks.reading_comprehension import ReadingComprehension, largest_stride

CONTEXT = "小城在1987年建成图书馆。"
TASK = a_task(ReadingComprehension, stride=8)


def question(*answers: Any, **fields: Any) -> dict[str, Any]:
    """Answers: text, or text and its offset."""
    gold = [
        {"text": answer[0], "answer_start": answer[1]}
        for answer in (a if isinstance(a, tuple) else (a, -1) for a in answers)
    ]
    return {"id": "q1", "question": "图书馆哪年建成", "answers": gold, **fields}


def document(*questions: Any, context: Any = CONTEXT) -> str:
    return line(context=context, qas=list(questions))


def answers(record: dict[str, Any]) -> list[tuple[int, int]]:
    return list(zip(record["answer_begins"].tolist(), record["answer_ends"].tolist(), strict=True))


def test_a_question_and_its_context() -> None:
    record = record_of(TASK, document(question(("1987年", 3))))
    assert (record["id"], record["question"], record["context"]) == ("q1", "图书馆哪年建成", CONTEXT)
    tokens = ["[CLS]", *"图书馆哪年建成", "[SEP]", *"小城在", "1987", *"年建成图书馆。", "[SEP]"]
    assert [VOCABULARY.tokens[token] for token in record["ids"]] == tokens
    assert record["segments"].tolist() == [0] * 9 + [1] * 12
    texts = (record["question"], record["context"])
    spans = zip(record["segments"].tolist(), record["begins"].tolist(), record["ends"].tolist(), strict=True)
    pointed = [texts[segment][begin:end] for segment, begin, end in spans]
    assert pointed == ["" if token in ("[CLS]", "[SEP]") else token for token in tokens]
    assert (record["window"], record["answers"], said(record, "answer", text="context")) == (0, ["1987年"], ["1987年"])
    assert list(TASK.marks(record)) == [(3, 8, "answer")]


@pytest.mark.parametrize(
    ("context", "given_", "spans"),
    [
        ("海雾，海雾，海雾", [("海雾", 3)], [(3, 5)]),  # a good offset is the only place
        ("海雾，海雾，海雾", [("海雾", "3")], [(3, 5)]),
        ("海雾，海雾，海雾", [("海雾", -1)], [(0, 2), (3, 5), (6, 8)]),  # unknown: wherever it stands
        ("海雾，海雾，海雾", [("海雾", None)], [(0, 2), (3, 5), (6, 8)]),
        ("海雾，海雾，海雾", [("海雾", 4)], [(3, 5)]),  # wrong by a blank that was cut off, or two
        ("海雾，海雾，海雾", [("海雾", 3), ("海雾", -1)], [(0, 2), (3, 5), (6, 8)]),
        ("海雾，海雾，海雾", [("海雾，海", -1), ("雾", 7)], [(0, 4), (3, 7), (7, 8)]),  # they overlap
        ("海雾1987年", [("1987年", 2), ("1987", 2)], [(2, 6), (2, 7)]),
        ("海雾1987年", [("87年", -1)], [(4, 7)]),  # inside of a token
        ("海雾", [("海雾", 0), ("1987年", -1)], [(0, 2)]),  # one that stands there is enough
        ("Abc，abc", [("abc", -1)], [(4, 7)]),  # as it is written, where it is
        ("Abc，ABC", [("abc", -1)], [(0, 3), (4, 7)]),
        ("《海雾》", [("《海雾》", 0)], [(0, 4)]),
        ("𠀀𠮷海雾", [("海雾", 2)], [(2, 4)]),
        ("\u3000 海\r\n海雾\n", [("海雾", 5)], [(5, 7)]),
        ("甲甲甲", [("甲甲", -1)], [(0, 2), (1, 3)]),
        ("海雾", [], []),  # nothing to be found
    ],
)
def test_where_answers_stand(context: str, given_: list[Any], spans: list[tuple[int, int]]) -> None:
    record = record_of(TASK, document(question(*given_), context=context))
    assert answers(record) == spans
    assert record["answers"] == [text for text, _ in given_]
    assert record["context"] == context


@pytest.mark.parametrize(
    ("given_", "mended"),
    [([3], 0), ([4, 1], 2), ([-1, None], 0), ([2, 3, -1], 1)],
)
def test_offsets_that_are_mended_are_counted(given_: list[Any], mended: int) -> None:
    (example,) = TASK.examples(document(question(*(("1987年", begin) for begin in given_))), "")
    assert example.mended == mended
    assert [tuple(span) for span in example.gold[1]] == [(3, 8)]


def test_answers_in_the_question_do_not_count() -> None:
    record = record_of(TASK, document(question("海雾", question="海雾海雾哪年"), context="周舟海雾"))
    assert answers(record) == [(2, 4)]


@pytest.mark.parametrize("fields", [{"answers": None}, {"answers": []}])
def test_a_question_of_a_test_set(fields: dict[str, Any]) -> None:
    record = record_of(TASK, document(question(**fields)))
    assert (record["answers"], answers(record)) == ([], [])
    assert record["answer_begins"].dtype == record["answer_ends"].dtype == np.int32


# --- windows ---


@given(
    st.text("小城在年建成图书馆。1a", max_size=60).map("海{}".format),
    st.text("图书馆哪年", min_size=1, max_size=20),
    st.integers(8, 40),
    st.data(),
)
def test_windows_cover_the_context(context: str, asked: str, max_length: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, largest_stride(max_length)))
    task = a_task(ReadingComprehension, max_length=max_length, stride=stride)
    records, bad = made(task, document(question("海", question=asked), context=context))
    whole, _ = made(
        a_task(ReadingComprehension, max_length=999), document(question("海", question=asked), context=context)
    )
    assert (bad, len(whole)) == ([], 1)
    assert [record["window"] for record in records] == list(range(len(records)))

    def tokens(record: dict[str, Any], segment: int) -> list[tuple[int, int, int]]:
        inside = (record["segments"] == segment) & (record["ends"] > 0)
        return list(zip(*(record[name][inside].tolist() for name in ("ids", "begins", "ends")), strict=True))

    every = tokens(whole[0], 1)
    for number, record in enumerate(records):
        assert len(record["ids"]) <= max_length
        window = tokens(record, 1)
        assert window == every[number * stride :][: len(window)]
        assert tokens(record, 0) == tokens(whole[0], 0)[: max_length // 4]
        assert (record["context"], record["answers"], answers(record)) == (context, ["海"], answers(whole[0]))
        last = number == len(records) - 1
        assert last == (number * stride + len(window) == len(every))
        assert last or len(window) >= stride
        assert last or len(record["ids"]) == max_length


def test_an_answer_in_the_overlap_is_in_both_windows() -> None:
    context = "春" * 20 + "海雾" + "秋" * 20
    task = a_task(ReadingComprehension, max_length=40, stride=10)
    records, _ = made(task, document(question("海雾", question="海雾"), context=context))
    inside = []
    for record in records:
        (begin, end), of_context = answers(record)[0], record["segments"] == 1
        inside.append(bool((record["begins"][of_context] == begin).any() and (record["ends"][of_context] == end).any()))
        assert answers(record) == [(20, 22)]
    assert inside == [True, True]
    assert [len(record["ids"]) for record in records] == [40, 37]


def test_a_long_question_is_cut() -> None:
    for max_length, kept in ((512, 64), (256, 64), (128, 32), (8, 2)):
        task = a_task(ReadingComprehension, max_length=max_length, stride=1)
        record = made(task, document(question("小城", question="哪" * 100)))[0][0]
        assert record["segments"].tolist().count(0) == kept + 2
        assert record["question"] == "哪" * 100


@pytest.mark.parametrize(("max_length", "most"), [(512, 445), (256, 189), (128, 93), (8, 3)])
def test_a_stride_leaves_nothing_out(max_length: int, most: int) -> None:
    assert largest_stride(max_length) == most
    for stride in (most, None):
        a_task(ReadingComprehension, max_length=max_length, stride=stride)
    for stride in (0, most + 1):
        with pytest.raises(ValueError, match=rf"^stride {stride}: between 1 and {most}, what max_length {max_length} "):
            a_task(ReadingComprehension, max_length=max_length, stride=stride)


# --- bad input ---


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("哪年", "qas, item 1: a question without field 'id'"),
        (question(id=""), "qas, item 1: a question without field 'id'"),
        (question(id=["q1"]), "qas, item 1: field 'id' is a list, not text"),
        (question(question=" "), "question q1: field 'question' is empty"),
        (question(question=None), "question q1: field 'question' is null, not text"),
        (question(answers={"text": ["1987年"]}), "question q1: field 'answers' is an object, not a list"),
        (question(answers=["1987年"]), "question q1: answers, item 0: text, not an object with field 'text'"),
        (question(""), "question q1: answers, item 0: field 'text' is empty"),
        (
            question(("1987年", 3), ("1987年", 3.5)),
            "question q1: answers, item 1: field 'answer_start' is neither a whole number from 0 nor -1 but 3.5",
        ),
        (question("1988年"), "question q1: answers, item 0: answer '1988年' does not stand in the context"),
        (
            question(("1988年", 3), "小城"),
            "question q1: answers, item 0: answer '1988年' does not stand at offset 3, where '1987年' does, "
            "nor elsewhere in the text",
        ),
        (
            question("小城", ("1987年", 6)),
            "question q1: answers, item 1: answer '1987年' does not stand at offset 6, where '7年建成图' does, "
            "but next at 3: mend the offset",
        ),
    ],
)
def test_a_bad_question_is_named_and_the_others_are_kept(asked: Any, message: str) -> None:
    records, bad = made(TASK, document(question("1987年", id="q0"), asked, question("小城", id=2)))
    assert bad == [message]
    assert [record["id"] for record in records] == ["q0", "2"]


@pytest.mark.parametrize(
    ("paragraph", "message"),
    [
        ({"context": " ", "qas": []}, "field 'context' is empty"),
        ({"context": CONTEXT}, "field 'qas' is missing"),
        ({"context": CONTEXT, "qas": {}}, "field 'qas' is an object, not a list"),
        ({"context": 5, "qas": []}, "field 'context' is a number, not text"),
        ("text", "not a JSON object but text"),
    ],
)
def test_a_bad_paragraph_is_named(paragraph: Any, message: str) -> None:
    assert reason(TASK, json.dumps(paragraph)) == message


# --- targets ---


def test_targets_are_an_answer_in_the_window() -> None:
    context = "海雾在小城，小城在海雾，秋" + "春" * 30
    records, _ = made(
        a_task(ReadingComprehension, max_length=40, stride=20), document(question("海雾", "小城"), context=context)
    )
    rng, drawn = np.random.default_rng(0), set()
    for _ in range(60):
        targets = TASK.targets(as_read(TASK, records[0]), rng)
        check_shapes(TASK, targets)
        assert [targets[name].dtype for name in ("ids", "segments", "begin", "end")] == [np.int32] * 4
        begin, end = int(targets["begin"]), int(targets["end"])
        assert records[0]["segments"][begin] == records[0]["segments"][end] == 1
        drawn.add((int(records[0]["begins"][begin]), int(records[0]["ends"][end])))
    assert drawn == {(0, 2), (9, 11), (3, 5), (6, 8)}
    targets = TASK.targets(as_read(TASK, records[-1]), rng)
    assert (targets["begin"], targets["end"]) == (0, 0)


def test_an_answer_that_a_window_cuts_is_not_in_it() -> None:
    context = "春" * 28 + "海雾小城" + "秋" * 20
    task = a_task(ReadingComprehension, max_length=40, stride=20)
    records, _ = made(task, document(question("海雾小城", question="哪年"), context=context))
    ends = [int(task.targets(as_read(task, record), np.random.default_rng(0))["end"]) for record in records]
    assert [len(record["ids"]) for record in records] == [40, 37]
    assert ends == [35, 15]
    records, _ = made(task, document(question("海雾小城", question="图书馆哪年"), context=context))
    ends = [int(task.targets(as_read(task, record), np.random.default_rng(0))["end"]) for record in records]
    assert (ends[0], ends[1]) == (38, 18)


# --- decoding ---

asked_contexts = st.text("小城在年，图书馆1 a", min_size=1, max_size=40).map("海{}".format)


def logits_of(seed: int, scale: float) -> Any:
    """A model that says anything."""
    rng = np.random.default_rng(seed)

    def model(inputs: Any) -> Any:
        return {name: rng.normal(0, scale, inputs["ids"].shape).astype(np.float32) for name in ("begins", "ends")}

    return model


@given(asked_contexts, st.integers(0, 99), st.integers(1, 20), st.floats(0.1, 30))
def test_the_likeliest_span_of_all_windows_is_the_answer(context: str, seed: int, longest: int, scale: float) -> None:
    task = a_task(ReadingComprehension, max_length=20, stride=5)
    records, _ = made(task, document(question("海"), context=context))
    ((of, answer),) = (row.values() for row in task.decode(records, logits_of(seed, scale), longest=longest))
    logits = logits_of(seed, scale)({"ids": np.zeros((len(records), max(len(r["ids"]) for r in records)))})
    best = (-np.inf, "")
    for row, record in enumerate(records):
        tokens = [at for at in range(len(record["ids"]) - 1) if record["segments"][at] == 1]
        begins, ends = (logits[name][row].astype(np.float64) for name in ("begins", "ends"))
        whole = sum(np.logaddexp.reduce(values[[0, *tokens]]) for values in (begins, ends))
        for first in tokens:
            for last in [at for at in tokens if first <= at < first + longest]:
                said = context[record["begins"][first] : record["ends"][last]]
                best = max(best, (begins[first] + ends[last] - whole, said), key=lambda pair: pair[0])
    assert (of, answer) == ("q1", best[1])


def test_the_question_is_never_the_answer() -> None:
    record = record_of(TASK, document(question("1987年", question="小城小城")))

    def model(inputs: Any) -> Any:
        edges = np.where(inputs["segments"] == 0, 9.0, 0.0).astype(np.float32)
        edges[:, -1] = 9  # [SEP]
        edges[:, 9] = 1
        return {"begins": edges, "ends": edges}

    assert TASK.decode([record], model) == [{"id": "q1", "answer": "1987"}]


def test_windows_without_the_answer_say_so_and_do_not_count() -> None:
    """A window that is sure of its begin among few, but surer of [CLS], loses to one that is less sure of it."""
    task = a_task(ReadingComprehension, max_length=20, stride=6)
    records, _ = made(task, document(question("海", question="哪"), context="海雾小城" + "春" * 16))
    assert len(records) == 2

    def model(inputs: Any) -> Any:
        edges = np.full(inputs["ids"].shape, -9, np.float32)
        edges[0, [0, 3]] = 2, 4
        edges[1, [0, 5]] = 9, 6
        return {"begins": edges, "ends": edges}

    assert task.decode(records, model) == [{"id": "q1", "answer": "海"}]


def test_a_context_without_tokens_has_no_answer() -> None:
    records, _ = made(TASK, document(question(), context="\u200b\u200b"))
    assert not ((records[0]["segments"] == 1) & (records[0]["ends"] > 0)).any()
    assert TASK.decode(records, logits_of(0, 1.0)) == [{"id": "q1", "answer": ""}]


def test_questions_are_told_apart_even_with_one_id() -> None:
    asked = [question("1987年"), question("小城", question="哪"), question("建成", id=2, question="年")]
    records, _ = made(TASK, document(*asked))
    assert oracle(TASK, records[::-1])[::-1] == [
        {"id": "q1", "answer": "1987年"},
        {"id": "q1", "answer": "小城"},
        {"id": "2", "answer": "建成"},
    ]


@given(asked_contexts, st.data())
def test_a_perfect_model_finds_the_answer(context: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(context) - 1))
    answer = context[begin : data.draw(st.integers(begin + 1, begin + 4))]
    if answer.strip() != answer or not answer or context.split() != [context]:
        return
    task = a_task(ReadingComprehension, max_length=20, stride=5)
    records, _ = made(task, document(question((answer, begin)), context=context))
    (row,) = oracle(task, records)
    assert answer in row["answer"]  # which has whole tokens
    assert task.write([row]).decode() == json.dumps({"q1": row["answer"]}, ensure_ascii=False, indent=1)
    assert task.read_predictions(task.write([row])) == {"q1": row["answer"]}


# --- real data ---


@needs_data
@pytest.mark.parametrize(("data_set", "questions"), [("dureader_robust", 300), ("cmrc2018", 3219)])
def test_every_real_question_makes_records(data_set: str, questions: int) -> None:
    task, wordpiece = real_task(ReadingComprehension)
    found = [paragraph for _, paragraph in paragraphs(json_object(real_text(f"{data_set}/dev.json")))]
    gold = {
        asked["id"]: [answer["text"] for answer in asked["answers"]]
        for paragraph in found
        for asked in paragraph["qas"]
    }
    records, bad = made(task, *map(json.dumps, found), wordpiece=wordpiece)
    assert (bad, len(gold)) == ([], questions)
    assert {record["id"] for record in records} == set(gold)
    for record in records:
        assert record["answers"] == gold[record["id"]]
        assert {text.lower() for text in said(record, "answer", text="context")} <= {
            answer.lower() for answer in record["answers"]
        }
        assert answers(record)
