"""Hypothesis strategies: texts full of the corners of segmentation, made-up dictionaries, runs of counts."""

import functools
import importlib.util
from pathlib import Path

import pyarrow as pa
from hypothesis import strategies as st

from transforms.word_counts import LABELLED_RUN, RUN

HAN = "中国人民的一是在有了大学生上海北京研究所为不和地发"
BORDERS = "\u4dff\u4e00\u4e01\u9fd4\u9fd5\u9fd6\u9fff\u3400\uf900龘靐齉鿃"
ASTRAL = "𠀀𠮷😀𝒜\U00010000\U0010ffff"
SURROGATES = "\ud800\udbff\udc00\udfff"
SPACES = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000"
NO_SPACES = "\x00\x07\x1b\x7f\u180e\u200b\u200d\u2060\ufeff\uffff"
COMBINING = "\u0300\u0301\u20e3\u3099\ufe0f"
LETTERS = "abzABZéßτ019²٣"
SYMBOLS = "+#&._%-"
FULL_WIDTH = "Ａｚ０９．％＋－＿＃＆，。！？（）《》、"
PIECES = (
    "3.5%", "3.5.7%%", "100%", ".5", "5.", "a.5", "a.b", "1.5e-3", "C++", "C#", "T恤", "AT&T", "A-B", "x_y", "B超",
    "卡拉OK", "\r\n", "\r", "\n\r", "\r\r\n", "中·国", "大 学", "...", "--", "%.", "e\u0301", "1\u20e3",
    "\ufeff中", "中\u200b国",
)  # fmt: skip

_ALL = HAN + BORDERS + ASTRAL + SPACES + NO_SPACES + COMBINING + LETTERS + SYMBOLS + FULL_WIDTH
_MADE_UP = "中国人民大学a1+.%"


@functools.cache
def stock_words() -> tuple[str, ...]:
    """The words of jieba's dictionary, in the file's order."""
    found = importlib.util.find_spec("jieba")
    assert found is not None
    assert found.origin is not None
    lines = Path(found.origin).with_name("dict.txt").read_text(encoding="utf-8").split("\n")
    return tuple(dict.fromkeys(line.split(" ")[0] for line in lines if line))


def texts(*, surrogates: bool = False, max_pieces: int = 24) -> st.SearchStrategy[str]:
    """Texts that mix every class of character with whole dictionary words; `surrogates` adds lone ones."""
    choices = [
        st.sampled_from(HAN),
        st.sampled_from(_ALL + (SURROGATES if surrogates else "")),
        st.sampled_from(LETTERS + SYMBOLS),
        st.sampled_from(PIECES),
        st.deferred(lambda: st.sampled_from(stock_words())),
        st.characters(exclude_categories=()) if surrogates else st.characters(exclude_categories=["Cs"]),
    ]
    return st.lists(st.one_of(choices), max_size=max_pieces).map("".join)


def any_text(*, min_size: int = 0, max_size: int | None = None) -> st.SearchStrategy[str]:
    """Any string that Python can hold, lone surrogates included."""
    return st.text(st.characters(exclude_categories=()), min_size=min_size, max_size=max_size)


made_up_words = st.text(_MADE_UP, min_size=1, max_size=4)
made_up_texts = st.lists(st.text(_MADE_UP + " ·\n龘", max_size=12) | made_up_words, max_size=6).map("".join)


@st.composite
def base_dictionaries(draw: st.DrawFn) -> bytes:
    """A small dictionary in jieba's format: frequencies that tie, frequency 0, words that stand twice, a BOM."""
    entries = draw(st.lists(st.tuples(made_up_words, st.integers(0, 20)), max_size=20))
    entries.insert(0, draw(st.tuples(made_up_words, st.integers(1, 20))))
    lines = [f"{word} {frequency}{draw(st.sampled_from(['', ' n']))}" for word, frequency in entries]
    return (draw(st.sampled_from(["", "\ufeff"])) + "\n".join(lines) + "\n").encode()


@st.composite
def user_dictionaries(draw: st.DrawFn) -> bytes:
    """A small user dictionary: with and without frequency or tag, frequency 0, blanks and dots inside, BOMs, CR LF."""
    words = made_up_words | st.text(_MADE_UP + " ·\u3000", min_size=1, max_size=4)
    frequencies = st.sampled_from(["", "", " 0", " 0", " 1", " 3", " 20", " 500"])
    line = st.tuples(st.sampled_from(["", "", "\ufeff"]), words, frequencies, st.sampled_from(["", " n"])).map("".join)
    return draw(st.lists(line | st.just(""), max_size=8).map(draw(st.sampled_from(["\n", "\r\n"])).join)).encode()


Rows = list[tuple[str, str, int, int]]


@st.composite
def counted_runs(draw: st.DrawFn, *, labelled: bool) -> tuple[Rows, list[list[pa.Table]]]:
    """Rows (word, label, count, documents) and the same rows as sorted runs, each cut into tables anywhere."""
    keys = st.tuples(
        st.text("ab中国\uffff\U00020000", min_size=1, max_size=2), st.sampled_from("xyz" if labelled else "x")
    )
    numbers = st.tuples(st.integers(1, 1 << 40), st.integers(1, 1 << 20))
    rows: Rows = []
    runs: list[list[pa.Table]] = []
    for run in draw(st.lists(st.dictionaries(keys, numbers, max_size=20), max_size=5)):
        ordered = [(*key, *run[key]) for key in sorted(run)]
        rows += ordered
        bounds = sorted(draw(st.lists(st.integers(0, len(ordered)), max_size=4)))
        pieces = [ordered[low:high] for low, high in zip([0, *bounds], [*bounds, len(ordered)], strict=True)]
        runs.append([counts_table(piece, labelled=labelled) for piece in pieces])
    return rows, runs


def counts_table(rows: Rows, *, labelled: bool) -> pa.Table:
    """Rows as a table of counts."""
    columns = {
        name: [row[column] for row in rows] for column, name in enumerate(("word", "label", "count", "documents"))
    }
    if not labelled:
        del columns["label"]
    return pa.table(columns, schema=LABELLED_RUN if labelled else RUN)
