"""Masked language model: packing loses and repeats nothing, joins no words, and ends where sentences do."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.tasks.making import VOCABULARY, WORDPIECE, a_task, as_read, made, reason, record_of
from transforms.segmentation import Dictionary, Segmenter
from transforms.tasks.masked_language_model import RATE, MaskedLanguageModel
from transforms.tasks.record import Record, content_id
from transforms.wordpiece import Tokens

texts = st.text("甲乙公司ab1。！\n \r\x00𠀀", max_size=60)
cuts = st.lists(st.integers(1, 5), min_size=1, max_size=10)


def word_ends(lengths: Sequence[int]) -> Callable[[str], npt.NDArray[np.integer]]:
    """Cuts any text into words of these lengths, over and over."""

    def ends(text: str) -> npt.NDArray[np.integer]:
        found = list(itertools.takewhile(lambda end: end < len(text), itertools.accumulate(itertools.cycle(lengths))))
        return np.array([*found, len(text)], np.int64)

    return ends


def a_model(lengths: Sequence[int] = (2,), **options: Any) -> MaskedLanguageModel:
    task: MaskedLanguageModel = a_task(MaskedLanguageModel, word_ends=word_ends(lengths), **options)
    return task


def tokens(text: str) -> Tokens:
    return WORDPIECE.tokenize([text])[0]


def words_of(task: MaskedLanguageModel, text: str) -> list[int]:
    """The number of each token's word, counted one by one."""
    assert task.word_ends is not None
    ends = task.word_ends(text).tolist()
    return [next(number for number, end in enumerate(ends) if begin < end) for begin in tokens(text).begins]


def sentence_ends(text: str) -> list[int]:
    """After how many tokens a sentence ends."""
    begins = [*tokens(text).begins.tolist(), len(text)]
    gaps = enumerate(itertools.pairwise(begins), 1)
    return [place for place, (begin, end) in gaps if set(text[begin:end]) & set("。！？!?\n")]


def check_frame(record: Record, max_length: int) -> None:
    """One [CLS], a [SEP] at the end, word 0 there, and words that ascend."""
    ids, words = record["ids"], record["words"]
    assert len(ids) == len(words) <= max_length
    assert (ids[0], ids[-1]) == (VOCABULARY.cls, VOCABULARY.sep)
    assert (words[0], words[-1]) == (0, 0)
    inside = words[words > 0]
    assert inside[0] == 1
    assert (np.diff(inside) >= 0).all()
    assert ids.dtype == words.dtype == np.int32


def shown(record: Record) -> str:
    """Tokens, with bars between words."""
    out = ""
    for (token, word), (_, before) in itertools.pairwise(zip(record["ids"], record["words"], strict=True)):
        out += VOCABULARY.tokens[token] + ("" if word == before > 0 else "|")
    return out + VOCABULARY.tokens[record["ids"][-1]]


# --- one document ---


@pytest.mark.parametrize(
    ("text", "max_length", "packed"),
    [
        ("甲乙公司", 8, ["[CLS]|甲乙|公司|[SEP]"]),
        ("甲。乙。公司。人。", 8, ["[CLS]|甲。|乙。|[SEP]", "[CLS]|公司|。人|。|[SEP]"]),
        ("甲乙。公司", 8, ["[CLS]|甲乙|。公|司|[SEP]"]),
        ("甲乙公司宣布裁员", 8, ["[CLS]|甲乙|公司|宣布|[SEP]", "[CLS]|裁员|[SEP]"]),  # no sentence ends: words do
        ("甲乙公司宣布裁员", 9, ["[CLS]|甲乙|公司|宣布|[SEP]", "[CLS]|裁员|[SEP]"]),
        ("甲\n乙公司宣布", 8, ["[CLS]|甲|乙公|司宣|布|[SEP]"]),
        ("  甲 \r\n\r\n乙", 8, ["[CLS]|甲|乙|[SEP]"]),
    ],
)
def test_packed(text: str, max_length: int, packed: list[str]) -> None:
    records, bad = made(a_model(max_length=max_length), text)
    assert (bad, [shown(record) for record in records]) == ([], packed)


def test_a_word_longer_than_a_record_is_cut() -> None:
    records, _ = made(a_model((20,), max_length=8), "甲乙丙丁公司林远在")
    assert [shown(record) for record in records] == ["[CLS]|甲乙丙丁公司|[SEP]", "[CLS]|林远在|[SEP]"]


