"""Every flag of `hanmill records` and `hanmill inspect`, and what a user reads when something is wrong."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.datasets import DataSet
from tests.pipelines.command import Result, dead_letters, hanmill, manifest, process
from tests.pipelines.made_records import (
    EVENT,
    EVENT_TYPES,
    LINKED,
    PREDICATES,
    READING,
    RELATION,
    numbered,
    write_labelled,
    write_lines,
    write_vocabulary,
)

pytestmark = pytest.mark.usefixtures("unsynced")
CLASSIFY = ("records", "text-classification", "--workers", "1")


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a vocabulary and classified texts."""
    monkeypatch.chdir(tmp_path)
    write_vocabulary(tmp_path / "vocab.txt")
    write_labelled(tmp_path / "a.tsv", numbered(30))
    return tmp_path


def classify(*arguments: object, out: str = "out", vocab: str = "vocab.txt") -> Result:
    return hanmill(*CLASSIFY, "--vocab", vocab, "--out", out, *arguments)


def done(result: Result) -> Result:
    assert result.code == 0, result.err
    return result


def found(out: str = "out", split: str = "train") -> list[dict[str, Any]]:
    return list(DataSet.open(out).records(split))


def texts(out: str = "out", split: str = "train") -> list[str]:
    return sorted(record["text"] for record in found(out, split))


# One run, looked at from all sides


def test_classified_texts(top: Path) -> None:
    result = done(classify("a.tsv"))
    assert texts() == sorted(text for _, text in numbered(30))
    tokens = sum(len(record["ids"]) for record in found())
    first, second, third = result.out.splitlines()
    assert first == f"30 documents, {tokens:,} tokens, 30 records"
    assert second.endswith(" MB/s, 1 workers")
    assert third == "records: 30 in train; out/README.md describes them"
    assert sorted(path.name for path in (top / "out").iterdir()) == [
        "README.md", "_SUCCESS", "_shards", "dataset_info.json", "features.json", "label.labels.txt", "manifest.json",
        "run.json", *(f"text_classification_train.tfrecord-{number:05d}-of-00016" for number in range(16)), "vocab.txt",
    ]  # fmt: skip
    assert done(hanmill("verify", "out")).out == "out: every file is as it was written\n"
    status = done(hanmill("status", "out")).out
    assert status.startswith("out: finished ")
    assert "\n30 records in 16 parts, " in status
    other = hanmill("show", "out")
    assert (other.code, other.out) == (3, "")
    assert "hanmill inspect out shows them" in other.err
    assert done(classify("a.tsv")).out.startswith("out: up to date, nothing to do\n")


def test_a_process_and_two_workers(top: Path) -> None:
    done(classify("a.tsv", out="one"))
    done(process(*CLASSIFY[:2], f"{top}/a.tsv", "--vocab", f"{top}/vocab.txt", "--out", f"{top}/two", "--workers", 2,
                 "--shard-bytes", "200"))  # fmt: skip
    for part in [*manifest(top / "one")["parts"], *manifest(top / "one")["metadata"], {"name": "manifest.json"}]:
        assert (top / "one" / part["name"]).read_bytes() == (top / "two" / part["name"]).read_bytes()


TASKS: dict[str, tuple[Any, Any, tuple[str, ...]]] = {
    "relation-extraction": ([RELATION], PREDICATES, ("predicates.labels.txt",)),
    "event-extraction": ([EVENT], EVENT_TYPES, ("argument_roles.labels.txt", "event_types.labels.txt")),
    "entity-linking": ([LINKED], None, ()),
    "reading-comprehension": ([READING], None, ()),
    "masked-language-model": ([{"text": "北京大学的上海"}], None, ()),
}


