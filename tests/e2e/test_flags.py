"""Every flag of `hanmill count`, every exit code, and what a user reads when something is wrong."""

import gzip
import itertools
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import word_count
from tests.pipelines.command import (
    ROOT,
    Result,
    count,
    data_of,
    dead_letters,
    hanmill,
    manifest,
    process,
    run_json,
    table,
    words,
)
from transforms.segmentation import Segmenter

pytestmark = pytest.mark.usefixtures("unsynced")

TEXTS = {
    "财经/1.txt": "央行下调存款准备金率，银行贷款利率随之下降。\n经济增长3.5%",
    "财经/2.txt": "投资者看好市场，A股上涨。",
    "体育/1.txt": "火箭队主场击败湖人队，姚明得到30分。",
    "体育/深/2.md": "比赛将在北京清华大学举行。市场反应热烈",
    "3.txt": "标题\n正文",
}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Five documents of three labels: 财经, 体育, and corpus."""
    return write(tmp_path / "corpus", TEXTS)


def write(top: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return top


def expected(texts: Iterable[str], *, documents: bool = False, **options: Any) -> Counter[str]:
    """The plain loop: tokens that are white space alone are not counted."""
    cut = Segmenter(**options).cut
    tokens = ([token for token in cut(text) if not token.isspace()] for text in texts)
    return Counter(itertools.chain.from_iterable(map(set, tokens) if documents else tokens))  # type: ignore[arg-type]


def done(result: Result) -> Result:
    assert result.code == 0, result.err
    return result


# One run, looked at from all sides


def test_a_count_of_a_directory(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = done(count(corpus, "--out", out))
    wanted = expected(TEXTS.values())
    assert words(out) == wanted
    found = table(out)
    assert found.column_names == ["word", "count", "documents"]
    assert [str(column.type) for column in found.columns] == ["string", "int64", "int64"]
    assert found["word"].to_pylist() == sorted(wanted, key=lambda word: (-wanted[word], word))
    in_documents = expected(TEXTS.values(), documents=True)
    assert found["documents"].to_pylist() == [in_documents[word] for word in found["word"].to_pylist()]
    assert sorted(path.name for path in out.iterdir()) == [
        "_SUCCESS",
        "_shards",
        "manifest.json",
        "run.json",
        "word_counts-00000-of-00001.parquet",
    ]
    totals = manifest(out)["totals"]
    size = sum(len(text.encode()) for text in TEXTS.values())
    assert totals == {"documents": 5, "tokens": wanted.total(), "bytes": size, "dead_letters": 0, "words": len(wanted)}
    assert manifest(out)["inputs"]["files"] == 5
    assert manifest(out)["labels"].keys() == {"财经", "体育", "corpus"}
    assert f"5 documents, {wanted.total()} tokens, {len(wanted)} words\n" in result.out
    assert f"counts: {out}/word_counts-00000-of-00001.parquet" in result.out
    assert result.err.startswith("hanmill: 1 shard to count, 0.0 MB\n")


def test_two_processes_and_a_report(corpus: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    done(count(corpus, "--out", one))
    result = done(process("count", corpus, "--out", two, "--workers", "2"))
    assert data_of(two) == data_of(one)
    assert f"report: {two}/report.html" in result.out
    assert "2 workers" in result.out
    assert "<html" in (two / "report.html").read_text("utf-8")
    assert run_json(two)["command"][1:3] == ["count", str(corpus)]
    assert process("count", corpus, "--out", two).out.startswith(f"{two}: up to date, nothing to do\n")


def test_the_output_opens_in_all_the_usual_readers(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(count(corpus, "--out", out, "--by-label"))
    part = str(out / "word_counts-00000-of-00001.parquet")
    columns = ["word", "count", "documents", "count:corpus", "count:体育", "count:财经"]
    rows = [tuple(row.values()) for row in pq.read_table(part).to_pylist()]
    pandas = pytest.importorskip("pandas").read_parquet(part)
    assert (list(pandas.columns), [tuple(row) for row in pandas.itertuples(index=False)]) == (columns, rows)
    assert [str(kind) for kind in pandas.dtypes[1:]] == ["int64"] * 5
    polars = pytest.importorskip("polars").read_parquet(part)
    assert (polars.columns, polars.rows()) == (columns, rows)
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.connect().sql(f"select * from '{out}/*.parquet'")
    assert (relation.columns, relation.fetchall()) == (columns, rows)


# Flags


def test_by_label(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(count(corpus, "--out", out, "--by-label"))
    assert words(out) == expected(TEXTS.values())
    found = table(out).to_pydict()
    for label, prefix in (("财经", "财经/"), ("体育", "体育/"), ("corpus", "3.")):
        wanted = expected(text for name, text in TEXTS.items() if name.startswith(prefix))
        column = dict(zip(found["word"], found[f"count:{label}"], strict=True))
        assert {word: number for word, number in column.items() if number} == wanted
        assert manifest(out)["labels"][label] == {
            "documents": sum(name.startswith(prefix) for name in TEXTS),
            "tokens": wanted.total(),
        }


def test_more_labels_than_columns_are_made_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert word_count.MOST_LABELS == 1000
    monkeypatch.setattr(word_count, "MOST_LABELS", 10)
    lines = [f"标签{number}\t正文" for number in range(11)]
    (tmp_path / "a.tsv").write_text("\n".join(lines))
    result = count(tmp_path / "a.tsv", "--out", tmp_path / "out", "--by-label")
    message = "hanmill: 11 labels: --by-label makes a column for each, at most 10; count without"
    assert (result.code, result.err.splitlines()[-1]) == (3, message)
    assert not (tmp_path / "out/_SUCCESS").exists()
    done(count(tmp_path / "a.tsv", "--out", tmp_path / "many"))
    assert manifest(tmp_path / "many")["labels"] is None
    assert words(tmp_path / "many") == {"正文": 11}
    (tmp_path / "a.tsv").write_text("\n".join(lines[:10]))
    done(count(tmp_path / "a.tsv", "--out", tmp_path / "out", "--by-label"))
    assert len(table(tmp_path / "out").column_names) == 13


def test_min_count_changes_without_counting_again(tmp_path: Path) -> None:
    write(tmp_path / "corpus", {f"{number}.txt": "中国 " * number for number in range(3)} | {"a.txt": "人民 北京"})
    out, again = tmp_path / "out", tmp_path / "again"
    done(count(tmp_path / "corpus", "--out", out, "--min-count", 2))
    assert words(out) == {"中国": 3}
    assert run_json(out)["shards"] == {"total": 1, "counted": 1, "kept": 0}
    assert manifest(out)["totals"]["tokens"] == 5
    done(count(tmp_path / "corpus", "--out", out))
    assert words(out) == {"中国": 3, "人民": 1, "北京": 1}
    assert run_json(out)["shards"] == {"total": 1, "counted": 0, "kept": 1}
    done(count(tmp_path / "corpus", "--out", out, "--min-count", 2))
    done(count(tmp_path / "corpus", "--out", again, "--min-count", 2))
    assert data_of(out) == data_of(again)
    done(count(tmp_path / "corpus", "--out", out, "--min-count", 4))
    assert words(out) == {}


def test_dictionaries(corpus: Path, tmp_path: Path, private_cache: Path) -> None:
    (tmp_path / "user.txt").write_text("存款准备金率 3 n\n")
    (tmp_path / "more.txt").write_text("清华大学举行\n")
    (tmp_path / "own.txt").write_text("市场 5 n\n反应 5 n\n")
    done(
        count(
            corpus, "--out", tmp_path / "a", "--user-dict", tmp_path / "user.txt", "--user-dict", tmp_path / "more.txt"
        )
    )
    assert words(tmp_path / "a").keys() >= {"存款准备金率", "清华大学举行"}
    done(count(corpus, "--out", tmp_path / "b", "--dictionary", tmp_path / "own.txt", "--no-hmm"))
    assert words(tmp_path / "b")["市场"] == 2
    assert "银行" not in words(tmp_path / "b")
    refused = count(corpus, "--out", tmp_path / "a")
    assert refused.code == 3
    assert "dictionary: " in refused.err


@pytest.mark.parametrize("option", ["--user-dict", "--dictionary"])
def test_dictionaries_that_are_missing_or_bad(corpus: Path, tmp_path: Path, option: str, private_cache: Path) -> None:
    result = count(corpus, "--out", tmp_path / "out", option, tmp_path / "missing.txt")
    assert (result.code, result.err) == (3, f"hanmill: {tmp_path}/missing.txt: No such file or directory\n")
    (tmp_path / "bad.txt").write_bytes(b"\xe4\xb8\xad\xe5\x9b\xbd 3 n\n\xff\xff\n")
    result = count(corpus, "--out", tmp_path / "out", option, tmp_path / "bad.txt")
    assert result.code == 3
    assert f"{tmp_path}/bad.txt" in result.err
    assert "2" in result.err.replace(str(tmp_path), "")
    assert not (tmp_path / "out").exists()


def test_no_hmm_tokenizers_and_normalization(tmp_path: Path) -> None:
    text = "杭研大厦的小明硕士毕业于中国科学院计算所，ＡＢＣ１２３"
    corpus = write(tmp_path / "corpus", {"1.txt": text})
    wanted = {
        (): expected([text]),
        ("--no-hmm",): expected([text], hmm=False),
        ("--tokenizer", "words"): expected([text]),
        ("--tokenizer", "search"): expected([text], tokenizer="search"),
        ("--tokenizer", "characters"): Counter(text),
        ("--normalize", "none"): expected([text]),
        ("--normalize", "nfkc"): expected([text.replace("ＡＢＣ１２３", "ABC123").replace("，", ",")]),
    }
    assert len({tuple(counts) for counts in wanted.values()}) == 5
    for number, (options, counts) in enumerate(wanted.items()):
        done(count(corpus, "--out", tmp_path / str(number), *options))
        assert words(tmp_path / str(number)) == counts, options


def test_encodings(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("中国\n國".encode("big5", "ignore"))
    out = tmp_path / "out"
    done(count(tmp_path / "a.txt", "--out", out, "--encoding", "BIG5"))
    assert words(out) == expected(["中", "國"])
    assert manifest(out)["inputs"]["encodings"] == {"big5": 1}
    done(count(tmp_path / "a.txt", "--out", out, "--encoding", "big5"))  # the same encoding by another name
    (tmp_path / "a.txt").write_bytes("中国\n".encode("gb18030"))
    done(count(tmp_path / "a.txt", "--out", tmp_path / "auto"))
    assert words(tmp_path / "auto") == {"中国": 1}
    assert manifest(tmp_path / "auto")["inputs"]["encodings"] == {"gb18030": 1}


def test_patterns(corpus: Path, tmp_path: Path) -> None:
    write(corpus, {"a.html": "网页", "b.text": "文本"})
    done(count(corpus, "--out", tmp_path / "out", "--pattern", "*.html", "--pattern", "b.*"))
    assert words(tmp_path / "out") == {"网页": 1, "文本": 1}


def test_formats(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("标签\t中国\n标签\t人民\n")
    for format, counts in {
        "lines": {"标签": 2, "中国": 1, "人民": 1},
        "tsv": {"中国": 1, "人民": 1},
        "document": {"标签": 2, "中国": 1, "人民": 1},
    }.items():
        done(count(tmp_path / "a.txt", "--out", tmp_path / format, "--format", format))
        assert words(tmp_path / format) == counts
    assert manifest(tmp_path / "document")["totals"]["documents"] == 1
    assert manifest(tmp_path / "lines")["totals"]["documents"] == 2


def test_fields(tmp_path: Path) -> None:
    record = {"body": "中国", "class": "类", "key": "k1", "text": "不是"}
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n" + json.dumps({"key": "k2"}) + "\n")
    pq.write_table(pa.table({"body": ["人民"], "class": [7]}), tmp_path / "a.parquet")
    options = (
        "--text-field",
        "body",
        "--label-field",
        "class",
        "--id-field",
        "key",
        "--max-bad-records",
        1,
        "--by-label",
    )
    done(count(tmp_path / "a.jsonl", tmp_path / "a.parquet", "--out", tmp_path / "out", *options))
    assert words(tmp_path / "out") == {"中国": 1, "人民": 1}
    assert table(tmp_path / "out").column_names[3:] == ["count:7", "count:类"]
    assert "(record k2)" in dead_letters(tmp_path / "out")[0]["reason"]


def test_shard_bytes_and_workers_do_not_change_the_result(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(f"第{number}行，中国人民\n" for number in range(9000)))
    done(count(tmp_path / "a.txt", "--out", tmp_path / "one"))
    done(count(tmp_path / "a.txt", "--out", tmp_path / "small", "--shard-bytes", "10kB"))
    done(
        hanmill(
            "count", tmp_path / "a.txt", "--out", tmp_path / "two", "--workers", 2, "--no-report", "--engine", "local"
        )
    )
    assert data_of(tmp_path / "one") == data_of(tmp_path / "small") == data_of(tmp_path / "two")
    assert run_json(tmp_path / "small")["shards"]["total"] == 1 + (tmp_path / "a.txt").stat().st_size // 10_000
    assert run_json(tmp_path / "two")["workers"] == 2


def test_max_document_bytes(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(count(corpus, "--out", out, "--max-document-bytes", "54", "--max-bad-records", "3"))
    assert manifest(out)["totals"]["documents"] == sum(len(text.encode()) <= 54 for text in TEXTS.values()) == 3
    assert [letter["reason"] for letter in dead_letters(out)] == [
        f"{len(TEXTS[name].encode())} bytes: more than --max-document-bytes 54"
        for name in ("体育/深/2.md", "财经/1.txt")
    ]


def bad_corpus(top: Path, good: int, bad: int) -> Path:
    for number in range(good + bad):
        (top / "c").mkdir(parents=True, exist_ok=True)
        (top / f"c/{number:03d}.txt").write_bytes("中国".encode() + b"\xff" * (number >= good))
    return top / "c"


def test_errors_are_dead_letters_or_replaced(tmp_path: Path) -> None:
    corpus = bad_corpus(tmp_path, 2, 1)
    done(count(corpus, "--out", tmp_path / "a", "--errors", "dead-letter", "--max-bad-records", "50%"))
    assert words(tmp_path / "a") == {"中国": 2}
    done(count(corpus, "--out", tmp_path / "b", "--errors", "replace"))
    assert words(tmp_path / "b") == {"中国": 3, "\ufffd": 1}


@pytest.mark.parametrize(
    ("limit", "code"),
    [("5%", 0), ("4.9%", 4), ("5", 0), ("4", 4), ("0", 4), ("0%", 4), ("100%", 0), ("5.0%", 0)],
)
def test_too_many_bad_records(tmp_path: Path, limit: str, code: int) -> None:
    corpus, out = bad_corpus(tmp_path, 95, 5), tmp_path / "out"
    result = count(corpus, "--out", out, "--max-bad-records", limit)
    assert result.code == code
    assert len(dead_letters(out)) == 5
    assert (out / "_SUCCESS").exists() == (code == 0)
    if code:
        assert result.err.splitlines()[-1] == (
            f"hanmill: 5 of 100 records are bad, more than --max-bad-records {limit}: "
            f"see {out}/dead_letters.jsonl; mend the input, or allow more"
        )
        done(count(corpus, "--out", out, "--max-bad-records", "5"))
        assert run_json(out)["shards"]["counted"] == 0


def test_a_finished_output_with_more_bad_records_than_are_now_allowed(tmp_path: Path) -> None:
    corpus, out = bad_corpus(tmp_path, 2, 1), tmp_path / "out"
    done(count(corpus, "--out", out, "--max-bad-records", "1"))
    assert count(corpus, "--out", out).code == 4
    assert not (out / "_SUCCESS").exists()
    done(count(corpus, "--out", out, "--max-bad-records", "1"))
    done(hanmill("verify", out))


def test_a_run_that_fails_takes_the_old_success_back(tmp_path: Path) -> None:
    """The dead letters are the new ones: an output that is half old and half new must not look finished."""
    corpus, out = bad_corpus(tmp_path, 10, 0), tmp_path / "out"
    done(count(corpus, "--out", out))
    bad_corpus(tmp_path, 5, 5)
    assert count(corpus, "--out", out).code == 4
    assert len(dead_letters(out)) == 5
    assert hanmill("verify", out).code == 3
    assert "stopped before the end" in hanmill("status", out).out


def test_dead_letters_are_ordered_by_source_and_offset(tmp_path: Path) -> None:
    lines = [b"ok\n", b"\xff\n"] * 3000
    (tmp_path / "b.txt").write_bytes(b"".join(lines))
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"id": "\u2028\x85"}\n' * 2)
    (tmp_path / "\u2028.txt").write_bytes(b"\xff\n")
    inputs = (tmp_path / "b.txt", tmp_path / "a.jsonl", tmp_path / "\u2028.txt")
    options = ("--max-bad-records", "60%", "--encoding", "utf-8")
    done(count(*inputs, "--out", tmp_path / "one", *options))
    done(count(*inputs, "--out", tmp_path / "two", *options, "--shard-bytes", "1000"))
    assert data_of(tmp_path / "one") == data_of(tmp_path / "two")
    letters = dead_letters(tmp_path / "one")
    assert len(letters) == 3003 == manifest(tmp_path / "one")["totals"]["dead_letters"]
    assert letters == sorted(letters, key=lambda letter: (letter["source"], letter["offset"]))
    assert letters[0].keys() == {"source", "offset", "reason"}
    assert [letter["offset"] for letter in letters if letter["source"].endswith("b.txt")] == list(range(3, 15000, 5))
    assert "(record \u2028\x85)" in letters[0]["reason"]
    assert manifest(tmp_path / "one")["dead_letters"]["records"] == 3003


def test_dead_letters_of_an_earlier_run_go(tmp_path: Path) -> None:
    corpus, out = bad_corpus(tmp_path, 2, 1), tmp_path / "out"
    done(count(corpus, "--out", out, "--max-bad-records", "1"))
    (corpus / "002.txt").unlink()
    done(count(corpus, "--out", out))
    assert not (out / "dead_letters.jsonl").exists()
    assert manifest(out)["dead_letters"] is None


@pytest.mark.parametrize("given", [1, 3, 7])
def test_read_is_documents_and_dead_letters(tmp_path: Path, given: int) -> None:
    corpus, out = bad_corpus(tmp_path, 20, given), tmp_path / "out"
    done(count(corpus, "--out", out, "--max-bad-records", "50%"))
    totals = manifest(out)["totals"]
    assert totals["documents"] + totals["dead_letters"] == 20 + given
    assert totals["tokens"] == sum(words(out).values())
    assert totals["words"] == len(words(out))
    assert totals["bytes"] == sum(path.stat().st_size for path in corpus.iterdir())
    labels = manifest(out)["labels"].values()
    assert sum(label["documents"] for label in labels) == totals["documents"]
    assert sum(label["tokens"] for label in labels) == totals["tokens"]


def test_no_report_and_a_report_later(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(count(corpus, "--out", out))
    assert not (out / "report.html").exists()
    result = done(hanmill("count", corpus, "--out", out, "--workers", 1))
    assert "up to date, nothing to do" in result.out
    assert (out / "report.html").exists()
    before = (out / "report.html").stat().st_mtime_ns
    assert "report:" not in done(hanmill("count", corpus, "--out", out, "--workers", 1)).out
    assert (out / "report.html").stat().st_mtime_ns == before


# Again into the same folder


CHANGES: dict[str, Callable[[Path], object]] = {
    "added": lambda corpus: write(corpus, {"财经/9.txt": "新增的文章", "新/1.txt": "新标签"}),
    "changed": lambda corpus: write(corpus, {"财经/1.txt": "改过的文章，更长了一些，也更短了一些"}),
    "removed": lambda corpus: (corpus / "体育/1.txt").unlink(),
    "moved": lambda corpus: (corpus / "体育/1.txt").rename(corpus / "财经/8.txt"),
    "nothing": lambda corpus: None,
}


@pytest.mark.parametrize("by_label", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_corpus_gives_what_a_fresh_run_gives(
    corpus: Path, tmp_path: Path, change: str, by_label: bool
) -> None:
    options = ("--shard-bytes", "150", *["--by-label"] * by_label)
    out = tmp_path / "out"
    done(count(corpus, "--out", out, *options))
    shards = run_json(out)["shards"]["total"]
    assert shards >= 3
    CHANGES[change](corpus)
    result = done(count(corpus, "--out", out, *options))
    done(count(corpus, "--out", tmp_path / "fresh", *options))
    assert data_of(out) == data_of(tmp_path / "fresh")
    done(hanmill("verify", out))
    if change == "nothing":
        assert "up to date" in result.out
        return
    told = run_json(out)["shards"]
    assert told["kept"] >= shards - (0 if change == "added" else 1)
    assert told["counted"] <= 2
    assert {path.suffix for path in (out / "_shards").iterdir()} == {".json", ".arrow"}
    assert len(list((out / "_shards").glob("*.arrow"))) == told["total"]


def test_changes_of_line_files(tmp_path: Path) -> None:
    lines = [f"第{number}行，中国人民\n" for number in range(3000)]
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.txt").write_text("".join(lines))
    out = tmp_path / "out"
    files = [tmp_path / f"{name}.txt" for name in "abc"]
    options = ("--shard-bytes", "20kB")
    done(count(*files, "--out", out, *options))
    before = run_json(out)["shards"]["total"]
    with files[1].open("a") as file:
        file.write("新的一行\n")
    done(count(*files[:2], "--out", out, *options))
    done(count(*files[:2], "--out", tmp_path / "fresh"))
    assert data_of(out) == data_of(tmp_path / "fresh")
    told = run_json(out)["shards"]
    assert 0 < told["kept"] < before / 2  # the shards of a.txt alone
    assert 0 < told["counted"] <= before / 2


def test_other_options_in_the_same_folder_are_refused_by_name(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(count(corpus, "--out", out))
    before = data_of(out)
    for options, difference in {
        ("--no-hmm",): "hmm: True, now False",
        ("--tokenizer", "search"): "tokenizer: 'words', now 'search'",
        ("--normalize", "nfkc"): "normalize: 'none', now 'nfkc'",
        ("--encoding", "utf-8"): "encoding: 'auto', now 'utf-8'",
        ("--by-label",): "by_label: False, now True",
        ("--errors", "replace"): "errors: 'dead-letter', now 'replace'",
        ("--max-document-bytes", "1MiB"): "max_document_bytes: 67108864, now 1048576",
        ("--text-field", "body"): "text_field: 'text', now 'body'",
    }.items():
        result = count(corpus, "--out", out, *options)
        assert (result.code, result.err) == (
            3,
            f"hanmill: {out} holds a run with other options ({difference}): name another --out, or add --fresh\n",
        )
    assert data_of(out) == before
    assert (out / "_SUCCESS").exists()
    done(count(corpus, "--out", out, "--no-hmm", "--fresh"))
    assert manifest(out)["configuration"]["hmm"] is False
    assert run_json(out)["shards"]["kept"] == 0


def test_fresh_counts_again(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(count(corpus, "--out", out))
    before = data_of(out)
    (out / "mine.txt").write_text("keep me")
    done(count(corpus, "--out", out, "--fresh"))
    assert run_json(out)["shards"]["counted"] == 1
    assert data_of(out) == before
    assert (out / "mine.txt").exists()


def test_an_output_that_was_damaged_is_mended_by_the_same_command(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(count(corpus, "--out", out, "--shard-bytes", "150"))
    before = data_of(out)
    (run,) = list((out / "_shards").glob("*.arrow"))[:1]
    content = bytearray(run.read_bytes())
    content[len(content) // 2] ^= 1
    run.write_bytes(content)
    result = hanmill("verify", out)
    assert (result.code, result.err.count("\n")) == (3, 1)
    assert f"{run}: damaged between bytes" in result.err
    (out / "_SUCCESS").unlink()
    result = count(corpus, "--out", out, "--shard-bytes", "150")
    assert result.code == 3
    assert f"{run}: damaged between bytes" in result.err
    assert "remove it and run the same command again" in result.err
    run.unlink()
    done(count(corpus, "--out", out, "--shard-bytes", "150"))
    assert run_json(out)["shards"]["counted"] == 1
    assert data_of(out) == before
    (out / "word_counts-00000-of-00001.parquet").unlink()
    assert hanmill("show", out).code == 3
    assert hanmill("verify", out).code == 3
    done(count(corpus, "--out", out, "--shard-bytes", "150"))
    assert data_of(out) == before


# Wrong usage and wrong inputs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--by-labels"], "No such option: --by-labels"),
        (["--min-cuont", "3"], "--min-count"),
        (["--wrokers", "3"], "--workers"),
        (["--user-dcit", "x"], "--user-dict"),
        (["--tokenizer", "word"], "'words', 'search', 'characters'"),
        (["--normalize", "nfc"], "'none', 'nfkc'"),
        (["--engine", "spark"], "--engine"),
        (["--format", "csv"], "'tsv'"),
        (["--errors", "ignore"], "'dead-letter', 'replace'"),
        (["--workers", "0"], "--workers"),
        (["--min-count", "0"], "--min-count"),
        (["--min-count", "x"], "--min-count"),
        (["--min-count", "9" * 23], "--min-count"),
        (["--workers", "1" + "0" * 20], "--workers"),
        (["--shard-bytes", "3 furlongs"], "--shard-bytes 3 furlongs: not a size; write bytes, or 64kB, 32MiB, 1GiB"),
        (["--shard-bytes", "0"], "--shard-bytes 0: must be at least one byte"),
        (["--max-document-bytes", "-1"], "--max-document-bytes -1: must be at least one byte"),
        (["--max-bad-records", "many"], "--max-bad-records many: write a number, or a share such as 5%"),
        (["--max-bad-records", "0.5"], "--max-bad-records 0.5: write a number, or a share such as 5%"),
        (["--encoding", "utf9"], "--encoding: unknown encoding 'utf9': did you mean utf-8?"),
        (["--encoding", "hex"], "--encoding: unknown encoding 'hex'"),
    ],
)
def test_wrong_options(corpus: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    result = count(corpus, "--out", tmp_path / "out", *arguments)
    assert result.code == 2
    assert message in " ".join(result.err.split())
    assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["count", "x"], "Missing option '--out'"),
        (["count", "--out", "x"], "Missing argument 'INPUT...'"),
        (["cuont"], "Did you mean 'count'?"),
        (["show"], "Missing argument 'directory'"),
        (["show", ".", "--top", "0"], "--top"),
        (["show", ".", "--top", "9" * 23], "--top"),
        (["sample", "--out", "x", "--documents", "0"], "--documents"),
        ([], "Usage"),
    ],
)
def test_wrong_commands(arguments: list[str], message: str) -> None:
    result = hanmill(*arguments)
    assert result.code == 2
    assert message in result.err + result.out


@pytest.mark.parametrize("arguments", [["--help"], ["count", "--help"], ["show", "--help"], ["sample", "--help"]])
def test_help(arguments: list[str]) -> None:
    result = done(hanmill(*arguments))
    assert "Usage" in result.out
    if arguments[0] == "count":
        assert "Exit codes: 0 done, 2 usage, 3 input, 4 too many bad records, 5 engine, 130 interrupted." in " ".join(
            result.out.split()
        )


def broken_zip(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04 and no more")


WRONG_INPUTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no such file or directory"),
    "empty directory": (
        lambda path: path.mkdir(),
        r"no document there; directories are searched for \*.txt, \*.md (--pattern)",
    ),
    "broken.zip": (broken_zip, "not a whole zip archive"),
    "broken.parquet": (broken_zip, "not a whole Parquet file"),
    "a.parquet": (
        lambda path: pq.write_table(pa.table({"body": ["x"]}), path),
        "no column 'text' (--text-field); it has body",
    ),
    "pipe": (os.mkfifo, "not a regular file"),
    "a.parquet.gz": (
        lambda path: path.touch(),
        "only lines, tsv and jsonl are read compressed, not parquet: unpack it first",
    ),
}


@pytest.mark.parametrize("name", WRONG_INPUTS)
def test_wrong_inputs_are_named(corpus: Path, tmp_path: Path, name: str) -> None:
    make, message = WRONG_INPUTS[name]
    make(tmp_path / name)
    result = count(corpus, tmp_path / name, "--out", tmp_path / "out")
    assert result.code == 3
    assert result.err.splitlines()[-1].startswith(f"hanmill: {tmp_path / name}: {message.replace(chr(92), '')}")
    assert not (tmp_path / "out/_SUCCESS").exists()


def test_an_unreadable_file_is_named(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = os.access
    monkeypatch.setattr(  # root may all
        os, "access", lambda path, mode, **more: "3.txt" not in str(path) and allowed(path, mode, **more)
    )
    (corpus / "3.txt").chmod(0o200)
    result = count(corpus, "--out", tmp_path / "out")
    assert (result.code, result.err) == (3, f"hanmill: {corpus}/3.txt: no permission to read it\n")


@pytest.mark.parametrize("name", ["a.txt", "a.tsv", "a.jsonl", "a.txt.gz", "d/a.txt"])
def test_empty_files_are_counted_and_give_no_words(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(b"") if name.endswith("gz") else b"")
    for number, options in enumerate(((), ("--by-label",))):
        out = tmp_path / f"out{number}"
        result = done(count(path.parent if name.startswith("d/") else path, "--out", out, *options))
        assert f"{int(name.startswith('d/'))} documents, 0 tokens, 0 words" in result.out
        assert words(out) == {}
        assert table(out).column_names[:3] == ["word", "count", "documents"]
        done(hanmill("show", out))
        done(hanmill("verify", out))
        done(hanmill("count", tmp_path / name.partition("/")[0], "--out", out, "--workers", 1, *options))  # the report


def test_truncated_streams_give_what_is_whole_and_say_so(tmp_path: Path) -> None:
    content = gzip.compress("".join(f"第{number}行\n" for number in range(5000)).encode())
    (tmp_path / "a.txt.gz").write_bytes(content[: len(content) // 2])
    result = done(count(tmp_path / "a.txt.gz", "--out", tmp_path / "out"))
    assert f"1 bad records in {tmp_path}/out/dead_letters.jsonl" in result.out
    (letter,) = dead_letters(tmp_path / "out")
    assert letter["source"] == str(tmp_path / "a.txt.gz")
    assert letter["reason"] == "damaged from here on: Truncated compressed stream"
    assert manifest(tmp_path / "out")["totals"]["documents"] > 1000


def test_paths_that_are_no_text(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/" + "语料".encode("gbk")
    os.makedirs(folder + b"/" + "财经".encode("gbk"))
    for name, content in ((b"1.txt", "中国".encode()), (b"2.txt", b"\xff")):
        with open(folder + b"/" + "财经".encode("gbk") + b"/" + name, "wb") as file:
            file.write(content)
    out = os.fsencode(tmp_path) + b"/" + "结果".encode("gbk")
    options = ("--by-label", "--max-bad-records", "1", "--workers", "1", "--no-report")
    result = process("count", os.fsdecode(folder), "--out", os.fsdecode(out), *options)
    assert result.code == 0, result.err
    assert words(Path(os.fsdecode(out))) == {"中国": 1}
    assert table(Path(os.fsdecode(out))).column_names[3:] == ["count:财经"]
    assert [letter["source"] for letter in dead_letters(Path(os.fsdecode(out)))] == [
        os.fsdecode(folder + b"/" + "财经".encode("gbk") + b"/2.txt")
    ]
    assert "up to date" in process("count", os.fsdecode(folder), "--out", os.fsdecode(out), *options).out


def test_a_terminal_that_knows_no_chinese(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "结果"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    assert (
        "5 documents"
        in done(process("count", corpus, "--out", out, "--workers", "1", "--no-report", environment=environment)).out
    )
    assert "\\u" in done(process("show", out, environment=environment)).out


# Signals


def zeros(path: Path) -> Path:
    """A line that takes long to read and no room on the disk."""
    with path.open("wb") as file:
        file.truncate(8 << 30)
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [1, 2])
def test_interrupted(tmp_path: Path, number: signal.Signals, workers: int) -> None:
    command = [sys.executable, "-m", "pipelines.cli", "count", zeros(tmp_path / "a.txt"), "--out", tmp_path / "out"]
    with subprocess.Popen(
        [*command, "--workers", str(workers)], stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    ) as running:
        assert running.stderr is not None
        while "to count" not in (line := running.stderr.readline()):
            assert line
        running.send_signal(number)
        errors = running.communicate(timeout=120)[1]  # until the last process that holds the stream has ended
    assert running.returncode == 130
    assert errors.splitlines()[-1] == "hanmill: interrupted; the same command goes on from here"
    assert "Traceback" not in errors
    assert not (tmp_path / "out/_SUCCESS").exists()
    assert not (tmp_path / "out/_lock").exists()
    (tmp_path / "a.txt").write_text("短了\n")
    done(count(tmp_path / "a.txt", "--out", tmp_path / "out"))


def test_terminated_in_the_background(tmp_path: Path) -> None:
    """A shell without job control lets what runs in the background ignore Ctrl-C: SIGTERM must end it still."""
    command = [sys.executable, "-m", "pipelines.cli", "count", zeros(tmp_path / "a.txt"), "--out", tmp_path / "out"]
    with subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *map(str, command), "--workers", "1"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as running:
        assert running.stderr is not None
        assert "to count" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        running.terminate()
        running.communicate(timeout=120)
    assert running.returncode == 130


def test_a_killed_run_goes_on_with_other_workers(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"第{number}行，中国人民银行下调存款准备金率\n" for number in range(400_000)))
    command = [sys.executable, "-m", "pipelines.cli", "count", path, "--out", tmp_path / "out", "--workers", "2"]
    with subprocess.Popen([*command, "--shard-bytes", "100kB"], stderr=subprocess.PIPE, cwd=ROOT) as running:
        while not list((tmp_path / "out/_shards").glob("?" * 64 + ".json")):
            assert running.poll() is None
        running.kill()
        running.communicate(timeout=120)
    assert "stopped before the end: run the same command again" in hanmill("status", tmp_path / "out").out
    assert "running" not in hanmill("status", tmp_path / "out").out
    done(count(path, "--out", tmp_path / "out"))
    assert run_json(tmp_path / "out")["shards"]["kept"] > 0
    done(count(path, "--out", tmp_path / "fresh"))
    assert data_of(tmp_path / "out") == data_of(tmp_path / "fresh")
