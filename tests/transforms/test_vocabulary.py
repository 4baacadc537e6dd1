"""Vocabularies: files of tokens, orders made from counts, parts of pretrained ones, weights for jieba."""

import hashlib
import itertools
import math
import os
import pickle
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipelines.command import ROOT
from tests.strategies import SPACES
from transforms.vocabulary import (
    SPECIAL_TOKENS,
    Vocabulary,
    characters,
    cut_vocabulary,
    idf_lines,
    make_vocabulary,
    read_stop_words,
)
from transforms.wordpiece import WordPiece

DATA = os.environ.get("HANMILL_DATA")
SPECIAL = "\n".join(SPECIAL_TOKENS).encode()

words = st.text(min_size=1, max_size=5)
counts = st.integers(1, 6) | st.integers(1, 1 << 40)
tables = st.dictionaries(words, counts, max_size=20)


def batches(table: dict[str, int], cuts: list[int] | None = None) -> Iterator[tuple[list[str], npt.NDArray[np.int64]]]:
    """The rows of a table, cut anywhere."""
    rows = list(table.items())
    bounds = sorted({0, len(rows), *(cut % (len(rows) + 1) for cut in cuts or [])})
    for begin, end in itertools.pairwise(bounds):
        yield [word for word, _ in rows[begin:end]], np.array([count for _, count in rows[begin:end]], np.int64)


# --- files ---


@given(st.lists(words.filter(lambda word: "\n" not in word and not word.endswith("\r")), unique=True), st.randoms())
def test_a_vocabulary_is_what_its_content_says(others: list[str], order: object) -> None:
    tokens = [*dict.fromkeys([*SPECIAL_TOKENS, *others])]
    order.shuffle(tokens)  # type: ignore[attr-defined]
    vocabulary = Vocabulary(tuple(tokens))
    assert vocabulary.content.decode().split("\n") == [*tokens, ""]
    assert vocabulary.sha256 == hashlib.sha256(vocabulary.content).hexdigest()
    assert [vocabulary.ids[token] for token in tokens] == list(range(len(tokens))) == list(range(len(vocabulary)))
    special = (vocabulary.pad, vocabulary.unknown, vocabulary.cls, vocabulary.sep, vocabulary.mask)
    assert special == tuple(tokens.index(token) for token in SPECIAL_TOKENS)
    if not tokens[0].startswith("\ufeff"):
        assert Vocabulary.of(vocabulary.content) == vocabulary
    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary


@pytest.mark.parametrize(
    "content",
    [
        SPECIAL + "\n的\n".encode(),
        SPECIAL + "\n的".encode(),
        SPECIAL.replace(b"\n", b"\r\n") + "\r\n的\r\n".encode(),
        b"\xef\xbb\xbf" + SPECIAL + "\n的\n\n\n".encode(),
    ],
)
def test_files_of_any_editor(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vocab.txt").write_bytes(content)
    assert Vocabulary.read(tmp_path / "vocab.txt").tokens == (*SPECIAL_TOKENS, "的")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SPECIAL + "\n的\n和\n的\n".encode(), "line 8: '的' stands on line 6 already: remove it"),
        (SPECIAL + "\n的\n\n和\n".encode(), "line 7: '' is not a token on a line of its own: remove it"),
        (SPECIAL + b"\n\xff\n", "line 6: not UTF-8 (invalid start byte): save the file as UTF-8"),
        (SPECIAL.replace(b"[SEP]\n", b""), "no line [SEP]: add each that is missing"),
        (SPECIAL.replace(b"[PAD]\n", b"").replace(b"[UNK]", b"[unk]"), "no line [PAD] or [UNK]: add each"),
        (b"", "line 1: '' is not a token"),
    ],
)
def test_wrong_files_are_named_with_the_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        Vocabulary.read(path)
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize("token", ["", "a\nb", "a\r", "的"])
def test_tokens_that_are_no_lines_are_refused(token: str) -> None:
    with pytest.raises(ValueError, match=r"^line 7: "):
        Vocabulary((*SPECIAL_TOKENS, "的", token))


def test_cased() -> None:
    assert Vocabulary((*SPECIAL_TOKENS, "a", "Q")).cased
    assert not Vocabulary((*SPECIAL_TOKENS, "a", "QQ", "##Q", "É", "<S>")).cased


