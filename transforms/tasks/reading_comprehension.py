"""Reading comprehension, SQuAD's format as DuReader-robust and CMRC 2018 use it: a question, a context, answers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from transforms.tasks.json_input import field, gold_field, id_field, json_object, offset_field, text_field
from transforms.tasks.model import CERTAIN, Arrays, ByIds, Model, padded
from transforms.tasks.pointers import Bools, Floats, Numbers, text_of, text_tokens, token_spans
from transforms.tasks.record import BadRecord, Example, Kind, Record, Schema, content_id
from transforms.tasks.scores import reading_comprehension as scoring
from transforms.tasks.spans import at, columns, occurrences
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import Tokens, windows

LONGEST_QUESTION = 64
DEFAULT_STRIDE = 128
LONGEST_ANSWER = 128
# 28 of CMRC 2018's offsets are wrong by one or two characters, as a blank before the answer was cut off; what is
# farther off was meant for another text, or is counted in something else.
NEAR = 2


@dataclass(frozen=True, slots=True)
class ReadingComprehension:
    """Records: a window over the context behind the question, and every place of every answer in the context.

    An answer without a good offset is marked wherever it stands; the answers' own texts are what predictions are
    scored against. Segment 1 is the context: its tokens' offsets point into it, those of segment 0 into the question.
    A question has at most 64 tokens, and a quarter of `max_length`. Questions about one context go into one split.
    `stride`: tokens from window to window, 128 or what windows are long; raises ValueError where they would leave some
    out.
    """

    vocabulary: Vocabulary
    max_length: int
    labels: Mapping[str, Sequence[str]]
    stride: int | None = None

    name: ClassVar[str] = "reading-comprehension"
    reads: ClassVar[str] = "paragraphs"
    default_length: ClassVar[int] = 512
    listed: ClassVar[str] = "no"
    id_name: ClassVar[str] = "id"
    known_by: ClassVar[str] = "id"
    archived: ClassVar[bool] = False
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
        if self.stride is not None and not 1 <= self.stride <= largest_stride(self.max_length):
            raise ValueError(
                f"stride {self.stride}: between 1 and {largest_stride(self.max_length)}, what max_length "
                f"{self.max_length} leaves for a window"
            )

    def examples(self, text: str, label: str) -> Iterator[Example | BadRecord]:
        """The questions of a paragraph."""
        paragraph = json_object(text)
        context = text_field(paragraph, "context")
        for number, question in enumerate(field(paragraph, "qas", list)):
            try:
                yield _example(question, context, of=f"qas, item {number}: ")
            except BadRecord as error:
                yield error

    def records(self, example: Example, tokens: Sequence[Tokens]) -> Iterator[Record]:
        """A record for each window."""
        question, context = example.texts
        answers, spans = example.gold or ([], [])
        answer_begins, answer_ends = columns(spans)
        encodings = windows(
            *tokens,
            vocabulary=self.vocabulary,
            max_length=self.max_length,
            stride=default_stride(self.max_length) if self.stride is None else self.stride,
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

    def targets(self, record: Record, rng: np.random.Generator) -> dict[str, Any]:
        """`ids`, `segments` int32 [n]; `begin`, `end` int32 []: the first and the last token of an answer.

        One of the places that lie wholly in the window is drawn; both are 0, [CLS], where there is none.
        """
        places = self._places(record)
        begin, end = rng.choice(places) if len(places) else (0, 0)
        return {
            "ids": record["ids"].astype(np.int32),
            "segments": record["segments"].astype(np.int32),
            "begin": np.int32(begin),
            "end": np.int32(end),
        }

    def shapes(self, length: int) -> dict[str, tuple[int, ...]]:
        """The shapes of targets in a batch of records of `length` tokens."""
        return {"ids": (length,), "segments": (length,), "begin": (), "end": ()}

    def _places(self, record: Record) -> Numbers:
        """Tokens of the answers in the window, int64 [n, 2]."""
        spans, whole = token_spans(record, record["answer_begins"], record["answer_ends"])
        return spans[whole]

    def decode(self, records: Sequence[Record], model: Model, *, longest: int = LONGEST_ANSWER) -> list[dict[str, Any]]:
        """The answer to each question, of at most `longest` tokens; `model`: `ids`, `segments` to `begins`, `ends`.

        Logits become probabilities over the tokens of the context and [CLS], as in training, so that windows can be
        compared; the span of the context is taken whose begin and end are likeliest together, in whichever window.
        """
        inputs = {name: padded([record[name] for record in records]) for name in ("ids", "segments")}
        logits, allowed = model(inputs), text_tokens(records)
        begins, ends = (_log_probabilities(logits[name], allowed) for name in ("begins", "ends"))
        scores, places = _likeliest(begins, ends, longest=longest)
        answers: dict[tuple[str, ...], tuple[float, str]] = {}
        for record, place, score in zip(records, places.tolist(), scores.tolist(), strict=True):
            said = text_of(record, *place) if score > -np.inf else ""
            of = tuple(record[name] for name in ("id", "question", "context"))
            answers[of] = max(answers.get(of, (-np.inf, "")), (score, said), key=lambda pair: pair[0])
        return [{"id": id, "answer": said} for (id, *_), (_, said) in answers.items()]

    def perfect(self, records: Sequence[Record]) -> Model:
        """The model that answers from the records' own gold, with the shortest of the places that say an answer."""
        known = ByIds(records)

        def model(inputs: Arrays) -> Arrays:
            edges = np.full((2, *inputs["ids"].shape), -CERTAIN, np.float32)
            for row, ids in enumerate(inputs["ids"]):
                record = known[ids][0]
                ordered = sorted(self._places(record).tolist(), key=lambda span: span[1] - span[0])
                ordered.sort(key=lambda span: text_of(record, *span) not in record["answers"])
                place = ordered[0] if ordered else (0, 0)
                edges[[0, 1], row, place] = CERTAIN
            return {"begins": edges[0], "ends": edges[1]}

        return model

    def gold(self, records: Sequence[Record]) -> dict[str, list[str]]:
        """The answers by question; one without answers, as a test set has them, is left out."""
        return {record["id"]: record["answers"] for record in records if record["answers"]}

    @staticmethod
    def nothing(*, id: str = "", text: str = "") -> dict[str, Any]:
        """An empty answer."""
        return {"id": id, "answer": ""}

    @staticmethod
    def write(predictions: Sequence[Mapping[str, Any]]) -> bytes:
        """The file that the organisers take: an object of answers by question."""
        answers = {prediction["id"]: prediction["answer"] for prediction in predictions}
        return json.dumps(answers, ensure_ascii=False, indent=1).encode()

    read_predictions = staticmethod(scoring.read_predictions)
    read_gold = staticmethod(scoring.read_gold)
    score = staticmethod(scoring.score)

    def marks(self, record: Record) -> Iterator[tuple[int, int, str]]:
        """What a person wants to see in the context."""
        for begin, end in zip(record["answer_begins"], record["answer_ends"], strict=True):
            yield int(begin), int(end), "answer"