@pytest.mark.parametrize("task", TASKS)
def test_each_task_from_its_file_to_a_terminal(top: Path, task: str) -> None:
    """With `--schema` where there are labels; JSON is read as the task has it, whatever the file is called."""
    rows, schema, labels = TASKS[task]
    source = write_lines(top / ("a.jsonl" if task == "masked-language-model" else "a.data"), rows)
    more = ["--schema", write_lines(top / "labels.json", schema)] if schema else []
    done(hanmill("records", task, source, "--vocab", "vocab.txt", "--out", "out", "--workers", 1, *more))
    assert len(found()) == 1
    assert {path.name for path in (top / "out").glob("*.labels.txt")} == {*labels}
    assert (top / "out/schema.json").exists() == bool(schema)
    assert done(hanmill("inspect", "out")).out.startswith("train 0  ")


# Flags


def test_splits_and_salt(top: Path) -> None:
    done(classify("a.tsv", "--splits", "train=0.5,dev=0.25,test=0.25"))
    parts = {split: texts(split=split) for split in ("train", "dev", "test")}
    assert sorted(itertools.chain(*parts.values())) == sorted(text for _, text in numbered(30))
    assert all(parts.values())
    done(classify("a.tsv", "--splits", "train=0.5,dev=0.25,test=0.25", "--salt", "other", out="salted"))
    assert texts("salted") != parts["train"]


def test_named_splits(top: Path) -> None:
    """In whatever order they are named; a file whose name has an equals sign is one all the same."""
    write_labelled(top / "dev=b.tsv", [("甲", "北京")])
    write_labelled(top / "c.tsv", [("乙", "上海")])
    done(classify("dev=c.tsv", "train=a.tsv"))
    assert (len(found()), texts(split="dev")) == (30, ["上海"])
    assert done(classify("train=a.tsv", "dev=c.tsv")).out.startswith("out: up to date")
    done(classify("a.tsv", "dev=b.tsv", "test=c.tsv", out="mixed"))
    assert (len(found("mixed")), texts("mixed", "test")) == (31, ["上海"])
    done(classify("dev=c.tsv", out="only"))
    assert manifest(top / "only")["splits"] == {"dev": 1}


def test_shards(top: Path) -> None:
    write_labelled(top / "b.tsv", numbered(3))
    done(classify("train=a.tsv", "dev=b.tsv", "--shards", 24))
    names = [part["name"] for part in manifest(top / "out")["parts"]]
    assert sum("_train.tfrecord-" in name and name.endswith("-of-00024") for name in names) == 24
    assert sum("_dev.tfrecord-" in name and name.endswith("-of-00003") for name in names) == 3


def test_max_length_and_stride(top: Path) -> None:
    done(classify("a.tsv", "--max-length", 9))
    assert max(len(record["ids"]) for record in found()) == 9
    context = "北京有大学。" * 60
    rows = {"data": [{"paragraphs": [{**READING["data"][0]["paragraphs"][0], "context": context}]}]}
    (top / "a.json").write_text(json.dumps(rows))
    read = ("records", "reading-comprehension", "a.json", "--vocab", "vocab.txt", "--workers", 1)
    done(hanmill(*read, "--out", "wide"))
    done(hanmill(*read, "--out", "narrow", "--max-length", 120, "--stride", 40))
    assert len(found("wide")) == 1
    starts = sorted(int(record["begins"][record["segments"] == 1][0]) for record in found("narrow"))
    assert starts == list(range(0, 40 * len(starts), 40))
    assert max(len(record["ids"]) for record in found("narrow")) == 120


def test_across_documents(top: Path) -> None:
    (top / "a.txt").write_text("".join(f"第{number}，中国人民。\n" for number in range(10)))
    model = ("records", "masked-language-model", "a.txt", "--vocab", "vocab.txt", "--workers", 1, "--shards", 1)
    done(hanmill(*model, "--out", "apart"))
    assert [len(record["documents"]) for record in found("apart")] == [1] * 10
    done(hanmill(*model, "--out", "packed", "--across-documents"))
    assert [len(record["documents"]) for record in found("packed")] == [10]


