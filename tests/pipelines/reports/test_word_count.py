"""The report: what it tells, that nothing in the data can break or steer the page, and that it stands alone."""

import json
import logging
import os
import re
import tracemalloc
from collections.abc import Mapping, Sequence
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
from pipelines.reports.word_count import vocabulary_growth, write_report
from tests.pipelines.command import hanmill
from tests.pipelines.page import Page

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


def page(directory: Path, **options: Any) -> Page:
    return Page(write_report(finished(directory, **options)))


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
    curves = [data for data in page(tmp_path, rows=rows, parts=3).data("x", "y") if data["x"][0] == 1]
    dashed, data = sorted(curves, key=lambda curve: len(curve["x"]))
    assert 200 < len(data["x"]) <= 400
    assert data["y"] == [counts[rank - 1] for rank in data["x"]]
    assert (data["x"][-1], data["x"][:20]) == (9000, list(range(1, 21)))
    assert dashed == {"x": [1, 9000], "y": [20_000, 20_000 / 9000]}


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
    one, five = page(tmp_path, rows=[("一", 1, 1)]), page(tmp_path)
    assert len(one.data("x", "y")) == 3  # Zipf, its dashed line, growth
    hidden = {"type": "value", "value": 0.0}
    points = [
        [model["attributes"].get("fill_alpha") for model in made.models if model["name"] == "Scatter"]
        for made in (one, five)
    ]
    assert [found.count(hidden) for found in points] == [1, 2]  # a line of one point is not seen, so the point is


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
    charts = [data["name"] for data in hostile.data("name") if "map" not in data["name"]]
    assert [sorted(names) for names in charts] == 3 * [sorted(HOSTILE)]
    assert "Word counts of a<i>b" in hostile.text
    assert "Abacus <3>" in hostile.text


def test_words_are_no_formulas(tmp_path: Path) -> None:
    """A label that is a mere string may be TeX to Bokeh, which fetches what sets it from the network."""
    made = page(tmp_path, rows=[("$$x$$", 2, 1), (r"\(x\)", 1, 1)])
    labels = [model["attributes"]["major_label_overrides"]["entries"] for model in made.models if has_labels(model)]
    assert {label["name"] for entries in labels for _, label in entries} == {"PlainText"}
    assert {label["attributes"]["text"] for entries in labels for _, label in entries} >= {"$$x$$", r"\(x\)"}


def has_labels(model: Mapping[str, Any]) -> bool:
    return "major_label_overrides" in model.get("attributes", {})


def test_words_that_look_alike_stay_apart(tmp_path: Path) -> None:
    rows = [("长" * 500 + end, 9 - rank, 1) for rank, end in enumerate("甲乙丙")]
    made = page(tmp_path, rows=rows)
    chart = made.bars("长" * 39 + "…")
    assert (chart["rank"], chart["value"]) == ([1, 2, 3], [9, 8, 7])
    assert [row[1] for row in made.rows if len(row) == 5][1:] == 3 * ["长" * 39 + "…"]


def test_labels(tmp_path: Path) -> None:
    labels = {f"l{rank}": {"documents": rank, "tokens": 2000 - rank} for rank in range(1, 1001)}
    made = page(tmp_path, labels=labels)
    assert "The 40 largest of 1,000 labels, ordered by documents." in made.text
    documents, tokens = (data for data in made.data("name") if "l1000" in data["name"])
    assert documents["name"] == tokens["name"] == [f"l{rank}" for rank in range(1000, 960, -1)]
    assert sorted([documents["value"][0], tokens["value"][0]]) == [1000, 1000]
    assert sorted([documents["value"][39], tokens["value"][39]]) == [961, 1039]


@pytest.mark.parametrize(
    ("labels", "told", "bars"),
    [
        (None, "Over 1,000 labels: too many to draw.", []),
        ({}, None, []),
        ({"": {"documents": 3, "tokens": 9}}, None, []),
        ({"体育": {"documents": 3, "tokens": 9}}, "1 label, ordered by documents.", ["体育"]),
        ({"体育": {"documents": 0, "tokens": 0}}, "1 label, ordered by documents.", ["体育"]),
        (
            {"": {"documents": 3, "tokens": 9}, "体育": {"documents": 3, "tokens": 9}},
            "2 labels, ordered by documents.",
            ["no label", "体育"],
        ),
    ],
)
def test_few_or_no_labels(tmp_path: Path, labels: Any, told: str | None, bars: list[str]) -> None:
    made = page(tmp_path, labels=labels)
    assert ("Labels" in made.text) == (told is not None)
    assert (told or "") in made.text
    charts = [data["name"] for data in made.data("name") if not {"map", "的"} & set(data["name"])]
    assert charts == ([bars, bars] if bars else [])
    ranges = [model.get("attributes", {}) for model in made.models if model["name"] == "Range1d"]
    assert all(axis.get("start", 0) != axis.get("end", 1) for axis in ranges)  # an axis from 0 to 0 draws nothing


@pytest.mark.parametrize(("kept", "told"), [(0, False), (4, True)])
def test_stages_in_the_order_of_the_run(tmp_path: Path, kept: int, told: bool) -> None:
    made = page(tmp_path, kept=kept)
    chart = made.bars("map")
    assert chart["name"] == ["list", "map", "reduce", "finish"]
    assert chart["text"] == ["0.5 s", "70.0 s", "3.2 s", "1.2 s"]
    assert ("4 of 9 shards were kept from earlier runs" in made.text) == told
    assert (made.row("documents per second"), made.row("shards kept")) == (
        ["documents per second", "16.5"],
        ["shards kept", str(kept)],
    )


