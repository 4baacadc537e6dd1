"""JSON as the organisers of competitions give it: an object a line, or one document."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from transforms.tasks.record import BadRecord, Example, content_id


def json_object(text: str) -> dict[str, Any]:
    """A JSON object; raises BadRecord for anything else.

    >>> json_object('{"text": "中国"}')
    {'text': '中国'}
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRecord(f"not a JSON object but {type(value).__name__}")
    return value


def one_text(row: Any, *, id: str, gold: str) -> Example:
    """The example of an object with a text, an id if it has one, and a list that is its gold; raises BadRecord."""
    said, items = text_field(row, "text"), gold_field(row, gold)
    return Example(id_field(row, id) or content_id(said), (said,), items, missing=gold if items is None else "")


def json_lines(content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a file of JSON lines, each behind its line as messages name it; raises BadRecord that does.

    >>> list(json_lines(b'{"role": "a"}'))
    [('line 1: ', {'role': 'a'})]
    """
    for number, line in enumerate(content.decode("utf-8-sig").split("\n"), 1):
        if line.strip():
            try:
                yield f"line {number}: ", json_object(line)
            except BadRecord as error:
                raise BadRecord(f"line {number}: {error}") from None


def write_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Such a file, in UTF-8.

    >>> write_lines([{"text": "中国"}]).decode()
    '{"text": "中国"}\\n'
    """
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def field(row: Any, name: str, kind: type, *, of: str = "") -> Any:
    """A field of an object; raises BadRecord if it is missing or of another type."""
    value = _value(row, name)
    if not isinstance(value, kind):
        raise BadRecord(f"{of}field {name!r} is missing or no {kind.__name__}")
    return value


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
    return str(value) if isinstance(value, int) else text_field(row, name, of=of)


def gold_field(row: Any, name: str, *, of: str = "") -> list[Any] | None:
    """A field that is a list, None if it is missing, as gold is in a test set; raises BadRecord."""
    return None if _value(row, name) is None else list(field(row, name, list, of=of))


def offset_field(row: Any, name: str, *, of: str = "") -> int:
    """A field that is a whole number, or text of one as in CCKS2019; -1 if it is missing; raises BadRecord.

    >>> offset_field({"offset": "12"}, "offset"), offset_field({}, "offset")
    (12, -1)
    """
    value = _value(row, name)
    if isinstance(value, int | None):
        return -1 if value is None else int(value)
    try:
        return int(field(row, name, str))
    except ValueError:
        raise BadRecord(f"{of}field {name!r} is no whole number but {value!r:.40}") from None


def _value(row: Any, name: str) -> Any:
    return row.get(name) if isinstance(row, dict) else None
