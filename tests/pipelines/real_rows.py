"""Rows of the competitions' own data, where HANMILL_DATA names a folder that has them."""

import itertools
import json
from pathlib import Path
from typing import Any

TRAIN = {
    "reading-comprehension": "dureader_robust/train.json",
    "relation-extraction": "duie2/train.json",
    "event-extraction": "duee/train.json",
    "entity-linking": "ccks2019/train.json",
}
SCHEMAS = {"relation-extraction": "duie2/schema.json", "event-extraction": "duee/event_schema.json"}


LONGEST = 120  # characters of a text, so that a model has seen them all in little time


def real_rows(data: Path, name: str, count: int) -> list[Any]:
    """The first rows of split train, or questions, about short texts; each has an id of its own: `1-0` and so on."""
    path = data / TRAIN[name]
    if name == "reading-comprehension":
        articles = json.loads(path.read_bytes())["data"]
        every = (paragraph for article in articles for paragraph in article["paragraphs"])
        asked = ({**of, "qas": [question]} for of in every for question in of["qas"] if len(of["context"]) <= LONGEST)
        questions = list(itertools.islice(asked, count))
        for number, of in enumerate(questions):
            of["qas"] = [{**of["qas"][0], "id": f"1-{number}"}]
        return [{"data": [{"paragraphs": questions}]}]
    field = "text_id" if name == "entity-linking" else "id"
    with path.open("rb") as file:
        short = (row for row in map(json.loads, file) if len(row["text"]) <= LONGEST)
        return [{**row, field: f"1-{number}"} for number, row in enumerate(itertools.islice(short, count))]