def test_pieces_of_words() -> None:
    assert Vocabulary((*SPECIAL_TOKENS, "a", "##a")).has_pieces
    assert not Vocabulary((*SPECIAL_TOKENS, "a", "##", "#", "a##b")).has_pieces


@pytest.mark.skipif(not DATA, reason="HANMILL_DATA names the folder of the corpora, and is not set")
def test_a_real_vocabulary() -> None:
    assert DATA is not None
    path = Path(DATA) / "vocab/vocab.txt"
    vocabulary = Vocabulary.read(path)
    assert len(vocabulary) == 21128
    assert (vocabulary.pad, vocabulary.unknown, vocabulary.cls, vocabulary.sep, vocabulary.mask) == (
        0,
        *range(100, 104),
    )
    assert vocabulary.content == path.read_bytes()
    assert not vocabulary.cased


# --- orders ---


@given(tables, st.lists(st.integers(0, 99), max_size=4), st.none() | st.integers(5, 20), st.integers(1, 7), st.data())
def test_a_vocabulary_is_ordered_by_count_then_code_point(
    table: dict[str, int], cuts: list[int], size: int | None, min_count: int, data: st.DataObject
) -> None:
    refused = ("\n", "\r", *SPECIAL_TOKENS)
    table = {word: count for word, count in table.items() if not word.endswith(refused) and "\n" not in word}
    leave_out = data.draw(st.sets(st.sampled_from([*table, "無"]), max_size=3))
    vocabulary, found = make_vocabulary(batches(table, cuts), size=size, min_count=min_count, leave_out=leave_out)
    kept = [word for word, count in table.items() if count >= min_count and word not in leave_out]
    kept = sorted(kept, key=lambda word: (-table[word], [ord(character) for character in word]))
    expected = (*SPECIAL_TOKENS, *kept)[:size]
    assert vocabulary.tokens == expected
    assert found.dtype == np.int64
    assert found.tolist() == [table.get(token, 0) for token in expected]


def test_words_that_look_like_special_tokens_are_none() -> None:
    vocabulary, found = make_vocabulary(batches({"[MASK]": 9, "[mask]": 1}))
    assert (vocabulary.tokens, found.tolist()) == ((*SPECIAL_TOKENS, "[mask]"), [0, 0, 0, 0, 0, 1])


def test_special_tokens_must_fit() -> None:
    assert len(make_vocabulary(batches({"的": 1}), size=5)[0]) == 5
    for make in (
        lambda: make_vocabulary(batches({"的": 1}), size=4),
        lambda: cut_vocabulary(Vocabulary(SPECIAL_TOKENS), np.zeros(5, np.int64), size=4),
    ):
        with pytest.raises(ValueError, match=r"^size 4: \[PAD\], \[UNK\], \[CLS\], \[SEP\], \[MASK\] need 5$"):
            make()


@given(st.dictionaries(st.text(max_size=5) | st.text(SPACES + "中a", max_size=5), counts), st.lists(st.integers(0, 99)))
def test_characters_are_summed_over_the_words_that_hold_them(table: dict[str, int], cuts: list[int]) -> None:
    found, sums = characters(batches(table, cuts))
    expected: Counter[str] = Counter()
    for word, count in table.items():
        for character in word:
            expected[character] += count
    assert sums.dtype == np.int64
    assert list(zip(found, sums.tolist(), strict=True)) == sorted(
        (character, count) for character, count in expected.items() if not character.isspace()
    )


# --- parts of a pretrained vocabulary ---

BASE = Vocabulary(
    ("[unused1]", "中", "##中", "国", "##国", *SPECIAL_TOKENS, "ab", "##ab", "##c", "人", "##人", "a", "##a")
)


def cut(used: dict[str, int], **options: int) -> list[str]:
    numbers = np.array([used.get(token, 0) for token in BASE.tokens], np.int64)
    return [BASE.tokens[token] for token in cut_vocabulary(BASE, numbers, **options)]


