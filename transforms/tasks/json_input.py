"""JSON as the organisers of competitions give it: an object a line, or one document."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from transforms.tasks.record import BadRecord, Example, content_id

# The field in which each task's gold is.
GOLD: Mapping[str, str] = {
    "reading-comprehension": "answers",
    "relation-extraction": "spo_list",
    "event-extraction": "event_list",
    "entity-linking": "mention_data",
}
_OFFSET = re.compile("-1|[0-9]{1,18}")
_TYPES = {str: "text", list: "a list", dict: "an object", bool: "true or false", type(None): "null"}


def json_object(text: str, *, each_once: bool = False) -> dict[str, Any]:
    """A JSON object; raises BadRecord for anything else. `each_once`: also for one that has a name twice.

    >>> json_object('{"text": "中国"}')
    {'text': '中国'}
    """
    try:
        value = json.loads(text, object_pairs_hook=_each_once if each_once else None)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text else ""  # else the text is itself a line of a file
        raise BadRecord(f"not JSON: {error.msg} at {line}character {error.colno}") from None
    except BadRecord:
        raise
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRecord(f"not a JSON object but {_type(value)}")
    return value


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise BadRecord(f"{next(name for name in names if names.count(name) > 1)} stands there twice")
    return found


def utf8(content: bytes) -> str:
    """The text of a file, without a byte order mark; raises BadRecord that names the line that is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadRecord(f"line {line}: not UTF-8 ({error.reason}): save the file as UTF-8") from None


def one_text(row: Any, *, id: str, gold: str) -> Example:
    """The example of an object with a text, an id if it has one, and a list that is its gold; raises BadRecord."""
    name = id_field(row, id)
    of = f"id {name}: " if name else ""
    check_own(row, gold, of=of)
    said, items = text_field(row, "text", of=of), gold_field(row, gold, of=of)
    return Example(name or content_id(said), (said,), items, missing=gold if items is None else "")


def check_own(row: Any, gold: str, *, of: str = "") -> None:
    """Raises BadRecord for an object that has the gold of another task and not this one's, `gold`, even as null.

    Without gold a row is one of a test set, in which nothing but a text would be looked at.
    """
    own = GOLD["reading-comprehension"] if gold == "data" else gold  # a question by itself is no file of them
    if gold not in row and (others := {task: name for task, name in GOLD.items() if name in row and name != own}):
        task, name = others.popitem()
        raise BadRecord(f"{of}field {name!r} and no {gold!r}: a row of {task}")


def json_lines(content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a file of JSON lines, each behind its line as messages name it; raises BadRecord that does.

    >>> list(json_lines(b'{"role": "a"}'))
    [('line 1: ', {'role': 'a'})]
    """
    for number, line in enumerate(utf8(content).split("\n"), 1):
        if line.strip():
            try:
                yield f"line {number}: ", json_object(line)
            except BadRecord as error:
                raise BadRecord(f"line {number}: {error}") from None


def paragraphs(document: Any) -> Iterator[tuple[str, Any]]:
    """The paragraphs of a document in SQuAD's format, each behind its place as messages name it.

    In the place of a bad article comes its BadRecord, without a place; raises BadRecord where there are no articles.

    >>> list(paragraphs({"data": [{"paragraphs": [{"context": "中国"}]}]}))
    [('data, item 0, paragraph 0: ', {'context': '中国'})]
    """
    check_own(document, "data")
    for number, article in enumerate(field(document, "data", list)):
        try:
            of_article = field(article, "paragraphs", list, of=f"data, item {number}: ")
        except BadRecord as error:
            yield "", error
            continue
        for place, paragraph in enumerate(of_article):
            yield f"data, item {number}, paragraph {place}: ", paragraph


def write_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Such a file, in UTF-8.

    >>> write_lines([{"text": "中国"}]).decode()
    '{"text": "中国"}\\n'
    """
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def field(row: Any, name: str, kind: type, *, of: str = "") -> Any:
    """A field of an object; raises BadRecord if it is missing or of another type.

    >>> field({"text": 5}, "text", str, of="line 1: ")
    Traceback (most recent call last):
    transforms.tasks.record.BadRecord: line 1: field 'text' is a number, not text
    """
    if not isinstance(row, dict):
        raise BadRecord(f"{of}{_type(row)}, not an object with field {name!r}")
    if name not in row:
        raise BadRecord(f"{of}field {name!r} is missing")
    if not isinstance(row[name], kind):
        raise BadRecord(f"{of}field {name!r} is {_type(row[name])}, not {_TYPES[kind]}")
    return row[name]


def text_field(row: Any, name: str, *, of: str = "") -> str:
    """A field that is text and not blank; raises BadRecord, also for half of a surrogate pair, which no file holds."""
    value = field(row, name, str, of=of)
    if not value.strip():
        raise BadRecord(f"{of}field {name!r} is empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRecord(f"{of}field {name!r}: character {error.start} is half of a surrogate pair, no text") from None
    return str(value)


def id_field(row: Any, name: str, *, of: str = "") -> str:
    """A field that is an id, text or a whole number; empty if it is missing; raises BadRecord."""
    value = _value(row, name)
    if value is None or value == "":
        return ""
    return str(value) if type(value) is int else text_field(row, name, of=of)  # true is an instance of int, too


def gold_field(row: Any, name: str, *, of: str = "") -> list[Any] | None:
    """A field that is a list, None if it is missing, as gold is in a test set; raises BadRecord."""
    return None if _value(row, name) is None else list(field(row, name, list, of=of))


def offset_field(row: Any, name: str, *, of: str = "") -> int:
    """A field that is a whole number from 0, or text of one as in CCKS2019; -1, unknown, if it is that or missing.

    Raises BadRecord.

    >>> offset_field({"offset": "12"}, "offset"), offset_field({}, "offset")
    (12, -1)
    """
    value = _value(row, name)
    if value is None:
        return -1
    begin = int(value) if isinstance(value, str) and _OFFSET.fullmatch(value) else value
    if type(begin) is not int or begin < -1:
        raise BadRecord(f"{of}field {name!r} is neither a whole number from 0 nor -1 but {value!r:.40}")
    return begin


def _value(row: Any, name: str) -> Any:
    return row.get(name) if isinstance(row, dict) else None


def _type(value: Any) -> str:
    """What JSON calls a value."""
    return _TYPES.get(type(value), "a number")
