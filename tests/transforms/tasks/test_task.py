"""All tasks there are, by their names."""

from typing import Any, get_args

import pytest

from tests.transforms.tasks.making import VOCABULARY
from transforms.tasks.record import Kind
from transforms.tasks.task import TASKS, Extraction, Reads, Task, tokenizer_of
from transforms.vocabulary import SPECIAL_TOKENS, Vocabulary


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest) -> Any:
    kind = TASKS[request.param]
    return kind(VOCABULARY, kind.default_length, {})


def test_names() -> None:
    assert list(TASKS) == [
        "masked-language-model",
        "text-classification",
        "reading-comprehension",
        "relation-extraction",
        "event-extraction",
        "entity-linking",
    ]
    assert all(task.name == name for name, task in TASKS.items())


def test_a_task_has_what_the_protocol_says(task: Task) -> None:
    public = [name for name in (*Task.__annotations__, *vars(Task)) if not name.startswith("_")]
    assert len(public) > 8
    assert all(hasattr(task, name) for name in public)
    assert task.reads in get_args(Reads)
    assert 8 <= task.default_length == task.max_length <= 512


@pytest.mark.parametrize("name", ["reading-comprehension", "relation-extraction", "event-extraction"])
def test_a_task_that_extracts_has_what_its_protocol_says(name: str) -> None:
    assert all(callable(getattr(TASKS[name], method)) for method in vars(Extraction) if not method.startswith("_"))


CASED = Vocabulary((*SPECIAL_TOKENS, "A", "a", "##B", "##b"))
SINGLE = Vocabulary((*SPECIAL_TOKENS, "A", "a", "B", "b"))


@pytest.mark.parametrize(
    ("name", "vocabulary", "tokens"),
    [
        ("masked-language-model", CASED, ["A", "##B"]),
        ("masked-language-model", VOCABULARY, ["ab"]),
        ("entity-linking", CASED, ["a", "##b"]),
        ("entity-linking", SINGLE, ["a", "b"]),
    ],
)
def test_how_texts_are_cut(name: str, vocabulary: Vocabulary, tokens: list[str]) -> None:
    (found,) = tokenizer_of(TASKS[name](vocabulary, 64, {})).tokenize(["AB"])
    assert [vocabulary.tokens[token] for token in found.ids] == tokens


def test_features(task: Task) -> None:
    """Spans come in pairs, and labels can be read or are all that the data has."""
    assert task.schema["id"] is Kind.TEXT
    assert task.schema["ids"] is Kind.INTEGERS
    for name, kind in task.schema.items():
        if name.endswith("begins"):
            assert kind is task.schema[f"{name.removesuffix('begins')}ends"] is Kind.INTEGERS
        if kind in (Kind.LABEL, Kind.LABELS):
            assert hasattr(task, "read_labels")