def test_where_records_come_from() -> None:
    text = "\n 甲乙。  𠀀a公司宣布裁员"
    records, _ = made(a_model(max_length=8), text)
    assert [record["id"] for record in records] == [content_id(text)] * len(records)
    assert [record["documents"] for record in records] == [[content_id(text)]] * len(records)
    spans = [(record["document_begins"][0], record["document_ends"][0]) for record in records]
    assert [text[begin:end] for begin, end in spans] == ["甲乙。", "𠀀a公司宣", "布裁员"]


@given(texts, cuts, st.integers(3, 24))
def test_a_document_is_packed_whole(text: str, lengths: list[int], max_length: int) -> None:
    task = a_model(lengths, max_length=max_length)
    whole = tokens(text)
    records, bad = made(task, text)
    if not len(whole):
        assert bad == ["the text has no token" if text.strip() else "the text is empty"]
        return
    assert bad == []
    assert np.concatenate([record["ids"][1:-1] for record in records]).tolist() == whole.ids.tolist()
    words, sentences, start = words_of(task, text), sentence_ends(text), 0
    for record in records:
        check_frame(record, max_length)
        assert (record["words"][1:-1] > 0).all()
        stop = start + len(record["ids"]) - 2
        joined = np.diff(record["words"][1:-1]) == 0
        assert joined.tolist() == [one == other for one, other in itertools.pairwise(words[start:stop])]
        assert (record["documents"], record["id"]) == ([content_id(text)], content_id(text))
        assert record["document_begins"].tolist() == [whole.begins[start]]
        assert record["document_ends"].tolist() == [whole.ends[stop - 1]]
        limit = start + max_length - 2
        if limit >= len(whole):
            assert stop == len(whole)
        else:
            fits = [end for end in sentences if start < end <= limit]
            fits = fits or [end for end in range(start + 1, limit + 1) if words[end - 1] != words[end]]
            assert stop == (fits[-1] if fits else limit)
        start = stop
    assert start == len(whole)


# --- across documents ---


def packed(task: MaskedLanguageModel, documents: Sequence[str]) -> list[Record]:
    held, bad = made(task, *documents)
    assert bad == []
    assert all(record.keys() == task.held.keys() for record in held)
    records = list(task.packed(held))
    assert all(record.keys() == task.schema.keys() for record in records)
    return records


def test_what_runs_hold_of_a_text() -> None:
    assert a_model(across=False).held == a_model().schema
    task = a_model(across=True)
    held = record_of(task, "甲乙。公司")
    assert held["ids"].tolist() == tokens("甲乙。公司").ids.tolist()
    assert held["words"].tolist() == [1, 1, 2, 2, 3]
    assert held["sentences"].tolist() == [3]
    assert (held["begins"].tolist(), held["ends"].tolist()) == ([0, 1, 2, 3, 4], [1, 2, 3, 4, 5])


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        (["甲乙", "公司"], ["[CLS]|甲乙|[SEP]|公司|[SEP]"]),
        (["甲乙", "公司。", "林"], ["[CLS]|甲乙|[SEP]|公司|。|[SEP]", "[CLS]|林|[SEP]"]),
        # A second piece ends with a sentence, or begins the next record.
        (["甲乙丙丁", "公司林远在"], ["[CLS]|甲乙|丙丁|[SEP]", "[CLS]|公司|林远|在|[SEP]"]),
        (["甲", "。林公司宣布裁员"], ["[CLS]|甲|[SEP]|。|[SEP]", "[CLS]|林|公司|宣布|[SEP]", "[CLS]|裁员|[SEP]"]),
        (["甲乙丙丁公", "林"], ["[CLS]|甲乙|丙丁|公|[SEP]", "[CLS]|林|[SEP]"]),
        (["甲乙丙丁公司宣", "林"], ["[CLS]|甲乙|丙丁|公司|[SEP]", "[CLS]|宣|[SEP]|林|[SEP]"]),
        ([], []),
    ],
)
def test_texts_packed_together(documents: list[str], expected: list[str]) -> None:
    assert [shown(record) for record in packed(a_model(max_length=8, across=True), documents)] == expected


