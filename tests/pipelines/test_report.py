"""The report: what it tells, that nothing in the data can break or steer the page, and that it stands alone."""

import html
import json
import logging
import os
import re
import tracemalloc
from collections import Counter
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.report import shown, vocabulary_growth, write_report
from tests.pipelines.command import hanmill

Row = tuple[str, int, int]
ROWS: list[Row] = [("的", 50, 9), ("中国", 30, 8), ("经济", 10, 5), ("市场", 1, 1), ("银行", 1, 1)]


@pytest.fixture(autouse=True)
def no_complaints(caplog: pytest.LogCaptureFixture) -> Any:
    """Bokeh only logs what is wrong with a figure."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def finished(
    directory: Path,
    *,
    rows: Sequence[Row] = ROWS,
    parts: int = 1,
    tokens: int | None = None,
    min_count: int = 1,
    labels: Mapping[str, Mapping[str, int]] | None = None,
    dead: Sequence[Mapping[str, Any]] = (),
    kept: int = 0,
) -> Path:
    """A finished output directory with these counts."""
    directory.mkdir(exist_ok=True)
    names = [f"word_counts-{part:05}-of-{parts:05}.parquet" for part in range(parts)]
    for name, chosen in zip(names, np.array_split(np.arange(len(rows)), parts), strict=True):
        columns = [pa.array([rows[row][column] for row in chosen], kind) for column, kind in enumerate(KINDS)]
        with (directory / name).open("wb") as file:
            pq.write_table(pa.table(dict(zip(("word", "count", "documents"), columns, strict=True))), file)
    (directory / "dead_letters.jsonl").write_text("".join(json.dumps(letter) + "\n" for letter in dead))
    tokens = sum(row[1] for row in rows) if tokens is None else tokens
    configuration = {"tokenizer": "words", "hmm": True, "dictionary": "5f" * 32, "by_label": False}
    manifest = {
        "job": "word_count",
        "configuration": configuration,
        "min_count": min_count,
        "totals": {
            "documents": 1234, "tokens": tokens, "words": len(rows), "bytes": 56_700_000, "dead_letters": len(dead)
        },
        "labels": labels,
        "inputs": {"files": 77, "bytes": 56_700_000, "sha256": "ab" * 32, "encodings": {"auto": 77}},
        "parts": [{"name": name, "sha256": "0" * 64, "bytes": 1, "records": 1} for name in names],
        "dead_letters": {"name": "dead_letters.jsonl", "sha256": "", "bytes": 1, "records": 1} if dead else None,
    }  # fmt: skip
    run = {
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:05:20+00:00",
        "seconds": 75.0,
        "engine": "local",
        "workers": 3,
        "stages": {"finish": 1.25, "list": 0.5, "map": 70.0, "reduce": 3.25},
        "shards": {"total": 9, "counted": 9 - kept, "kept": kept},
        "documents_per_second": 16.5,
        "bytes_per_second": 98_700_000.0,
        "environment": {"hanmill": "0.1.0", "processor": "Abacus <3>", "cores": 3, "packages": {"numpy": "2.4.6"}},
        "command": ["hanmill", "count", "a folder", "--out", "counts"],
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))
    (directory / "run.json").write_text(json.dumps(run))
    return directory


KINDS = (pa.string(), pa.int64(), pa.int64())


class Page(HTMLParser):
    """What a browser makes of a page: elements, text that is seen, rows of tables, and the data of the charts."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.path = write_report(directory)
        self.source = self.path.read_text("utf-8")
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self._cell = False
        self.feed(self.source)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += attrs
        self._open = [tag] if tag in ("script", "style") else []
        self._cell = tag in ("td", "th")
        if tag == "tr":
            self.rows.append([])
        if self._cell:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = []
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if not self._open:
            self.texts.append(data)
        if self._cell:
            self.rows[-1][-1] += data

    def row(self, first: str) -> list[str]:
        [found] = [row for row in self.rows if row[0] == first]
        return found

    @property
    def models(self) -> list[dict[str, Any]]:
        """Every Bokeh model in the page, as JavaScript reads it."""
        found = re.search(r"const docs_json = '(.*)';", self.source)
        assert found
        [document] = json.loads(html.unescape(found[1].replace("\\\\", "\\"))).values()
        models: list[dict[str, Any]] = []
        remaining: list[Any] = [document]
        while remaining:
            value = remaining.pop()
            if isinstance(value, dict):
                models += [value] if value.get("type") == "object" else []
                remaining += value.values()
            elif isinstance(value, list):
                remaining += value
        return models

    def data(self, *columns: str) -> list[dict[str, Any]]:
        """The columns of each chart that has them."""
        sources = [model["attributes"]["data"] for model in self.models if model["name"] == "ColumnDataSource"]
        return [dict(source["entries"]) for source in sources if set(columns) <= set(dict(source["entries"]))]

    def bars(self, *names: str) -> dict[str, Any]:
        """The bar chart with these names."""
        [found] = [data for data in self.data("name") if set(names) <= set(data["name"])]
        return found


def page(directory: Path, **options: Any) -> Page:
    return Page(finished(directory, **options))


def test_key_figures(tmp_path: Path) -> None:
    text = page(tmp_path, tokens=98_765).text
    for told in ("Documents 1,234", "Tokens 98,765", "words 5", "MB of text 56.7", "MB/s 98.7", "Dead letters 0"):
        assert told in text
    assert f"Word counts of {tmp_path.name}" in text
    assert "77 files, finished 2026-01-02 03:05 after 1 min 15 s on 3 workers (local)" in text