def _log_probabilities(logits: Floats, allowed: Bools) -> Floats:
    """Of tokens of the context [rows, tokens], minus infinity elsewhere; what [CLS] has of the whole is missing."""
    known = np.concatenate([logits[:, :1], np.where(allowed, logits, -np.inf)], axis=1)
    return np.where(allowed, logits, -np.inf) - np.logaddexp.reduce(known, axis=1, keepdims=True)


def _likeliest(begins: Floats, ends: Floats, *, longest: int) -> tuple[Floats, Numbers]:
    """The largest sum of a begin and an end in each row, and the tokens of both, [rows, 2]."""
    every = np.arange(len(begins))
    scores, places = np.full(len(begins), -np.inf, begins.dtype), np.zeros((len(begins), 2), np.int64)
    for more in range(min(longest, begins.shape[1])):  # all at once would take `longest` times the memory
        both = begins[:, : begins.shape[1] - more] + ends[:, more:]
        first = both.argmax(axis=1)
        better = both[every, first] > scores
        scores[better] = both[every, first][better]
        places[better] = np.stack([first, first + more], axis=-1)[better]
    return scores, places


def default_stride(max_length: int) -> int:
    """How many tokens windows lie apart where nothing else is said.

    >>> default_stride(512), default_stride(128)
    (128, 93)
    """
    return min(DEFAULT_STRIDE, largest_stride(max_length))


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
    if (items := gold_field(question, "answers", of=of)) is None:
        return Example(number, (asked, context), missing="answers", group=content_id(context))
    said, spans, mended = [], set(), 0
    for place, item in enumerate(items):
        of_item = f"{of}answers, item {place}: "
        answer = text_field(item, "text", of=of_item)
        begin = offset_field(item, "answer_start", of=of_item)
        said.append(answer)
        if begin < 0:
            spans.update(occurrences(context, answer))
        else:
            spans.add(span := at(context, answer, begin, name=f"{of_item}answer", near=NEAR))
            mended += span[0] != begin
    if said and not spans:
        raise BadRecord(f"{of}answers, item 0: answer {said[0]!r} does not stand in the context")
    return Example(number, (asked, context), (said, sorted(spans)), group=content_id(context), mended=mended)
