"""The job: equal to the plain loop over tokens, whatever the limits on memory, and consistent in its totals."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import tally, word_count
from pipelines.engines.local import Local
from pipelines.errors import BadRecordsError, EngineError, InputError
from pipelines.run import Outcome, run
from pipelines.storage.manifest import PARTS, SHARDS, SUCCESS, Entry
from pipelines.storage.sources import Reading
from pipelines.tally import prepare
from pipelines.word_count import WordCount, code_version
from tests.pipelines.command import data_of, dead_letters, table
from transforms.segmentation import Dictionary, Segmenter, dictionary_hash

pytestmark = pytest.mark.usefixtures("unsynced")

WORDS = ["中国", "人民", "北京", "清华大学", "的", "，", "3.5%", "C++", "T恤", "杭研", "\n", "　", "𠀀", "\ufeff", "é"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=8).map("".join)
# The label of a document, of a made corpus, is the folder it is in.
CORPORA = st.lists(st.tuples(st.sampled_from(["甲", "乙", "丙"]), TEXTS), min_size=1, max_size=12)
SETTINGS = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def dictionary() -> str:
    return prepare(None, ())


@pytest.fixture(scope="module")
def segmenter(dictionary: str) -> Segmenter:
    assert dictionary == dictionary_hash()
    return Segmenter(Dictionary.load())


@pytest.fixture(scope="module")
def tops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new folder for each example of a property."""
    return (tmp_path_factory.mktemp("word_count") for _ in itertools.count())


def written(top: Path, corpus: list[tuple[str, str]]) -> Path:
    for number, (label, text) in enumerate(corpus):
        path = top / "corpus" / label / f"{number:03d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return top / "corpus"


def run_here(job: WordCount, workers: int = 1) -> Outcome:
    return run(job, engine=Local(workers))


def rows_of(segmenter: Segmenter, corpus: list[tuple[str, str]], min_count: int = 1) -> list[dict[str, Any]]:
    """The oracle: the rows that a count of the corpus by label must have, in order."""
    labels = sorted({label for label, _ in corpus})
    counts: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    by_label: dict[str, Counter[str]] = {label: Counter() for label in labels}
    for label, text in corpus:
        text = text.removeprefix("\ufeff")  # the mark of a document of UTF-8
        tokens = [token for token in segmenter.cut(text) if not token.isspace()]
        counts.update(tokens)
        documents.update(set(tokens))
        by_label[label].update(tokens)
    return [
        {"word": word, "count": counts[word], "documents": documents[word]}
        | {f"count:{label}": by_label[label][word] for label in labels}
        for word in sorted(counts, key=lambda word: (-counts[word], word))
        if counts[word] >= min_count
    ]


def without_labels(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if not name.startswith("count:")} for row in rows]