def test_top_words_go_on_from_part_to_part(tmp_path: Path) -> None:
    rows = [(f"词{rank}", 1000 - rank, 70 - rank) for rank in range(1, 61)]
    made = page(tmp_path, rows=rows, parts=4, tokens=100_000)
    table = [row for row in made.rows if len(row) == 5]
    assert table[0] == ["Rank", "Word", "Count", "Share of tokens", "Documents"]
    assert [row[1] for row in table[1:]] == [f"词{rank}" for rank in range(1, 51)]
    assert table[50] == ["50", "词50", "950", "0.950 %", "20"]
    chart = made.bars("词1")
    assert chart["name"] == [f"词{rank}" for rank in range(1, 41)]
    assert (chart["value"][39], chart["share"][39], chart["documents"][39]) == (960, "0.960%", "30")


def test_zipf_curve_is_thin_and_true(tmp_path: Path) -> None:
    counts = sorted((20_000 // rank for rank in range(1, 9001)), reverse=True)
    rows = [(f"w{rank}", count, 1) for rank, count in enumerate(counts)]
    [data] = [data for data in page(tmp_path, rows=rows, parts=3).data("x", "y") if data["x"][0] == 1]
    assert 200 < len(data["x"]) <= 400
    assert data["y"] == [counts[rank - 1] for rank in data["x"]]
    assert (data["x"][-1], data["x"][:20]) == (9000, list(range(1, 21)))


def test_growth_curve(tmp_path: Path) -> None:
    [data] = [data for data in page(tmp_path, tokens=200).data("x", "y") if data["x"][0] == 0]
    assert len(data["x"]) == 60
    assert (data["x"][-1], data["y"][0], data["y"][-1]) == (200, 0, 5)
    assert data["y"] == sorted(data["y"])


CORPORA = st.lists(st.integers(1, 40), min_size=1, max_size=30)


@given(CORPORA, st.integers(0, 50))
def test_growth_is_the_expected_number_of_words(counts: list[int], dropped: int) -> None:
    tokens = sum(counts) + dropped
    distinct, words = np.unique(counts, return_counts=True)
    sizes = list(range(tokens + 1))
    growth = vocabulary_growth(distinct, words, tokens=tokens, sizes=sizes)
    assert growth == pytest.approx([sum(1 - (1 - size / tokens) ** count for count in counts) for size in sizes])
    assert (growth[0], growth[-1]) == (0, len(counts))
    for size in sizes:  # a sample without replacement sees somewhat more, by at most a word in some tokens
        exact = sum(1 - comb(tokens - count, size) / comb(tokens, size) for count in counts)
        assert growth[size] <= exact + 1e-9
    singles = vocabulary_growth(np.array([1]), np.array([tokens]), tokens=tokens, sizes=sizes)
    assert singles == pytest.approx(sizes)


def test_growth_of_billions_is_not_rounded_away() -> None:
    [once] = vocabulary_growth(np.array([1]), np.array([10**9]), tokens=10**12, sizes=[1000])
    assert once == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize(("min_count", "told"), [(1, False), (5, True)])
def test_dropped_words_are_told_of(tmp_path: Path, min_count: int, told: bool) -> None:
    text = page(tmp_path, min_count=min_count, tokens=1000).text
    assert ("A lower bound: words that occur fewer than 5 times were dropped." in text) == told
    assert ("lower bound" in text) == told


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize(("tokens", "told"), [(0, "nothing was counted"), (7, "each occurs fewer than 3 times")])
def test_no_words(tmp_path: Path, parts: int, tokens: int, told: str) -> None:
    made = page(tmp_path, rows=[], parts=parts, tokens=tokens, min_count=3, labels={})
    assert told in made.text
    assert "Zipf" not in made.text
    assert made.bars("map")["value"] == [0.5, 70.0, 3.25, 1.25]


def test_one_word(tmp_path: Path) -> None:
    assert len(page(tmp_path, rows=[("一", 1, 1)]).data("x", "y")) == 3  # Zipf, its dashed line, growth


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "--><!--",
    "&lt;b&gt;&#39;'\"\\",
    "{{ 7 * 7 }}{% raw %}",
    "$$x^2$$",
    r"\(x\)",
    "';alert(3)//",
    "@name{safe}",
]


def test_words_and_labels_and_reasons_stay_text(tmp_path: Path) -> None:
    rows = [(word, 100 - rank, 1) for rank, word in enumerate(HOSTILE)]
    labels = {text: {"documents": 1, "tokens": 2} for text in HOSTILE}
    dead = [{"source": text, "offset": 3, "reason": text + "!"} for text in HOSTILE]
    (tmp_path / "plain").mkdir()
    hostile = page(tmp_path / "a<i>b", rows=rows, labels=labels, dead=dead)
    plain = page(
        tmp_path / "plain",
        rows=[(f"w{rank}", count, 1) for rank, (_, count, _) in enumerate(rows)],
        labels={f"l{rank}": label for rank, label in enumerate(labels.values())},
        dead=[{"source": "s", "offset": 3, "reason": "abcdefghi"[rank]} for rank in range(len(dead))],
    )
    assert hostile.tags == plain.tags  # no element came from the data
    assert {name for name, _ in hostile.attributes} == {name for name, _ in plain.attributes}
    assert {row[1] for row in hostile.rows if len(row) == 5} == {"Word", *HOSTILE}
    assert {(row[0], row[2]) for row in hostile.rows if len(row) == 3} >= {(text, text + "!") for text in HOSTILE}
    assert set(hostile.bars(HOSTILE[0], "w0" if "w0" in HOSTILE else HOSTILE[1])["name"]) == set(HOSTILE)
    assert hostile.text.startswith("a<i>b")
    assert "Abacus <3>" in hostile.text
