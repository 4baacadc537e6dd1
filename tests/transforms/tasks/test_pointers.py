"""Tokens of spans, and spans of pointers: what goes in comes out."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.transforms.tasks.making import VOCABULARY, WORDPIECE
from transforms.tasks.pointers import inside, pointed, pointers, text_of, text_tokens, token_spans
from transforms.tasks.record import Record
from transforms.wordpiece import pair, windows

texts = st.text("小城图书馆198 a\r\n，b", min_size=1, max_size=30)


def record_of(text: str, max_length: int = 99) -> Record:
    encoding = pair(WORDPIECE.tokenize([text])[0], vocabulary=VOCABULARY, max_length=max_length)
    return {"text": text, "ids": encoding.ids, "begins": encoding.begins, "ends": encoding.ends}


def windows_of(text: str) -> list[Record]:
    question, context = WORDPIECE.tokenize(["哪年", text])
    made = windows(question, context, vocabulary=VOCABULARY, max_length=12, stride=4)
    names = ("ids", "segments", "begins", "ends")
    return [{"context": text, **{name: getattr(encoding, name) for name in names}} for encoding in made]


@given(texts, st.data())
def test_a_span_of_tokens_is_found_again(text: str, data: st.DataObject) -> None:
    record = record_of(text)
    tokens = range(inside(record).start, inside(record).stop)
    if not tokens:
        return
    spans = [sorted(data.draw(st.tuples(*[st.sampled_from(tokens)] * 2))) for _ in range(3)]
    begins = np.array([record["begins"][first] for first, _ in spans])
    ends = np.array([record["ends"][last] for _, last in spans])
    found, whole = token_spans(record, begins, ends)
    assert found.tolist() == spans
    assert whole.all()
    assert [text_of(record, *span) for span in spans] == [text[b:e] for b, e in zip(begins, ends, strict=True)]


@given(texts, st.integers(0, 29), st.integers(1, 30))
def test_any_span_has_the_tokens_that_it_touches(text: str, begin: int, size: int) -> None:
    begin = min(begin, len(text) - 1)
    end = min(begin + size, len(text))
    record = record_of(text)
    tokens = range(inside(record).start, inside(record).stop)
    touched = [at for at in tokens if record["begins"][at] < end and record["ends"][at] > begin]
    ((first, last),), (whole,) = token_spans(record, np.array([begin]), np.array([end]))
    if whole:
        assert [first, last] == [touched[0], touched[-1]]
        assert text[begin:end].strip() in text_of(record, first, last)
    else:
        assert not touched or text[begin:end].strip() != text[begin:end]


@given(texts, st.integers(0, 29), st.integers(1, 30))
def test_a_span_is_whole_in_the_windows_that_have_all_of_its_tokens(text: str, begin: int, size: int) -> None:
    begin = min(begin, len(text) - 1)
    end = min(begin + size, len(text))
    full = record_of(text)
    wanted = [(b, e) for b, e in zip(full["begins"][1:-1], full["ends"][1:-1], strict=True) if b < end and e > begin]
    for record in windows_of(text):
        _, (whole,) = token_spans(record, np.array([begin]), np.array([end]))
        place = inside(record)
        assert (record["segments"][place] == 1).all()
        here = list(zip(record["begins"][place], record["ends"][place], strict=True))
        if text[begin:end].strip() == text[begin:end]:
            assert whole == (bool(wanted) and set(wanted) <= set(here))
        assert not whole or set(wanted) <= set(here)


def test_no_token_holds_nothing() -> None:
    record = record_of(" \r\n")
    found, whole = token_spans(record, np.array([[0, 1]]), np.array([[1, 2]]))
    assert (found.shape, whole.tolist()) == ((1, 2, 2), [[False, False]])


@given(st.lists(texts, min_size=1, max_size=4))
def test_tokens_of_texts_are_told_from_others(given_: list[str]) -> None:
    records = [record_of(text, 12) for text in given_]
    table = text_tokens(records)
    for row, record in zip(table, records, strict=True):
        assert row[: len(record["ids"])].tolist() == (record["begins"] < record["ends"]).tolist()
        assert not row[len(record["ids"]) :].any()


@given(st.data())
def test_spans_that_do_not_touch_are_pointed_at(data: st.DataObject) -> None:
    """Of one label; those of different labels may be anywhere."""
    tokens, kinds = 12, 3
    spans: list[list[int]] = []
    for kind in range(kinds):
        edges = sorted(data.draw(st.sets(st.integers(1, tokens - 1), max_size=6)))
        spans += [[kind, *pair_] for pair_ in zip(edges[::2], edges[1::2], strict=False)]
    table = np.array(spans, np.int64).reshape(-1, 3)
    made = pointers(table[:, 1:], table[:, 0], tokens=tokens, kinds=kinds)
    assert (made.shape, made.dtype) == ((tokens, kinds, 2), np.float32)
    found = pointed(made[None] * 40 - 20, allowed=np.ones((1, tokens), bool), threshold=0.5)
    assert found.tolist() == [[0, *span] for span in spans]


@given(
    arrays(np.float32, (2, 6, 2, 2), elements=st.sampled_from([-2.0, -0.3, 0.0, 2.0])),
    arrays(bool, (2, 6)),
    st.sampled_from([0.3, 0.45, 0.5, 0.7]),
)
def test_a_begin_goes_with_the_nearest_end(logits: Any, allowed: Any, threshold: float) -> None:
    over = (1 / (1 + np.exp(-logits.astype(np.float64))) > threshold) & allowed[:, :, None, None]
    wanted = []
    for row, label, first in np.ndindex(2, 2, 6):
        ends = [last for last in range(first, 6) if over[row, last, label, 1]]
        if over[row, first, label, 0] and ends:
            wanted.append([row, label, first, ends[0]])
    assert pointed(logits, allowed=allowed, threshold=threshold).tolist() == wanted