@given(
    corpus=CORPORA,
    shard_bytes=st.integers(1, 200),
    by_label=st.booleans(),
    min_count=st.integers(1, 3),
    limits=st.tuples(st.integers(2, 5), st.integers(1, 20), st.integers(1, 9), st.integers(0, 40)),
)
@SETTINGS
def test_a_count_is_that_of_the_plain_loop_whatever_the_limits(
    tops: Iterator[Path],
    dictionary: str,
    segmenter: Segmenter,
    corpus: list[tuple[str, str]],
    shard_bytes: int,
    by_label: bool,
    min_count: int,
    limits: tuple[int, int, int, int],
) -> None:
    """Few runs merged at a time, few rows in memory, few words a part, few characters held by label."""
    top = next(tops)
    inputs = (str(written(top, corpus)),)
    plain = WordCount(inputs, top / "plain", dictionary, by_label=by_label, min_count=min_count)
    tight = replace(plain, directory=top / "tight", shard_bytes=shard_bytes)
    run_here(plain)
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in zip(
            (word_count, word_count, word_count, tally),
            ("FAN_IN", "ROWS_IN_MEMORY", "WORDS_A_PART", "POINTS_HELD"),
            limits,
            strict=True,
        ):
            patch.setattr(module, name, value)
        outcome = run_here(tight)
    rows = rows_of(segmenter, corpus, min_count)
    wanted = rows if by_label else without_labels(rows)
    assert table(plain.directory).to_pylist() == wanted
    parts = [part["name"] for part in outcome.manifest["parts"]]
    number = max(1, -(-len(rows) // limits[2]))
    assert parts == [f"word_counts-{part:05d}-of-{number:05d}.parquet" for part in range(number)]
    assert table(tight.directory).to_pylist() == wanted
    assert sorted(path.name for path in tight.directory.iterdir() if path.suffix == ".parquet") == parts
    totals = outcome.manifest["totals"]
    all_rows = rows_of(segmenter, corpus)
    assert totals["tokens"] == sum(row["count"] for row in all_rows)
    assert (totals["documents"], totals["words"]) == (len(corpus), len(rows))
    assert outcome.manifest["labels"] == {
        label: {
            "documents": sum(each == label for each, _ in corpus),
            "tokens": sum(row[f"count:{label}"] for row in all_rows),
        }
        for label in {label for label, _ in corpus}
    }


@given(corpus=CORPORA, split=st.integers(0, 12), by_label=st.booleans())
@SETTINGS
def test_a_corpus_that_grows_gives_what_a_fresh_run_gives(
    tops: Iterator[Path], dictionary: str, corpus: list[tuple[str, str]], split: int, by_label: bool
) -> None:
    top = next(tops)
    job = WordCount((str(top / "corpus"),), top / "grown", dictionary, by_label=by_label, shard_bytes=50)
    if corpus[:split]:
        written(top, corpus[:split])
        run_here(job)
    kept = {path.name: path.stat().st_mtime_ns for path in (top / "corpus").rglob("*.txt")}
    for number, (label, text) in enumerate(corpus):
        path = top / "corpus" / label / f"{number:03d}.txt"
        if path.name not in kept:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    run_here(job)
    fresh = replace(job, directory=top / "fresh", shard_bytes=32 << 20)
    run_here(fresh)
    assert data_of(job.directory) == data_of(fresh.directory)


def test_lines_split_anywhere_add_up(tmp_path: Path, dictionary: str, segmenter: Segmenter) -> None:
    lines = [f"{WORDS[number % 7]}{WORDS[number % 5]}第{number}行" for number in range(3000)]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    job = WordCount((str(tmp_path / "a.txt"),), tmp_path / "out", dictionary, shard_bytes=5000, by_label=True)
    outcome = run_here(job)
    assert outcome.run["shards"]["total"] > 10
    assert table(job.directory).to_pylist() == rows_of(segmenter, [("a", line) for line in lines])


def test_equal_counts_are_ordered_by_code_point_across_partitions(tmp_path: Path, dictionary: str) -> None:
    """UTF-8's order, not UTF-16's: U+FFFD stands before U+20000."""
    characters = "𠀀\ufffd中一é乙aZ"
    written(tmp_path, [("甲", character) for character in characters])
    job = WordCount((str(tmp_path / "corpus"),), tmp_path / "out", dictionary, tokenizer="characters")
    run_here(job)
    assert table(job.directory)["word"].to_pylist() == sorted(characters)


def test_the_parquet_s_layout(tmp_path: Path, dictionary: str) -> None:
    written(tmp_path, [("甲", "中国人民"), ("乙", "中国")])
    job = WordCount((str(tmp_path / "corpus"),), tmp_path / "out", dictionary, by_label=True)
    run_here(job)
    part = tmp_path / "out/word_counts-00000-of-00001.parquet"
    schema = pq.read_schema(part)
    assert schema.names == ["word", "count", "documents", "count:乙", "count:甲"]
    assert [str(kind) for kind in schema.types] == ["string"] + ["int64"] * 4
    assert schema.metadata is None
    assert str(tmp_path).encode() not in part.read_bytes()
    assert str(tmp_path).encode() not in (tmp_path / "out/manifest.json").read_bytes()


def test_what_decides_the_result_is_the_configuration(tmp_path: Path, dictionary: str) -> None:
    job = WordCount(("x",), tmp_path, dictionary)
    differs: dict[str, Mapping[str, Any]] = {
        "tokenizer": {"tokenizer": "search"},
        "hmm": {"hmm": False},
        "normalize": {"normalization": "nfkc"},
        "dictionary": {"dictionary_hash": "0"},
        "by_label": {"by_label": True},
        "encoding": {"reading": Reading(encoding="utf-8")},
        "errors": {"reading": Reading(errors="replace")},
        "format": {"reading": Reading(format="lines")},
        "text_field": {"reading": Reading(text_field="x")},
        "label_field": {"reading": Reading(label_field="x")},
        "id_field": {"reading": Reading(id_field="x")},
        "max_document_bytes": {"reading": Reading(max_document_bytes=1)},
    }
    for name, change in differs.items():
        other = replace(job, **change).configuration
        assert {key for key in other if other[key] != job.configuration[key]} == {name}
    assert differs.keys() | {"job"} == job.configuration.keys()
    for change in (
        {"min_count": 9},
        {"shard_bytes": 9},
        {"max_bad_records": "9"},
        {"inputs": ("y",)},
        {"reading": Reading(patterns=("*",))},
        {"dictionary": "a name", "user_dictionaries": ("names",)},
    ):
        assert replace(job, **change).configuration == job.configuration  # type: ignore[arg-type]
    assert json.loads(json.dumps(job.configuration)) == job.configuration


def test_results_of_other_code_are_not_kept(tmp_path: Path, dictionary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, [("甲", "中国")])
    job = WordCount((str(tmp_path / "corpus"),), tmp_path / "out", dictionary)
    run_here(job)
    assert run_here(job).repeated
    assert len(code_version()) == 64
    monkeypatch.setattr(word_count, "code_version", lambda: "another")
    assert run_here(job).run["shards"] == {"total": 1, "counted": 1, "kept": 0}


def test_a_dictionary_that_changes_while_the_run_is_on_is_told(tmp_path: Path, private_cache: Path) -> None:
    (tmp_path / "own.txt").write_text("中国 3 n\n")
    written(tmp_path, [("甲", "中国")])
    own = str(tmp_path / "own.txt")
    job = WordCount((str(tmp_path / "corpus"),), tmp_path / "out", prepare(own, ()), dictionary=own)
    (tmp_path / "own.txt").write_text("中国 4 n\n")
    with pytest.raises(InputError, match="a dictionary changed while the run was on, or differs between workers"):
        run_here(job)


def test_a_failed_shard_leaves_nothing_in_the_counter(tmp_path: Path, dictionary: str) -> None:
    written(tmp_path, [("甲", "中国"), ("甲", "人民")])
    job = WordCount((str(tmp_path / "corpus"),), tmp_path / "out", dictionary)
    (tmp_path / "out" / SHARDS).mkdir(parents=True)
    plan = job.plan(workers=1)
    (tmp_path / "corpus/甲/001.txt").rename(tmp_path / "hidden")
    with pytest.raises(
        InputError, match=r"001\.txt: No such file or directory, though it was there when the run began"
    ):
        job.map(plan.shards[0])
    (tmp_path / "corpus/甲/001.txt").symlink_to(tmp_path / "hidden")
    assert job.map(plan.shards[0]).totals == {"documents": 2, "tokens": 2, "dead_letters": 0, "bytes": 12}


def test_a_task_that_runs_twice_does_the_same(tmp_path: Path, dictionary: str) -> None:
    written(tmp_path, [("甲", "中国人民"), ("乙", "中国")])
    (tmp_path / "corpus/乙/bad.txt").write_bytes(b"\xff")
    job = WordCount((str(tmp_path / "corpus"),), tmp_path / "out", dictionary, by_label=True)
    (tmp_path / "out" / SHARDS).mkdir(parents=True)
    (shard,) = job.plan(workers=1).shards
    first = job.map(shard)
    files = {path: path.read_bytes() for path in (tmp_path / "out" / SHARDS).iterdir()}
    assert job.map(shard) == first
    assert {path: path.read_bytes() for path in (tmp_path / "out" / SHARDS).iterdir()} == files
    (job.directory / PARTS).mkdir()
    assert [job.reduce(part, [first]) for part in range(8)] == [job.reduce(part, [first]) for part in range(8)]
    assert len(first.files) == job.partitions == 8
    assert sum(file.records for file in first.files) == 3  # 中国 of two labels


def test_totals_that_do_not_meet_end_the_run(tmp_path: Path, dictionary: str) -> None:
    job = WordCount(("x",), tmp_path, dictionary)
    mapped = [Entry("a", (), {"documents": 1, "tokens": 5, "dead_letters": 0, "bytes": 1})]
    with pytest.raises(EngineError, match=f"^{tmp_path}: runs and parts differ in tokens: start anew with --fresh$"):
        job.finish(None, mapped, [Entry("p", (), {"tokens": 4})], dict)  # type: ignore[arg-type]


def test_too_many_bad_records_leave_dead_letters_and_no_success(tmp_path: Path, dictionary: str) -> None:
    written(tmp_path, [("甲", "中国")])
    (tmp_path / "corpus/甲/bad.txt").write_bytes(b"\xff")
    job = WordCount((str(tmp_path / "corpus"),), tmp_path / "out", dictionary, max_bad_records="49%")
    with pytest.raises(
        BadRecordsError, match=r"^1 of 2 records are bad, more than --max-bad-records 49%: see "
    ) as told:
        run_here(job)
    assert told.value.exit_code == 4
    assert len(dead_letters(tmp_path / "out")) == 1
    assert not (tmp_path / "out" / SUCCESS).exists()
    assert not run_here(replace(job, max_bad_records="50%")).repeated
    assert run_here(replace(job, max_bad_records="1")).repeated
    with pytest.raises(BadRecordsError):
        run_here(job)


def test_damaged_dead_letters_of_a_shard_are_told(tmp_path: Path, dictionary: str) -> None:
    written(tmp_path, [("甲", "中国")])
    (tmp_path / "corpus/甲/bad.txt").write_bytes(b"\xff")
    job = WordCount((str(tmp_path / "corpus"),), tmp_path / "out", dictionary, max_bad_records="1")
    run_here(job)
    (letters,) = (tmp_path / "out" / SHARDS).glob("*.dead.jsonl")
    letters.write_bytes(letters.read_bytes().replace(b"bad.txt", b"bat.txt"))
    with pytest.raises(InputError, match=r"dead\.jsonl: damaged between bytes 0 and \d+: remove it and run the same"):
        run_here(replace(job, min_count=2))
    letters.unlink()
    run_here(replace(job, min_count=2))
    assert dead_letters(tmp_path / "out")[0]["source"].endswith("bad.txt")


def test_dictionaries_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^{tmp_path}/missing: No such file or directory$"):
        prepare(str(tmp_path / "missing"), ())
    with pytest.raises(InputError, match=f"^{tmp_path}: Is a directory$"):
        prepare(None, (str(tmp_path),))
    (tmp_path / "bad").write_bytes(b"\xff\n")
    with pytest.raises(InputError, match=rf"{tmp_path}/bad"):
        prepare(None, (str(tmp_path / "bad"),))