def test_dead_letters(tmp_path: Path) -> None:
    dead = [{"source": f"f{item}", "offset": 7 * item, "reason": f"not UTF-8: byte {item}"} for item in range(30)]
    dead += [{"source": "g", "offset": 0, "reason": "no field"}] * 2
    made = page(tmp_path, dead=dead)
    reasons = made.rows.index(["Records", "Reason"])
    assert made.rows[reasons + 1 : reasons + 3] == [["30", "not UTF-8: byte #"], ["2", "no field"]]
    assert len(made.rows[reasons + 3]) == 3
    letters = [row for row in made.rows if len(row) == 3]
    assert letters == [
        ["Source", "Offset", "Reason"],
        *([f"f{item}", str(7 * item), f"not UTF-8: byte {item}"] for item in range(20)),
    ]
    assert "the first 20 of 32" in made.text
    assert "rarer" not in made.text


def test_many_reasons_are_cut(tmp_path: Path) -> None:
    dead = [{"source": "f", "offset": 0, "reason": f"no field {chr(0x4E00 + item)}"} for item in range(25)]
    assert "5 rarer reasons are not shown" in page(tmp_path, dead=dead).text


def test_no_dead_letters(tmp_path: Path) -> None:
    assert "None: every record was counted." in page(tmp_path).text


def test_configuration_environment_and_command(tmp_path: Path) -> None:
    made = page(tmp_path, min_count=2)
    for name, told in {
        "tokenizer": "words",
        "hmm": "yes",
        "by_label": "no",
        "dictionary": "5f" * 32,
        "min_count": "2",
        "bytes": "56,700,000",
        "encodings": "auto 77",
        "cores": "3",
        "packages": "numpy 2.4.6",
    }.items():
        assert made.row(name) == [name, told]
    assert "hanmill count 'a folder' --out counts" in made.text


def test_the_page_stands_alone(tmp_path: Path) -> None:
    made = page(tmp_path, labels={"a": {"documents": 1, "tokens": 1}})
    loading = [(name, value) for name, value in made.attributes if name in ("src", "href", "data", "srcset", "action")]
    assert loading == []
    assert made.tags["link"] == made.tags["iframe"] == made.tags["object"] == 0
    [style] = re.findall(r"<style>(.*?)</style>", made.source, re.DOTALL)
    assert not re.search(r"url\(|@import|https?:", style)
    [policy] = [value for name, value in made.attributes if name == "content" and "default-src" in (value or "")]
    assert policy
    assert policy.split(";")[0] == "default-src 'none'"
    assert not re.search(r"https?:|\*|unsafe-eval|connect-src", policy)
    assert len(made.source) < 3_000_000


def test_chinese_fonts_come_first(tmp_path: Path) -> None:
    made = page(tmp_path)
    fonts = {
        font["value"] if isinstance(font, dict) else font
        for model in made.models
        for name, font in model.get("attributes", {}).items()
        if name.endswith("text_font")
    }
    assert fonts == {"Noto Sans CJK SC, Noto Sans SC, PingFang SC, Microsoft YaHei, sans-serif"}


def test_an_old_report_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(tmp_path)
    path = write_report(tmp_path)
    assert path == tmp_path / "report.html"
    before = path.read_bytes()
    files = sorted(os.listdir(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
        with pytest.raises(OSError, match="the disk is full"):
            write_report(tmp_path)
    assert (path.read_bytes(), sorted(os.listdir(tmp_path))) == (before, files)
    finished(tmp_path, tokens=4321)
    write_report(tmp_path)
    assert b"4,321" in path.read_bytes()
    assert sorted(os.listdir(tmp_path)) == files


@pytest.mark.parametrize(
    "name", ["manifest.json", "run.json", "word_counts-00001-of-00002.parquet", "dead_letters.jsonl"]
)
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_file_that_is_missing_or_damaged_is_named(tmp_path: Path, name: str, damage: str) -> None:
    finished(tmp_path, parts=2, dead=[{"source": "s", "offset": 0, "reason": "r"}])
    if damage == "missing":
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-5])
    with pytest.raises(InputError, match=rf"{re.escape(str(tmp_path / name))}.*run the (count|command) again"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    directory = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    dead = [{"source": "\ud800", "offset": 0, "reason": "a lone \udcff"}]
    made = page(directory, dead=dead, labels={"\udcff": {"documents": 1, "tokens": 1}})
    assert r"Word counts of \udcff" in made.text
    assert [row[0] for row in made.rows if len(row) == 3][1:] == [r"\ud800"]


def test_memory_does_not_hold_the_words(tmp_path: Path) -> None:
    rows = [(f"word {rank:040}", 1, 1) for rank in range(200_000)]
    finished(tmp_path, rows=ROWS)
    write_report(tmp_path)  # what Bokeh loads once
    peaks = []
    for some in (rows[:100], rows):
        finished(tmp_path, rows=some)
        tracemalloc.start()
        write_report(tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 8 << 20  # the words alone are 18 MB


def test_what_a_count_leaves_behind_can_be_reported(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    for name, text in {"体育/0.txt": "中国队夺得冠军", "财经/1.txt": "中国的经济，中国"}.items():
        (corpus / name).parent.mkdir(parents=True)
        (corpus / name).write_text(text)
    (corpus / "财经" / "2.txt").write_bytes(b"\xff\xff")
    options = ["--workers", 1, "--max-bad-records", 1]
    result = hanmill("count", corpus, "--out", tmp_path / "out", *options)
    assert (result.code, f"report: {tmp_path / 'out' / 'report.html'}" in result.out) == (0, True)
    made = Page(write_report(tmp_path / "out"))
    assert "Documents 2" in made.text
    assert "Dead letters 1" in made.text
    assert [row[:3] for row in made.rows if len(row) == 5][1] == ["1", "中国", "2"]
    assert [data["name"] for data in made.data("name") if "体育" in data["name"]] == 2 * [["体育", "财经"]]