def test_a_schema_of_labels(top: Path) -> None:
    (top / "labels.txt").write_text("丁\n甲\n乙\n丙\n")
    done(classify("a.tsv", "--schema", "labels.txt"))
    assert (top / "out/label.labels.txt").read_text() == "丁\n甲\n乙\n丙\n"
    assert {record["label"] for record in found()} == {1, 2, 3}
    (top / "few.txt").write_text("甲\n乙\n")
    result = classify("a.tsv", "--schema", "few.txt", out="few")
    assert result.code == 4
    assert {letter["reason"] for letter in dead_letters(top / "few")} == {"label: '丙' is not in the schema"}


def test_how_inputs_are_read(top: Path) -> None:
    """Encoding, pattern, format and fields, as for counting."""
    (top / "gb.tsv").write_bytes("甲\t中国人民".encode("gb18030"))
    done(classify("gb.tsv", "--encoding", "gb18030", out="gb"))
    assert texts("gb") == ["中国人民"]
    (top / "corpus/甲").mkdir(parents=True)
    (top / "corpus/甲/1.text").write_text("北京")
    (top / "corpus/甲/2.txt").write_text("上海")
    done(classify("corpus", "--pattern", "*.text", out="pattern"))
    assert texts("pattern") == ["北京"]
    done(classify("a.tsv", "--format", "lines", out="lines"))
    assert texts("lines") == sorted(f"{label}\t{text}" for label, text in numbered(30))
    rows = [{"content": "北京", "class": "甲", "name": "one"}, {"content": 1, "class": "甲", "name": "two"}]
    write_lines(top / "b.jsonl", rows)
    fields = ("--text-field", "content", "--label-field", "class", "--id-field", "name")
    done(classify("b.jsonl", *fields, "--max-bad-records", 1, out="fields"))
    assert (texts("fields"), manifest(top / "fields")["labels"]) == (["北京"], {"label": ["甲"]})
    assert "two" in dead_letters(top / "fields")[0]["reason"]


def test_bad_records(top: Path) -> None:
    (top / "b.txt").write_bytes("北京\n".encode() + b"ab\xff\n" + "上海大学".encode() * 50)
    strict = classify("b.txt", "--max-document-bytes", 100)
    assert strict.code == 4
    assert "2 of 3 records are bad, more than --max-bad-records 5%" in strict.err
    result = done(classify("b.txt", "--max-document-bytes", 100, "--max-bad-records", "70%"))
    assert "1 records, 2 bad records in out/dead_letters.jsonl\n" in result.out
    done(classify("b.txt", "--errors", "replace", "--max-bad-records", 0, out="replaced"))
    assert texts("replaced")[:1] == ["ab�"]


def test_fresh_and_other_options(top: Path) -> None:
    done(classify("a.tsv"))
    refused = classify("a.tsv", "--max-length", 10)
    assert refused.code == 3
    assert "holds a run with other options (max_length: 512, now 10): name another --out, or add --fresh" in refused.err
    done(classify("a.tsv", "--max-length", 10, "--fresh"))
    assert max(len(record["ids"]) for record in found()) == 10


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a.tsv", "--splits", "train=0.5"], 2, "--splits: shares must be positive and add up to 1"),
        (["a.tsv", "--splits", "train"], 2, "--splits: 'train': write a split and its share, as train=0.9"),
        (["train=a.tsv", "--splits", "train=1"], 2, "--splits: every input is named for a split: leave it out"),
        (["测试=a.tsv"], 2, "'测试' is no name of a split"),
        (["dev="], 3, "dev=: no such file or directory"),
        (["a.tsv", "--stride", "9"], 2, "--stride: text-classification has no windows"),
        (["a.tsv", "--across-documents"], 2, "--across-documents: text-classification packs nothing"),
        (["a.tsv", "--max-length", "7"], 2, "--max-length"),
        (["a.tsv", "--max-length", "70000"], 2, "--max-length 70000: between 8 and 65,536 tokens"),
        (["a.tsv", "--shards", "0"], 2, "--shards"),
        (["a.tsv", "--shards", "1" + "0" * 20], 2, "--shards"),
        (["a.tsv", "--max-bad-records", "some"], 2, "--max-bad-records some: write a number, or a share"),
        (["a.tsv", "--shard-bytes", "x"], 2, "--shard-bytes x: not a size"),
        (["a.tsv", "--encoding", "utf-9"], 2, "--encoding"),
        (["a.tsv", "--schema", "nowhere"], 3, "nowhere: No such file or directory"),
        (["nowhere.tsv"], 3, "nowhere.tsv: no such file or directory"),
        (["a.tsv", "--scheduler", "tcp://nowhere:1"], 2, "--scheduler"),
        (["a.tsv", "--", "--streaming"], 2, "--streaming"),
    ],
)
def test_wrong_options(top: Path, arguments: list[str], code: int, message: str) -> None:
    result = classify(*arguments)
    assert (result.code, result.out) == (code, "")
    assert message in " ".join(result.err.replace("│", " ").split())
    assert not (top / "out/_SUCCESS").exists()