@given(
    st.lists(texts.filter(lambda text: len(tokens(text)) > 0 and bool(text.strip())), max_size=6, unique=True),
    cuts,
    st.integers(3, 24),
)
def test_documents_are_packed_whole(documents: list[str], lengths: list[int], max_length: int) -> None:
    task = a_model(lengths, max_length=max_length, across=True)
    by_id = {content_id(text): text for text in documents}
    rest: list[tuple[str, int]] = [(identifier, 0) for identifier in by_id]  # what is to come, and from which token on
    records = packed(task, documents)
    for number, record in enumerate(records):
        check_frame(record, max_length)
        assert record["id"] == record["documents"][0]
        assert len(set(record["documents"])) == len(record["documents"])
        bounds = np.flatnonzero(record["words"] == 0).tolist()
        pieces = list(itertools.pairwise(bounds))
        assert [record["ids"][end] for _, end in pieces] == [VOCABULARY.sep] * len(pieces)
        assert len(pieces) == len(record["documents"])
        last = 0
        for place, (begin, end) in enumerate(pieces):
            identifier, start = rest[0]
            text, stop = by_id[identifier], start + end - begin - 1
            whole, words = tokens(text), words_of(task, text)
            assert record["documents"][place] == identifier
            assert record["ids"][begin + 1 : end].tolist() == whole.ids[start:stop].tolist()
            assert record["document_begins"][place] == whole.begins[start]
            assert record["document_ends"][place] == whole.ends[stop - 1]
            joined = np.diff(record["words"][begin + 1 : end]) == 0
            assert joined.tolist() == [one == other for one, other in itertools.pairwise(words[start:stop])]
            assert record["words"][begin + 1] > last
            last = record["words"][end - 1]
            assert place == 0 or stop == len(whole) or stop in sentence_ends(text)
            rest[0] = (identifier, stop)
            if stop == len(whole):
                del rest[0]
        if number < len(records) - 1:  # the next sentence, and a separator before it, would not have fitted
            identifier, start = rest[0]
            ends = [*sentence_ends(by_id[identifier]), len(tokens(by_id[identifier]))]
            assert len(record["ids"]) + next(end for end in ends if end > start) - start + 1 > max_length
    assert rest == []


# --- words ---


def test_words_are_those_of_the_segmenter(stock: Dictionary) -> None:
    segmenter = Segmenter(stock)
    text = "  甲公司昨日宣布裁员300人，abc在图书馆。\r\n小城1987年"
    task = a_task(MaskedLanguageModel, word_ends=lambda text: segmenter.spans(text)["end"])
    record = record_of(task, text)
    begun, words = 0, []
    for word in segmenter.cut(text):
        words += [word] * len(tokens(word))
        begun += len(word)
    assert begun == len(text)
    joined = [one == other for one, other in itertools.pairwise(words)]
    assert (np.diff(record["words"][1:-1]) == 0).tolist() == joined
    assert "公司" in words
    assert "图书馆" in words


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "the text is empty"), (" \r\n\u3000", "the text is empty"), ("\x00\x01", "the text has no token")],
)
@pytest.mark.parametrize("across", [False, True])
def test_bad_texts(text: str, message: str, across: bool) -> None:
    assert reason(a_model(across=across), text) == message


# --- targets ---


@given(texts.filter(lambda text: len(tokens(text)) > 0 and bool(text.strip())), cuts, st.integers(0, 1 << 32))
def test_targets_mask_whole_words(text: str, lengths: list[int], seed: int) -> None:
    task = a_model(lengths)
    record = as_read(task, made(task, text)[0][0])
    before = record["ids"].copy()
    targets = task.targets(record, np.random.default_rng(seed))
    assert np.array_equal(record["ids"], before)
    ids, positions, labels, weights = (targets[name] for name in ("ids", "positions", "labels", "weights"))
    assert (ids.dtype, positions.dtype, labels.dtype, weights.dtype) == (np.int32, np.int32, np.int32, np.float32)
    assert ids.shape == task.shapes(len(before))["ids"]
    assert labels.tolist() == before[positions].tolist()
    assert weights.tolist() == [1] * len(labels) == [1] * len(positions)
    same = np.ones(len(ids), bool)
    same[positions] = False
    assert np.array_equal(ids[same], before[same])
    chosen = set(record["words"][positions].tolist())
    assert chosen
    assert 0 not in chosen
    assert positions.tolist() == np.flatnonzero(np.isin(record["words"], list(chosen))).tolist()
    assert len(positions) <= task.shapes(len(before))["positions"][0] or len(chosen) == 1
    again = task.targets(record, np.random.default_rng(seed))
    assert all(np.array_equal(targets[name], again[name]) for name in targets)


@pytest.mark.parametrize(("length", "guesses"), [(8, 1), (128, 19), (512, 77)])
def test_shapes(length: int, guesses: int) -> None:
    shapes = a_model().shapes(length)
    assert shapes == {"ids": (length,), "positions": (guesses,), "labels": (guesses,), "weights": (guesses,)}
    assert guesses == max(1, round(RATE * length))


def test_nothing_is_marked_without_a_text() -> None:
    task = a_model()
    assert list(task.marks(record_of(task, "甲乙"))) == []
