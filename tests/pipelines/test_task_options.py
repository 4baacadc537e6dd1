"""Options of tasks: what each takes and needs, what it depends on, and the task made of them."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.engines.local import Local
from pipelines.errors import InputError, UsageError
from pipelines.knowledge_base import BuildKnowledgeBase
from pipelines.run import run
from pipelines.storage.knowledge_base import knowledge_base_hash
from pipelines.task_options import TaskOptions, open_task
from tests.pipelines.made_records import EVENT_TYPES, PREDICATES, task_options, write_lines, write_vocabulary
from transforms.tasks.reading_comprehension import DEFAULT_STRIDE
from transforms.tasks.task import TASKS

SCHEMA = Path("schema.json")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("relation-extraction", {}, "relation-extraction needs --schema FILE: the organisers' list of its labels"),
        ("event-extraction", {}, "event-extraction needs --schema FILE"),
        ("entity-linking", {"schema": SCHEMA}, "--schema: entity-linking has no labels; only text-classification, "),
        ("masked-language-model", {"schema": SCHEMA}, "--schema: masked-language-model has no labels"),
        ("text-classification", {"stride": 3}, "--stride: text-classification has no windows"),
        ("event-extraction", {"schema": SCHEMA, "knowledge_base": SCHEMA}, "--kb: event-extraction has no entities"),
        ("entity-linking", {"known_ids": True}, "--known-ids: known to what? name a knowledge base with --kb DIR"),
        ("entity-linking", {"across": True}, "--across-documents: entity-linking packs nothing"),
        ("entity-linking", {"max_length": 7}, "--max-length 7: between 8 and 65,536 tokens"),
        ("entity-linking", {"max_length": 65_537}, "--max-length 65537: between 8 and"),
        ("reading-comprehension", {"max_length": 128, "stride": 94}, "--stride 94: at most 93, what --max-length 128"),
        ("reading-comprehension", {"stride": 446}, "--stride 446: at most 445, what --max-length 512 leaves"),
    ],
)  # fmt: skip
def test_what_tasks_do_not_take(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}"):
        TaskOptions(name, Path("vocab.txt"), **options)


def test_windows_that_fit_the_longest_question() -> None:
    """At the limits of what is refused; what is not asked for fits by itself."""
    assert TaskOptions("reading-comprehension", Path("v"), max_length=195).window_stride == DEFAULT_STRIDE == 128
    assert TaskOptions("reading-comprehension", Path("v"), max_length=128).window_stride == 93
    assert TaskOptions("reading-comprehension", Path("v"), stride=445).window_stride == 445


@pytest.mark.parametrize("name", TASKS)
def test_each_task_opens_with_what_it_needs(tmp_path: Path, name: str) -> None:
    schema = None
    if name in ("relation-extraction", "event-extraction"):
        schema = write_lines(tmp_path / "s.json", PREDICATES if name == "relation-extraction" else EVENT_TYPES)
    options = task_options(tmp_path, name, schema=schema)
    task, wordpiece = open_task(options)
    assert (task.name, task.max_length) == (name, TASKS[name].default_length)
    assert bool(task.labels) == (schema is not None)
    assert wordpiece.tokenize(["中国"])[0].ids.tolist() == [task.vocabulary.ids["中"], task.vocabulary.ids["国"]]
    assert open_task(replace(options))[0] is task


def test_what_records_depend_on(tmp_path: Path) -> None:
    """Contents, not paths."""
    schema = write_lines(tmp_path / "s.json", PREDICATES)
    options = task_options(tmp_path, "relation-extraction", schema=schema)
    configuration = options.configuration
    assert configuration == {
        "task": "relation-extraction",
        "vocabulary": hashlib.sha256(options.vocabulary.read_bytes()).hexdigest(),
        "schema": hashlib.sha256(schema.read_bytes()).hexdigest(),
        "max_length": 256,
        "stride": None,
        "across_documents": False,
        "dictionary": "",
    }
    moved = replace(options, vocabulary=options.vocabulary.rename(tmp_path / "v"), schema=schema.rename(tmp_path / "t"))
    assert moved.configuration == configuration
    assert replace(moved, max_length=256).configuration == configuration
    (tmp_path / "v").write_bytes((tmp_path / "v").read_bytes() + b"x\n")
    assert moved.configuration["vocabulary"] != configuration["vocabulary"]
    assert replace(moved, max_length=128).configuration["max_length"] == 128
    reading = TaskOptions("reading-comprehension", tmp_path / "v")
    assert reading.configuration == replace(reading, stride=128).configuration
    assert reading.configuration != replace(reading, stride=64).configuration


def test_links_depend_on_their_knowledge_base(tmp_path: Path) -> None:
    """On what is in it."""
    kb_data = write_lines(tmp_path / "kb_data", [{"subject_id": "12", "subject": "北京"}])
    job = BuildKnowledgeBase((str(kb_data),), tmp_path / "kb")
    run(job, engine=Local(1))
    plain = task_options(tmp_path, "entity-linking")
    known = replace(plain, knowledge_base=tmp_path / "kb")
    before = known.configuration
    assert plain.configuration["knowledge_base"] is None
    assert before == {**plain.configuration, "knowledge_base": knowledge_base_hash(tmp_path / "kb")}
    assert replace(known, known_ids=True).configuration != before
    assert open_task(known)[0].candidates.of("北京") == [0]  # type: ignore[attr-defined]
    write_lines(kb_data, [{"subject_id": "12", "subject": "上海"}])
    run(job, engine=Local(1))
    assert known.configuration != before
    assert open_task(known)[0].candidates.of("北京") == []  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="no finished knowledge base there"):
        open_task(replace(plain, knowledge_base=tmp_path))


def test_files_that_change_under_their_path_are_read_again(tmp_path: Path) -> None:
    """A process of a cluster outlives runs."""
    schema = write_lines(tmp_path / "s.json", PREDICATES)
    options = task_options(tmp_path, "relation-extraction", schema=schema)
    assert open_task(options)[0].labels == {"predicates": ("作者_@value", "作者_inWork", "国家_@value")}
    write_lines(schema, PREDICATES[1:])
    assert open_task(options)[0].labels == {"predicates": ("国家_@value",)}
    options.vocabulary.write_bytes(options.vocabulary.read_bytes() + "龘\n".encode())
    assert "龘" in open_task(options)[0].vocabulary.ids


def test_capitals_are_kept_where_the_vocabulary_has_them(tmp_path: Path) -> None:
    small, capital = write_vocabulary(tmp_path / "small.txt"), tmp_path / "capital.txt"
    capital.write_bytes(small.read_bytes() + b"A\na\n")
    for path, token in ((small, "[UNK]"), (capital, "A")):
        task, wordpiece = open_task(TaskOptions("text-classification", path))
        assert [task.vocabulary.tokens[number] for number in wordpiece.tokenize(["A"])[0].ids] == [token]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"s\.json: no label in it$"),
        (b'{"predicate": "x", "object_type": "y"}\n{"predicate"\n', r"s\.json: line 2: not JSON: "),
        (b"\xff", r"s\.json: line 1: not UTF-8"),
        (
            '{"predicate": "作\\n者", "object_type": "x"}'.encode(),
            r"s\.json: label '作\\n者_@value' is empty, or has white space around it or a line break in it$",
        ),
    ],
)
def test_bad_schemas_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "s.json").write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_task(task_options(tmp_path, "relation-extraction", schema=tmp_path / "s.json"))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^{tmp_path}/nowhere: No such file or directory$"):
        open_task(TaskOptions("text-classification", tmp_path / "nowhere"))
    with pytest.raises(InputError, match=rf"^{tmp_path}: Is a directory$"):
        open_task(task_options(tmp_path, "text-classification", schema=tmp_path))
    (tmp_path / "bad.txt").write_bytes(b"[PAD]\n")
    with pytest.raises(InputError, match=rf"^{tmp_path}/bad\.txt: "):
        open_task(TaskOptions("text-classification", tmp_path / "bad.txt"))
