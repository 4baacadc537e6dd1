"""What a task is, and all there are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from transforms.tasks.entity_linking import EntityLinking
from transforms.tasks.event_extraction import EventExtraction
from transforms.tasks.masked_language_model import MaskedLanguageModel
from transforms.tasks.model import Model
from transforms.tasks.reading_comprehension import ReadingComprehension
from transforms.tasks.record import BadRecord, Example, Record, Schema
from transforms.tasks.relation_extraction import RelationExtraction
from transforms.tasks.text_classification import TextClassification
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import Tokenizer, Tokens, WordPiece

# How inputs are read: documents, lines and rows as for counting; JSON lines; the paragraphs of JSON files.
Reads = Literal["texts", "lines", "paragraphs"]
# Whether a task's labels are listed in a file, of which `read_labels` makes them.
Listed = Literal["no", "may be", "yes"]


class Task(Protocol):
    """From what an input says to records: texts are tokenized in batches between `examples` and `records`."""

    name: ClassVar[str]
    reads: ClassVar[Reads]
    default_length: ClassVar[int]
    listed: ClassVar[Listed]
    schema: ClassVar[Schema]

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def max_length(self) -> int:
        """The most tokens that a record has."""
        ...

    @property
    def labels(self) -> Mapping[str, Sequence[str]]:
        """Features that are labels, and the labels in the order of their numbers."""
        ...

    def examples(self, text: str, label: str) -> Iterator[Example | BadRecord]:
        """The examples of a text, bad ones among them; raises BadRecord where the text as a whole is bad."""
        ...

    def records(self, example: Example, tokens: Sequence[Tokens]) -> Iterator[Record]:
        """The records of an example, given the tokens of each of its texts; raises BadRecord."""
        ...

    def marks(self, record: Record) -> Iterator[tuple[int, int, str]]:
        """Begin, end and meaning of the spans that a person wants to see in the text of a record that was read."""
        ...


class Extraction(Task, Protocol):
    """A task that reads spans off a model's logits, and whose organisers score what was found.

    Records are as they are read again: integers int64, labels as their places. Predictions are rows as JSON has them.
    `id_name`: the field of an input in which its id is. `known_by`: the field of a prediction by which organisers know
    it. `archived`: whether they take nothing but a zip archive of the file.
    """

    id_name: ClassVar[str]
    known_by: ClassVar[str]
    archived: ClassVar[bool]

    def targets(self, record: Record, rng: np.random.Generator) -> Mapping[str, Any]:
        """What a model is trained on: arrays; all that is drawn at random is drawn here."""
        ...

    def shapes(self, length: int) -> Mapping[str, tuple[int, ...]]:
        """The shapes of targets in a batch of records of `length` tokens."""
        ...

    def decode(self, records: Sequence[Record], model: Model) -> list[dict[str, Any]]:
        """A prediction for each example, in the order in which they come; all records of one are given together."""
        ...

    def perfect(self, records: Sequence[Record]) -> Model:
        """The model that answers from the records' own gold: what decoding makes of it is the best that it can do."""
        ...

    def gold(self, records: Sequence[Record]) -> Any:
        """What records say is right, as `read_gold` has it of a file."""
        ...

    @staticmethod
    def nothing(*, id: str = "", text: str = "") -> dict[str, Any]:
        """The prediction for an example of which there is nothing to say, named by what it has."""
        ...

    @staticmethod
    def write(predictions: Sequence[Mapping[str, Any]]) -> bytes:
        """The file that the organisers take."""
        ...

    @staticmethod
    def read_predictions(content: bytes) -> Any:
        """What such a file says; raises BadRecord that names the line."""
        ...

    @staticmethod
    def read_gold(content: bytes) -> Any:
        """What a file of the task's format says is right; raises BadRecord, also for a row without gold."""
        ...

    @staticmethod
    def score(predictions: Any, gold: Any) -> dict[str, float]:
        """The organisers' metrics, 0 to 1."""
        ...


def tokenizer_of(task: Task) -> Tokenizer:
    """What cuts a task's texts: its own, or WordPiece that tells capitals from small letters if the vocabulary does."""
    if isinstance(task, EntityLinking):
        return task.tokenizer
    return WordPiece(task.vocabulary, lowercase=not task.vocabulary.cased)


TASKS: dict[str, type[Any]] = {
    task.name: task
    for task in (
        MaskedLanguageModel,
        TextClassification,
        ReadingComprehension,
        RelationExtraction,
        EventExtraction,
        EntityLinking,
    )
}
