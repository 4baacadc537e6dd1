"""Small data sets of records, made by the job as a user makes them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.datasets import DataSet
from pipelines.engines.local import Local
from pipelines.records import Records
from pipelines.run import Outcome, run
from pipelines.storage.sources import Reading
from pipelines.tally import prepare
from pipelines.task_options import TaskOptions
from tests.pipelines.command import hanmill
from transforms.splits import Splits
from transforms.vocabulary import SPECIAL_TOKENS

CHARACTERS = "中国人民的一是在有了大学生上海北京研究所为不和地发，。！标题第类甲乙丙"
LINES = Reading(format="lines")

RELATION = {
    "text": "《甲》是上海的中国人写的",
    "spo_list": [
        {"subject": "甲", "predicate": "作者", "object": {"@value": "中国人", "inWork": "上海"}},
        {"subject": "上海", "predicate": "国家", "object": {"@value": "中国"}},
    ],
}
PREDICATES = [
    {"predicate": "作者", "object_type": {"inWork": "地点", "@value": "人物"}},
    {"predicate": "国家", "object_type": {"@value": "国家"}},
]
EVENT = {
    "id": "e1",
    "text": "大学生在北京发了标题",
    "event_list": [
        {
            "event_type": "发",
            "trigger": "发",
            "trigger_start_index": 6,
            "arguments": [{"argument": "北京", "role": "地", "argument_start_index": 4}],
        }
    ],
}
EVENT_TYPES = [{"event_type": "发", "role_list": [{"role": "地"}, {"role": "人"}]}]
LINKED = {
    "text_id": "7",
    "text": "北京大学在北京",
    "mention_data": [
        {"mention": "北京大学", "offset": "0", "kb_id": "12"},
        {"mention": "北京", "offset": "5", "kb_id": "NIL"},
    ],
}
QUESTION = {"id": "q1", "question": "大学在上海", "answers": [{"text": "北京", "answer_start": -1}]}
READING = {"data": [{"paragraphs": [{"context": "北京有大学。上海有研究所，北京", "qas": [QUESTION]}]}]}


def write_vocabulary(path: Path) -> Path:
    path.write_text("\n".join([*SPECIAL_TOKENS, *CHARACTERS, "ab", "##c", "1"]) + "\n", "utf-8")
    return path


def write_lines(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def write_labelled(path: Path, rows: Sequence[tuple[str, str]]) -> Path:
    """Lines `label<TAB>text`."""
    path.write_text("".join(f"{label}\t{text}\n" for label, text in rows), "utf-8")
    return path


def task_options(folder: Path, name: str, **options: Any) -> TaskOptions:
    """A task with a vocabulary, and the dictionary where it needs one."""
    vocabulary = folder / "made_vocabulary.txt"
    if not vocabulary.exists():
        write_vocabulary(vocabulary)
    words = prepare(None, ()) if name == "masked-language-model" else ""
    return TaskOptions(name, vocabulary, dictionary_hash=words, **options)


def classification(folder: Path, out: Path, *inputs: Path | tuple[str, Path], **options: Any) -> Records:
    """The job over lines with labels; of inputs by themselves no split is named."""
    named = tuple((item[0], str(item[1])) if isinstance(item, tuple) else ("", str(item)) for item in inputs)
    options.setdefault("splits", Splits(files=2))
    return Records(named, out, task_options(folder, "text-classification"), **options)


def make_records(folder: Path, *inputs: str, max_length: int = 64) -> None:
    """Classified texts in the folder's `records`, as the command makes them; inputs may be named for a split."""
    vocabulary = write_vocabulary(folder / "vocab.txt")
    options = ("--vocab", vocabulary, "--max-length", max_length, "--workers", 1, "--out", folder / "records")
    done = hanmill("records", "text-classification", *inputs, *options)
    assert done.code == 0, done.err


def made(job: Records, *, workers: int = 1, fresh: bool = False) -> Outcome:
    return run(job, engine=Local(workers), fresh=fresh)


def numbered(count: int, *, longest: int = 12) -> list[tuple[str, str]]:
    """Texts that are all different, of many lengths, with three labels."""
    return [("甲乙丙"[number % 3], f"第{number}" + "中国人" * (number * 7 % longest) + "。") for number in range(count)]


def data_set(folder: Path, count: int, *, files: int = 4) -> DataSet:
    """Classified texts in so many files."""
    folder.mkdir(parents=True, exist_ok=True)
    source = write_labelled(folder / "input.tsv", numbered(count))
    made(classification(folder, folder / "out", source, splits=Splits(files=files)))
    return DataSet.open(str(folder / "out"))
