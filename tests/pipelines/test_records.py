"""The job: what inputs say is in the files, each once, and the same whatever was there before."""

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import records
from pipelines.datasets import DataSet
from pipelines.engines.task import reduce_partition
from pipelines.errors import BadRecordsError, EngineError, InputError
from pipelines.records import Records
from pipelines.storage import record_tables
from pipelines.storage.manifest import PARTS, SHARDS, SUCCESS, listed, verify
from pipelines.storage.sources import Reading
from tests.pipelines.command import dead_letters, manifest
from tests.pipelines.made_records import (
    EVENT,
    EVENT_TYPES,
    LINES,
    classification,
    made,
    numbered,
    task_options,
    write_labelled,
    write_lines,
)
from tests.test_imports import ROOT, imported
from transforms.splits import Splits
from transforms.tasks.record import content_id
from transforms.vocabulary import Vocabulary

pytestmark = pytest.mark.usefixtures("unsynced")

SPLITS = Splits((("train", 0.6), ("dev", 0.2), ("test", 0.2)), files=3)
SETTINGS = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
Rows = list[tuple[str, str]]


@pytest.fixture(scope="module")
def tops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new folder for each example of a property."""
    return (tmp_path_factory.mktemp("records") for _ in itertools.count())


def found_in(out: Path) -> dict[str, Rows]:
    """Label and text of the records of each split, ordered."""
    data_set = DataSet.open(str(out))
    labels = data_set.task().labels["label"]
    return {
        split: sorted((labels[record["label"]], record["text"]) for record in data_set.records(split))
        for split in data_set.manifest["splits"]
    }


def bytes_of(out: Path) -> dict[str, bytes]:
    """All that must not depend on how it was made, and nothing else of its kind in the folder."""
    assert verify(out) == []
    names = {"manifest.json", *(file.name for file in listed(manifest(out)))}
    beside = {path.name for path in out.iterdir()} - {SUCCESS, "run.json", SHARDS}
    assert beside == names
    return {name: (out / name).read_bytes() for name in names}


def documents(top: Path, texts: Sequence[str]) -> Path:
    """A folder with a document for each text, always of the same age."""
    for number, text in enumerate(texts):
        path = top / "corpus" / "甲乙丙"[number % 3] / f"{number:03d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        os.utime(path, (1, 1))
    (top / "corpus").mkdir(exist_ok=True)
    return top / "corpus"


def test_every_input_is_a_record_once(tmp_path: Path) -> None:
    rows = numbered(60)
    source = write_labelled(tmp_path / "a.tsv", rows)
    outcome = made(classification(tmp_path, tmp_path / "out", source, splits=SPLITS))
    found = found_in(tmp_path / "out")
    assert sorted(itertools.chain(*found.values())) == sorted(rows)
    content = manifest(tmp_path / "out")
    assert outcome.manifest == content
    assert content["splits"] == {split: len(of_split) for split, of_split in found.items()}
    assert sorted(found) == ["dev", "test", "train"]
    assert min(map(len, found.values())) > 3
    assert content["labels"] == {"label": ["丙", "乙", "甲"]}
    tokens = sum(len(record["ids"]) for split in found for record in DataSet.open(str(tmp_path / "out")).records(split))
    size = source.stat().st_size
    totals = {"documents": 60, "records": 60, "tokens": tokens, "cut": 0, "mended": 0, "bytes": size, "dead_letters": 0}
    assert content["totals"] == totals
    assert [part["name"] for part in content["parts"]] == [
        *(f"text_classification_train.tfrecord-0000{number}-of-00003" for number in range(3)),
        "text_classification_dev.tfrecord-00000-of-00001",
        "text_classification_test.tfrecord-00000-of-00001",
    ]
    assert not (tmp_path / "out" / PARTS).exists()
    bytes_of(tmp_path / "out")


def test_split_and_file_follow_from_the_id(tmp_path: Path) -> None:
    made(classification(tmp_path, tmp_path / "out", write_labelled(tmp_path / "a.tsv", numbered(60)), splits=SPLITS))
    found = DataSet.open(str(tmp_path / "out"))
    number = 0
    for split in SPLITS.names:
        for name in found.files(split):
            ids = [found.read(raw)["id"] for _, raw in found.frames(name)]
            assert {SPLITS.place(one) for one in ids} <= {number}
            assert ids == sorted(ids, key=lambda one: SPLITS.key(one, 0))
            number += 1


def test_inputs_that_are_named_for_a_split_are_in_it(tmp_path: Path) -> None:
    rows = numbered(30)
    first, second = write_labelled(tmp_path / "a.tsv", rows[:20]), write_labelled(tmp_path / "b.tsv", rows[20:])
    job = classification(
        tmp_path, tmp_path / "out", first, ("held_out", second), splits=replace(SPLITS, named=("held_out",))
    )
    made(replace(job, shard_bytes=100))
    found = found_in(tmp_path / "out")
    assert found.pop("held_out") == sorted(rows[20:])
    assert sorted(itertools.chain(*found.values())) == sorted(rows[:20])


def test_an_input_that_is_named_for_two_splits(tmp_path: Path) -> None:
    source = write_labelled(tmp_path / "a.tsv", numbered(3))
    splits = Splits(named=("dev",), files=1)
    job = classification(tmp_path, tmp_path / "out", ("dev", source), ("train", source), splits=splits)
    with pytest.raises(InputError, match=r"a\.tsv: named for dev and train$"):
        made(job)
    made(classification(tmp_path, tmp_path / "twice", ("dev", source), ("dev", source), splits=splits))
    assert manifest(tmp_path / "twice")["splits"] == {"dev": 3, "train": 0}


@given(
    texts=st.lists(st.text("中国人民。ab\n", max_size=9), max_size=12),
    shard_bytes=st.integers(1, 60),
    salt=st.sampled_from(["hanmill", "other"]),
)
@SETTINGS
def test_shards_change_no_byte(tops: Iterator[Path], texts: list[str], shard_bytes: int, salt: str) -> None:
    """Copies, empty texts and unknown characters among them."""
    top = next(tops)
    splits = replace(SPLITS, salt=salt)
    job = classification(top, top / "one", documents(top, texts), splits=splits, max_bad_records="100%")
    if not texts:
        with pytest.raises(InputError, match="no document there"):
            made(job)
        return
    made(job)
    made(replace(job, directory=top / "two", shard_bytes=shard_bytes))
    assert bytes_of(top / "one") == bytes_of(top / "two")
    found = Counter(text for of_split in found_in(top / "one").values() for _, text in of_split)
    assert found == Counter(text.rstrip("\n") for text in texts if text.strip())
    bad = sum(not text.strip() for text in texts)
    assert manifest(top / "one")["totals"]["dead_letters"] == bad


@given(
    texts=st.lists(st.text("中国人民。ab", min_size=1, max_size=6), min_size=2, max_size=12, unique=True),
    changes=st.dictionaries(st.integers(0, 11), st.sampled_from(["change", "remove"]), max_size=3),
    more=st.integers(0, 3),
    shard_bytes=st.integers(5, 60),
)
@SETTINGS
def test_a_corpus_that_changes_gives_what_a_fresh_run_gives(
    tops: Iterator[Path], texts: list[str], changes: dict[int, str], more: int, shard_bytes: int
) -> None:
    """And no text that stays changes its split."""
    top = next(tops)
    corpus = documents(top, texts)
    (corpus / "stays.txt").write_text("标题")
    job = classification(top, top / "out", corpus, splits=SPLITS, shard_bytes=shard_bytes)
    made(job)
    before = found_in(top / "out")
    for number, change in changes.items():
        path = corpus / "甲乙丙"[number % 3] / f"{number:03d}.txt"
        if path.exists() and change == "remove":
            path.unlink()
        elif path.exists():
            path.write_text("上海" + path.read_text("utf-8"), "utf-8")
    for number in range(more):
        (corpus / f"{number}.txt").write_text(f"北京{number}")
    outcome = made(job)
    made(replace(job, directory=top / "fresh"))
    assert bytes_of(top / "out") == bytes_of(top / "fresh")
    touched = any((corpus / "甲乙丙"[number % 3]).exists() and number < len(texts) for number in changes)
    assert outcome.repeated == (not more and not touched)
    after = {text: split for split, rows in found_in(top / "out").items() for _, text in rows}
    for split, rows in before.items():
        assert {after.get(text, split) for _, text in rows} <= {split}


def test_a_day_of_new_articles_costs_a_day_of_work(tmp_path: Path) -> None:
    first = write_labelled(tmp_path / "a.tsv", numbered(40))
    job = classification(tmp_path, tmp_path / "out", first, splits=SPLITS)
    made(job)
    second = write_labelled(tmp_path / "b.tsv", [("乙", "北京大学"), ("丁", "上海")])
    outcome = made(replace(job, inputs=(*job.inputs, ("", str(second)))))
    assert outcome.run["shards"] == {"total": 2, "counted": 1, "kept": 1}
    assert manifest(tmp_path / "out")["labels"] == {"label": ["丁", "丙", "乙", "甲"]}
    assert manifest(tmp_path / "out")["totals"]["documents"] == 42


def test_an_input_that_changes_its_split_is_read_again(tmp_path: Path) -> None:
    first, second = (
        write_labelled(tmp_path / "a.tsv", numbered(9)),
        write_labelled(tmp_path / "b.tsv", [("甲", "标题")]),
    )
    splits = Splits(named=("train", "dev"), files=1)
    job = classification(tmp_path, tmp_path / "out", ("train", first), ("dev", second), splits=splits, shard_bytes=50)
    assert made(job).manifest["splits"] == {"train": 9, "dev": 1}
    outcome = made(replace(job, inputs=(("train", str(first)), ("train", str(second)))))
    assert (outcome.run["shards"]["counted"], outcome.run["shards"]["kept"] > 3) == (1, True)
    assert manifest(tmp_path / "out")["splits"] == {"train": 10, "dev": 0}


def test_up_to_date_is_left_alone(tmp_path: Path) -> None:
    job = classification(tmp_path, tmp_path / "out", write_labelled(tmp_path / "a.tsv", numbered(9)), splits=SPLITS)
    made(job)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    outcome = made(replace(job, shard_bytes=50), workers=2)
    assert outcome.repeated
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before


def test_a_part_that_is_gone_is_made_again(tmp_path: Path) -> None:
    job = classification(tmp_path, tmp_path / "out", write_labelled(tmp_path / "a.tsv", numbered(9)), splits=SPLITS)
    made(job)
    before = bytes_of(tmp_path / "out")
    for name in ("text_classification_train.tfrecord-00001-of-00003", "vocab.txt"):
        (tmp_path / "out" / name).unlink()
        outcome = made(job)
        assert (outcome.repeated, outcome.run["shards"]["counted"]) == (False, 0)
        assert bytes_of(tmp_path / "out") == before


CHANGES: dict[str, dict[str, Any]] = {
    "splits": {"splits": replace(SPLITS, salt="other")},
    "shares": {"splits": replace(SPLITS, shares=(("train", 0.8), ("dev", 0.1), ("test", 0.1)))},
    "order of shares": {"splits": replace(SPLITS, shares=(("dev", 0.2), ("test", 0.2), ("train", 0.6)))},
    "files": {"splits": replace(SPLITS, files=4)},
    "errors": {"reading": Reading(errors="replace")},
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_configuration_is_named(tmp_path: Path, change: str) -> None:
    """The order of shares decides where the files of splits begin."""
    job = classification(tmp_path, tmp_path / "out", write_labelled(tmp_path / "a.tsv", numbered(9)), splits=SPLITS)
    made(job)
    before = bytes_of(tmp_path / "out")
    name = "errors" if change == "errors" else "splits"
    with pytest.raises(InputError, match=rf"holds a run with other options \({name}: .*, now .*add --fresh$"):
        made(replace(job, **CHANGES[change]))
    assert bytes_of(tmp_path / "out") == before


def test_another_vocabulary_is_another_configuration(tmp_path: Path) -> None:
    """Even under the same path, in a process that has read it before: --fresh takes its tokens."""
    source = write_labelled(tmp_path / "a.tsv", [("甲", "龘中")])
    job = classification(tmp_path, tmp_path / "out", source)
    made(job)
    path = tmp_path / "made_vocabulary.txt"
    path.write_text(path.read_text("utf-8") + "龘\n", "utf-8")
    with pytest.raises(InputError, match=r"other options \(vocabulary: '"):
        made(job)
    made(job, fresh=True)
    (record,) = DataSet.open(str(tmp_path / "out")).records("train")
    tokens = Vocabulary.read(tmp_path / "out/vocab.txt").tokens
    assert [tokens[number] for number in record["ids"]] == ["[CLS]", "龘", "中", "[SEP]"]


def test_fresh_replaces_another_task(tmp_path: Path) -> None:
    made(classification(tmp_path, tmp_path / "out", write_labelled(tmp_path / "a.tsv", numbered(9)), splits=SPLITS))
    schema = write_lines(tmp_path / "event_schema.json", EVENT_TYPES)
    options = task_options(tmp_path, "event-extraction", schema=schema)
    source = str(write_lines(tmp_path / "events.json", [EVENT]))
    job = Records((("", source),), tmp_path / "out", options, LINES, SPLITS)
    with pytest.raises(InputError, match=r"other options \(.*task: 'text-classification', now 'event-extraction'"):
        made(job)
    with pytest.raises(InputError, match="no such file"):
        made(replace(job, inputs=(("", "nowhere"),)), fresh=True)
    assert found_in(tmp_path / "out")
    made(job, fresh=True)
    made(replace(job, directory=tmp_path / "other"))
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "other")
    assert {"schema.json", "event_types.labels.txt", "argument_roles.labels.txt"} < bytes_of(tmp_path / "out").keys()


def test_copies_of_a_text_without_an_id_stand_in_the_order_of_their_content(tmp_path: Path) -> None:
    """However they come: the first of two shards may be read last."""
    schema = write_lines(tmp_path / "event_schema.json", EVENT_TYPES)
    options = task_options(tmp_path, "event-extraction", schema=schema)
    whole = EVENT["event_list"][0]
    places = [(6, 4), (11, 4), (6, 12), (11, 12)]
    events = [
        {
            "text": f"{EVENT['text']}。发北京",
            "event_list": [
                {
                    **whole,
                    "trigger_start_index": trigger,
                    "arguments": [{**whole["arguments"][0], "argument_start_index": argument}],
                }
            ],
        }
        for trigger, argument in places
    ]
    made_of = []
    for number, order in enumerate(itertools.islice(itertools.permutations(events), 0, 24, 7)):
        folder = tmp_path / str(number)
        folder.mkdir()
        source = str(write_lines(folder / "a.json", order))
        job = Records((("", source),), folder / "out", options, LINES, Splits(files=1), shard_bytes=100)
        made(job)
        made_of.append((folder / "out/event_extraction_train.tfrecord-00000-of-00001").read_bytes())
    assert len(made_of) == 4
    assert {*made_of} == {made_of[0]}
    records = DataSet.open(str(tmp_path / "0/out")).records("train")
    found = [(int(record["trigger_begins"][0]), int(record["argument_begins"][0])) for record in records]
    assert sorted(found) == sorted(places)


def test_copies_of_a_text_stay_in_one_split(tmp_path: Path) -> None:
    """Each is a record all the same, whatever its label."""
    rows = [(label, f"第{number}") for number in range(9) for label in "甲乙甲"]
    made(classification(tmp_path, tmp_path / "out", write_labelled(tmp_path / "a.tsv", rows), splits=SPLITS))
    found = found_in(tmp_path / "out")
    assert Counter(itertools.chain(*found.values())) == Counter(rows)
    assert sum(len({text for _, text in of_split}) for of_split in found.values()) == 9


@pytest.mark.parametrize("name", ["text-classification", "masked-language-model"])
def test_a_file_is_encoded_piece_by_piece(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bytes that it has at once: copies of a text are told apart across pieces, texts packed across them."""
    source = write_labelled(tmp_path / "a.tsv", [(label, f"第{number}") for number in range(9) for label in "甲乙丙"])
    more = {"max_length": 12, "across": True} if name == "masked-language-model" else {}
    job = Records((("", str(source)),), tmp_path / "one", task_options(tmp_path, name, **more), splits=Splits(files=2))
    made(job)
    monkeypatch.setattr(record_tables, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(records, "_PACKED_AT_ONCE", 1)
    made(replace(job, directory=tmp_path / "two"))
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    assert manifest(tmp_path / "one")["totals"]["records"] == (27 if name == "text-classification" else 9)


@pytest.mark.parametrize("changed", ["vocabulary", "schema"])
def test_files_that_change_under_a_run_are_told(tmp_path: Path, changed: str) -> None:
    """Ids of one vocabulary beside another would be nobody's."""
    schema = write_lines(tmp_path / "event_schema.json", EVENT_TYPES)
    options = task_options(tmp_path, "event-extraction", schema=schema)
    source = write_lines(tmp_path / "a.json", [EVENT, {**EVENT, "text": f"{EVENT['text']}。"}])
    job = Records((("", str(source)),), tmp_path / "out", options, LINES, Splits(files=1), shard_bytes=100)
    (tmp_path / "out" / SHARDS).mkdir(parents=True)
    plan = job.plan(workers=1)
    mapped = [job.map(shard) for shard in plan.shards]
    reduced = [reduce_partition(job, 0, mapped).entry]
    path = options.vocabulary if changed == "vocabulary" else schema
    path.write_bytes(path.read_bytes() + ("龘\n" if changed == "vocabulary" else "\n").encode())
    for task in (
        lambda: job.map(plan.shards[0]),
        lambda: reduce_partition(job, 0, mapped[:1]),
        lambda: job.finish(plan, mapped, reduced, dict),
    ):
        with pytest.raises(InputError, match=r"changed while the run was on, or differs between workers: start the ru"):
            task()
    assert not (tmp_path / "out" / SUCCESS).exists()


def test_records_that_are_missing_in_a_file_are_told(tmp_path: Path) -> None:
    source = write_labelled(tmp_path / "a.tsv", numbered(9))
    job = classification(tmp_path, tmp_path / "out", source, shard_bytes=50)
    (tmp_path / "out" / SHARDS).mkdir(parents=True)
    plan = job.plan(workers=1)
    mapped = [job.map(shard) for shard in plan.shards]
    reduced = [reduce_partition(job, partition, mapped[1:]).entry for partition in range(job.partitions)]
    with pytest.raises(EngineError, match=r"out: runs and files differ in records: start anew with --fresh$"):
        job.finish(plan, mapped, reduced, dict)


def test_labels_that_no_list_can_hold_are_dead_letters(tmp_path: Path) -> None:
    """Labels stand one a line; `tensorflow_datasets` takes white space off, and leaves blank lines out."""
    labels = ["甲", "a\nb", " 乙", "丙\r", "\u2003", "b c"]
    source = write_lines(tmp_path / "a.jsonl", [{"text": "中国", "label": label} for label in labels])
    made(classification(tmp_path, tmp_path / "out", source, max_bad_records="4"))
    assert manifest(tmp_path / "out")["labels"] == {"label": ["b c", "甲"]}
    assert (tmp_path / "out/label.labels.txt").read_text("utf-8") == "b c\n甲\n"
    assert [letter["reason"] for letter in dead_letters(tmp_path / "out")] == [
        f"label {label!r} is empty, or has white space around it or a line break in it" for label in labels[1:5]
    ]


def test_all_code_that_makes_records_is_in_their_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of other code are not kept: every module that is imported to make them counts, but for a few."""
    monkeypatch.setattr(records, "hash_of", set)
    hashed: Any = records.code_version.__wrapped__()
    # Errors and messages, what loads the dictionary (known by its hash), what is drawn when records are read.
    others = {"pipelines/errors.py", "pipelines/tally.py", "pipelines/datasets.py", "transforms/masking.py"}
    found, left = set[str](), ["pipelines/examples.py", "pipelines/task_options.py", "pipelines/dataset_info.py"]
    while left:
        name = left.pop()
        found.add(name)
        if name not in others:
            modules = {module for _, module in imported((ROOT / name).read_text("utf-8"))}
            paths = {f"{module.replace('.', '/')}.py" for module in modules}
            left += [path for path in paths if (ROOT / path).exists() and path not in found]
    assert len(found) > 20
    assert {name for name in found - others if ROOT / name not in hashed} == set()


def test_too_many_bad_records_leave_dead_letters_and_no_success(tmp_path: Path) -> None:
    source = tmp_path / "a.tsv"
    source.write_bytes("甲\t中国\n乙\t \n没有\n".encode() + b"\xff\xff\t\xff\n")
    job = classification(tmp_path, tmp_path / "out", source)
    with pytest.raises(BadRecordsError, match=r"3 of 4 records are bad, more than --max-bad-records 5%"):
        made(job)
    assert len(dead_letters(tmp_path / "out")) == 3
    assert not (tmp_path / "out" / SUCCESS).exists()
    outcome = made(replace(job, max_bad_records="3"))
    assert outcome.run["shards"]["counted"] == 0
    assert [(letter["offset"], letter["source"]) for letter in dead_letters(tmp_path / "out")] == [
        (11, str(source)), (17, str(source)), (24, str(source))
    ]  # fmt: skip
    with pytest.raises(BadRecordsError):
        made(replace(job, max_bad_records="2"))


def test_texts_across_documents_are_packed_whole(tmp_path: Path) -> None:
    texts = [f"第{number}，" + "中国人民。" * (number % 5) for number in range(30)]
    source = tmp_path / "a.txt"
    source.write_text("\n".join(texts), "utf-8")
    options = task_options(tmp_path, "masked-language-model", max_length=24, across=True)
    job = Records((("", str(source)),), tmp_path / "out", options, splits=Splits(files=2), shard_bytes=200)
    made(job)
    found = DataSet.open(str(tmp_path / "out"))
    tokens = found.task().vocabulary.tokens
    spelled = Counter[str]()
    pieces: dict[str, list[tuple[int, int]]] = {}
    for record in found.records("train"):
        assert len(record["ids"]) <= 24
        of_record = "".join(tokens[number] for number in record["ids"] if tokens[number] not in ("[CLS]", "[SEP]"))
        spelled.update(of_record.replace("[UNK]", "?"))
        for one, begin, end in zip(
            record["documents"], record["document_begins"], record["document_ends"], strict=True
        ):
            pieces.setdefault(one, []).append((int(begin), int(end)))
    assert pieces.keys() == {content_id(text) for text in texts}
    for text in texts:
        spans = sorted(pieces[content_id(text)])
        assert [spans[0][0], *(begin for begin, _ in spans[1:]), len(text)] == [0, *(end for _, end in spans)]
    assert spelled["中"] == sum(text.count("中") for text in texts)
    made(replace(job, directory=tmp_path / "other", shard_bytes=1 << 20))
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "other")


def test_an_entry_of_reduce_is_made_once(tmp_path: Path) -> None:
    source = write_labelled(tmp_path / "a.tsv", numbered(9))
    job = classification(tmp_path, tmp_path / "out", source)
    (tmp_path / "out" / SHARDS).mkdir(parents=True)
    plan = job.plan(workers=1)
    mapped = [job.map(shard) for shard in plan.shards]
    first = reduce_partition(job, 0, mapped).entry
    stamp = (tmp_path / "out" / first.files[0].name).stat().st_mtime_ns
    assert reduce_partition(job, 0, mapped).entry == first
    assert (tmp_path / "out" / first.files[0].name).stat().st_mtime_ns == stamp
    (tmp_path / "out" / first.files[0].name).unlink()
    assert reduce_partition(job, 0, mapped).entry == first


def test_a_damaged_run_is_told(tmp_path: Path) -> None:
    source = write_labelled(tmp_path / "a.tsv", numbered(9))
    job = classification(tmp_path, tmp_path / "out", source)
    (tmp_path / "out" / SHARDS).mkdir(parents=True)
    mapped = [job.map(shard) for shard in job.plan(workers=1).shards]
    (run,) = (tmp_path / "out" / SHARDS).glob("*.arrow")
    content = bytearray(run.read_bytes())
    content[len(content) // 4] ^= 1
    run.write_bytes(content)
    with pytest.raises(InputError, match=r"\.arrow: damaged between bytes"):
        [reduce_partition(job, partition, mapped).entry for partition in range(job.partitions)]
