"""Reading comprehension, SQuAD's format as DuReader-robust and CMRC 2018 use it: a question, a context, answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from transforms.tasks.json_input import field, gold_field, id_field, json_object, offset_field, text_field
from transforms.tasks.record import BadRecord, Example, Kind, Record, Schema, content_id
from transforms.tasks.spans import columns, occurrences
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import Tokens, windows

LONGEST_QUESTION = 64


@dataclass(frozen=True, slots=True)
class ReadingComprehension:
    """Records: a window over the context behind the question, and every place of every answer in the context.

    An answer without a good offset is marked wherever it stands; the answers' own texts are what predictions are
    scored against. Segment 1 is the context: its tokens' offsets point into it, those of segment 0 into the question.
    A question has at most 64 tokens, and a quarter of `max_length`. Questions about one context go into one split.
    Raises ValueError for a `stride`, in tokens, at which windows would leave some out.
    """

    vocabulary: Vocabulary
    max_length: int
    labels: Mapping[str, Sequence[str]]
    stride: int = 128

    name: ClassVar[str] = "reading-comprehension"
    reads: ClassVar[str] = "documents"
    default_length: ClassVar[int] = 512
    schema: ClassVar[Schema] = {
        "id": Kind.TEXT,
        "question": Kind.TEXT,
        "context": Kind.TEXT,
        "ids": Kind.INTEGERS,
        "segments": Kind.INTEGERS,
        "begins": Kind.INTEGERS,
        "ends": Kind.INTEGERS,
        "window": Kind.INTEGER,
        "answers": Kind.TEXTS,
        "answer_begins": Kind.INTEGERS,
        "answer_ends": Kind.INTEGERS,
    }

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= largest_stride(self.max_length):
            raise ValueError(
                f"stride {self.stride}: between 1 and {largest_stride(self.max_length)}, what max_length "
                f"{self.max_length} leaves for a window"
            )

    def examples(self, text: str, label: str) -> Iterator[Example | BadRecord]:
        """The questions of a document."""
        for number, article in enumerate(field(json_object(text), "data", list)):
            try:
                paragraphs = field(article, "paragraphs", list, of=f"data, item {number}: ")
            except BadRecord as error:
                yield error
                continue
            for place, paragraph in enumerate(paragraphs):
                of = f"data, item {number}, paragraph {place}: "
                try:
                    context, questions = text_field(paragraph, "context", of=of), field(paragraph, "qas", list, of=of)
                except BadRecord as error:
                    yield error
                    continue
                for question in questions:
                    try:
                        yield _example(question, context, of=of)
                    except BadRecord as error:
                        yield error

    def records(self, example: Example, tokens: Sequence[Tokens]) -> Iterator[Record]:
        """A record for each window."""
        question, context = example.texts
        answers, spans = example.gold
        answer_begins, answer_ends = columns(spans)
        encodings = windows(
            *tokens,
            vocabulary=self.vocabulary,
            max_length=self.max_length,
            stride=self.stride,
            most_first=_question_length(self.max_length),
        )
        for window, encoding in enumerate(encodings):
            yield {
                "id": example.id,
                "question": question,
                "context": context,
                "ids": encoding.ids,
                "segments": encoding.segments,
                "begins": encoding.begins,
                "ends": encoding.ends,
                "window": window,
                "answers": answers,
                "answer_begins": answer_begins,
                "answer_ends": answer_ends,
            }

    def marks(self, record: Record) -> Iterator[tuple[int, int, str]]:
        """What a person wants to see in the context."""
        for begin, end in zip(record["answer_begins"], record["answer_ends"], strict=True):
            yield int(begin), int(end), "answer"


def largest_stride(max_length: int) -> int:
    """How many tokens windows may lie apart, whatever the question: the shortest window's length.

    >>> largest_stride(512), largest_stride(128)
    (445, 93)
    """
    return max_length - 3 - _question_length(max_length)


def _question_length(max_length: int) -> int:
    return min(LONGEST_QUESTION, max_length // 4)


def _example(question: Any, context: str, *, of: str) -> Example:
    number = id_field(question, "id", of=of)
    if not number:
        raise BadRecord(f"{of}a question without field 'id'")
    of = f"question {number}: "
    asked = text_field(question, "question", of=of)
    said, spans = [], set()
    for item in gold_field(question, "answers", of=of):
        answer = text_field(item, "text", of=of)
        begin = offset_field(item, "answer_start", of=of)
        said.append(answer)
        if begin >= 0 and context.startswith(answer, begin):
            spans.add((begin, begin + len(answer)))
        else:
            spans.update(occurrences(context, answer))
    if said and not spans:
        raise BadRecord(f"{of}answer {said[0]!r} does not stand in the context")
    return Example(number, (asked, context), (said, sorted(spans)), group=content_id(context))