@pytest.mark.parametrize(
    ("used", "options", "expected"),
    [
        ({}, {}, []),
        ({"ab": 3, "##c": 3, "[UNK]": 9, "[CLS]": 1}, {}, ["##c", "ab"]),
        ({"国": 5, "中": 5, "ab": 7}, {}, ["ab", "中", "国", "##中", "##国"]),  # a character may stand inside of a word
        ({"国": 5, "##国": 1, "a": 2}, {"min_count": 2}, ["国", "a", "##国", "##a"]),
        ({"国": 5, "##国": 9}, {}, ["##国", "国"]),
        ({"中": 5, "国": 4, "ab": 3}, {"size": 8}, ["中", "国", "ab"]),
        ({"中": 5, "国": 4, "ab": 3}, {"size": 9}, ["中", "国", "ab", "##中"]),
        ({"中": 5, "国": 4, "ab": 3}, {"size": 6}, ["中"]),
        ({"中": 5}, {"size": 5}, []),
    ],
)
def test_the_used_part_of_a_vocabulary(used: dict[str, int], options: dict[str, int], expected: list[str]) -> None:
    assert cut(used, **options) == [*SPECIAL_TOKENS, *expected]


pieces = st.lists(st.text("ab中国e+", min_size=1, max_size=3), max_size=12)


@given(pieces, pieces, st.dictionaries(st.text("abAB中国éx+", min_size=1, max_size=6), counts, min_size=1))
def test_counted_words_are_cut_as_before(heads: list[str], tails: list[str], table: dict[str, int]) -> None:
    base = Vocabulary(tuple(dict.fromkeys(["ab", *SPECIAL_TOKENS, *heads, *(f"##{tail}" for tail in tails)])))
    before = WordPiece(base)
    totals = before.count(list(table), np.array(list(table.values()), np.int64))
    kept = cut_vocabulary(base, totals)
    after = WordPiece(Vocabulary(tuple(base.tokens[token] for token in kept)))
    for old, new in zip(before.tokenize(list(table)), after.tokenize(list(table)), strict=True):
        assert [kept[token] for token in new.ids.tolist()] == old.ids.tolist()
    ranks = [(-int(totals[token]), base.tokens[token]) for token in kept[5:]]
    assert ranks == sorted(ranks)
    assert len({*kept}) == len(kept)


# --- weights and stop words ---


def loaded_by_jieba(lines: list[str]) -> dict[str, float]:
    from jieba.analyse.tfidf import IDFLoader  # which leaves files open, as it is imported too

    with tempfile.NamedTemporaryFile() as file:
        file.write("".join(lines).encode())
        file.flush()
        weights: dict[str, float] = IDFLoader(file.name).get_idf()[0]
        return weights


texts = st.text(min_size=1, max_size=5) | st.text(SPACES + "中a\ufeff\x00", min_size=1, max_size=4)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@given(st.dictionaries(texts, st.integers(1, 50)), st.integers(50, 10_000))
def test_jieba_reads_each_word_with_its_weight(frequencies: dict[str, int], documents: int) -> None:
    numbers = np.array(list(frequencies.values()), np.int64)
    lines = idf_lines(["的", *frequencies], np.array([50, *numbers.tolist()], np.int64), documents=documents)
    expected = {"的": 50, **{word: count for word, count in frequencies.items() if not set(word) & set(SPACES)}}
    if "的" in frequencies:  # it stands twice then, and jieba takes the last one
        expected["的"] = frequencies["的"]
    weights = loaded_by_jieba(lines)
    assert weights.keys() == expected.keys()
    for word, frequency in expected.items():
        assert weights[word] == pytest.approx(math.log(documents / frequency), abs=1e-9)


@pytest.mark.parametrize("content", ["的\n了\n\nthe end\n", "\ufeff的\r\n 了\t\r\n\r\nthe end"])
def test_stop_words(tmp_path: Path, content: str) -> None:
    (tmp_path / "stop.txt").write_bytes(content.encode())
    assert read_stop_words(tmp_path / "stop.txt") == {"的", "了", "the end"}


def test_stop_words_that_are_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "stop.txt").write_bytes("的\n了\n".encode("gb18030"))
    with pytest.raises(ValueError, match=f"^{tmp_path}/stop.txt: line 1: not UTF-8"):
        read_stop_words(tmp_path / "stop.txt")


def test_training_machines_need_neither_arrow_nor_numba() -> None:
    program = "import sys, transforms.vocabulary; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())
    assert {"numpy", "transforms"} <= loaded
    assert loaded & {"pyarrow", "numba", "llvmlite", "jieba", "pipelines", "tokenizers"} == set()
