"""Scores of reading comprehension as DuReader-robust's `evaluate.py` makes them: F1 and exact match, best answer."""

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from transforms.tasks.json_input import field, id_field, json_lines, json_object, paragraphs, text_field, utf8
from transforms.tasks.record import BadRecord

_LEFT_OUT = str.maketrans(dict.fromkeys(":_`，。：？！()“”；’《》·、,「」（）－～『』|"))
_ALONE = (
    "\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f"
    "\U0002b820-\U0002ceaf\uf900-\ufaff\U0002f800-\U0002fa1f="
)
_UNIT = re.compile(f"[{_ALONE}]|[^{_ALONE}]+")


def read_predictions(content: bytes) -> dict[str, str]:
    """The answers by question of `{"question": "answer", ...}`, or of JSON lines `{"id": "question", "answer": ...}`.

    Raises BadRecord, also for a question that stands there twice.
    """
    text = utf8(content)
    if _is_row(text.lstrip().partition("\n")[0]):
        return _answers(content)
    answers = json_object(text, each_once=True)
    for question in answers:
        field(answers, question, str)
    return answers


def _is_row(line: str) -> bool:
    try:
        return json_object(line).keys() == {"id", "answer"}
    except BadRecord:
        return False


def _answers(content: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for of, row in json_lines(content):
        name = id_field(row, "id", of=of)
        if name in found:
            raise BadRecord(f"{of}question {name} stands there twice")
        found[name] = field(row, "answer", str, of=of)
    return found


def read_gold(content: bytes) -> dict[str, list[str]]:
    """The right answers by question; raises BadRecord for a question that has none, or stands there twice."""
    gold: dict[str, list[str]] = {}
    for of, paragraph in paragraphs(json_object(utf8(content))):
        if isinstance(paragraph, BadRecord):
            raise paragraph
        for question in field(paragraph, "qas", list, of=of):
            name = id_field(question, "id", of=of)
            answers = field(question, "answers", list, of=f"{of}question {name}: ")
            if name in gold or not answers:
                why = "stands there twice" if name in gold else "has no answer"
                raise BadRecord(f"{of}question {name} {why}")
            at = f"{of}question {name}: answers, item "
            gold[name] = [text_field(answer, "text", of=f"{at}{place}: ") for place, answer in enumerate(answers)]
    return gold


def score(predictions: Mapping[str, str], gold: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """`f1` and `exact_match`, means over the questions of `gold`; one without prediction counts 0.

    >>> score({"a": "1987年。"}, {"a": ["1987年", "年"], "b": ["小城"]})
    {'f1': 0.5, 'exact_match': 0.5}
    """
    pairs = [(predictions[name], answers) for name, answers in gold.items() if name in predictions]
    f1 = sum(max(_f1(said, answer) for answer in answers) for said, answers in pairs)
    exact = sum(_normalized(said) in map(_normalized, answers) for said, answers in pairs)
    return {"f1": f1 / len(gold), "exact_match": exact / len(gold)} if gold else {"f1": 0.0, "exact_match": 0.0}


def _f1(said: str, answer: str) -> float:
    """Of units, what is common being the longest run of them that stands in both."""
    first, second = _units(said), _units(answer)
    common = SequenceMatcher(None, first, second, autojunk=False).find_longest_match().size
    return 2 * common / (len(first) + len(second)) if common else 0.0


def _normalized(text: str) -> str:
    return text.lower().translate(_LEFT_OUT)


def _units(text: str) -> list[str]:
    """Each Chinese character and `=` by itself, all else in runs, blanks among it.

    >>> _units("1987年, a b")
    ['1987', '年', ' a b']
    """
    return _UNIT.findall(_normalized(text))
