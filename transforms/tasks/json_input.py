"""JSON as the organisers of competitions give it: an object a line, or one document."""

import json
from typing import Any

from transforms.tasks.record import BadRecord


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


def json_lines(content: bytes) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines; raises ValueError that names the line."""
    rows = []
    for number, line in enumerate(content.decode("utf-8-sig").split("\n"), 1):
        if line.strip():
            try:
                rows.append(json_object(line))
            except BadRecord as error:
                raise ValueError(f"line {number}: {error}") from None
    return rows


def field(row: dict[str, Any], name: str, kind: type, *, of: str = "") -> Any:
    """A field of an object; raises BadRecord if it is missing or of another type."""
    value = row.get(name) if isinstance(row, dict) else None
    if not isinstance(value, kind):
        raise BadRecord(f"{of}field {name!r} is missing or no {kind.__name__}")
    return value


def text_field(row: dict[str, Any], name: str, *, of: str = "") -> str:
    """A field that is text and not blank."""
    value = field(row, name, str, of=of)
    if not value.strip():
        raise BadRecord(f"{of}field {name!r} is empty")
    return str(value)