@pytest.mark.parametrize(
    ("task", "arguments", "message"),
    [
        ("relation-extraction", [], "relation-extraction needs --schema FILE"),
        ("entity-linking", ["--format", "jsonl"], "--format jsonl: entity-linking is always read as JSON lines"),
        ("entity-linking", ["--id-field", "name"], "--id-field: entity-linking has the fields of its own format"),
        ("reading-comprehension", ["--max-length", "128", "--stride", "94"], "--stride 94: at most 93"),
        ("translation", [], "'masked-language-model'"),
    ],
)
def test_wrong_options_of_tasks(top: Path, task: str, arguments: list[str], message: str) -> None:
    result = hanmill("records", task, "a.tsv", "--vocab", "vocab.txt", "--out", "out", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in " ".join(result.err.replace("│", " ").split())


def test_a_vocabulary_that_is_none(top: Path) -> None:
    result = classify("a.tsv", vocab="nowhere.txt")
    assert (result.code, result.err.splitlines()[-1]) == (
        3, f"hanmill: {top}/nowhere.txt: No such file or directory"
    )  # fmt: skip
    (top / "bad.txt").write_text("a\nb\n")
    assert f"hanmill: {top}/bad.txt: " in classify("a.tsv", vocab="bad.txt").err


# inspect


def test_inspect(top: Path) -> None:
    write_labelled(top / "b.tsv", [("乙", "上海")])
    done(classify("train=a.tsv", "dev=b.tsv"))
    shown = done(hanmill("inspect", "out", "--records", 2, "--skip", 5)).out
    rules = [line.split()[:2] for line in shown.splitlines() if line.startswith(("train ", "dev "))]
    assert rules == [["train", "5"], ["train", "6"]]
    assert len(done(hanmill("inspect", "out")).out.split("train ")) == 4
    shown = done(hanmill("inspect", "out", "--split", "dev")).out
    assert "上海" in shown
    assert "4 tokens  [CLS]|上|海|[SEP]" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["out", "--split", "test"], 3, "no split 'test': it has "),
        (["out", "--skip", "30"], 3, "split train has 30 records, no more"),
        (["out", "--records", "0"], 2, "--records"),
        (["nowhere"], 3, "nowhere: no finished output there"),
    ],
)
def test_nothing_to_inspect(top: Path, arguments: list[str], code: int, message: str) -> None:
    done(classify("a.tsv"))
    result = hanmill("inspect", *arguments)
    assert (result.code, result.out) == (code, "")
    assert message in " ".join(result.err.replace("│", " ").split())


def test_verify_names_file_and_byte(top: Path) -> None:
    done(classify("a.tsv", "--shards", 1))
    path = top / "out/text_classification_train.tfrecord-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    result = hanmill("verify", "out")
    assert result.code == 3
    assert "the record at byte 0 does not match its CRC" in result.err


@pytest.mark.parametrize("command", ["records", "inspect"])
def test_help(command: str) -> None:
    shown = done(hanmill(command, "--help")).out
    flags = {
        "records": "vocab out engine workers scheduler schema max-length stride across-documents shards splits salt "
        "encoding pattern format text-field label-field id-field shard-bytes max-document-bytes fresh errors "
        "max-bad-records",
        "inspect": "split records skip",
    }
    for flag in flags[command].split():
        assert f"--{flag}" in shown
