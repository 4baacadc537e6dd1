"""One corpus of every format, with what is wrong in real ones."""

import gzip
import json
import random
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.bench.knowledge_base import write_entities
from tests.strategies import HAN, PIECES, stock_words
from transforms.vocabulary import SPECIAL_TOKENS

LABELS = ("体育", "财经", "娱乐")
NOT_TEXT = b"\xff\xfe\xfd\xfc"
VOCABULARY = "vocab.txt"
KB_DATA = "kb_data"


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """What to count, in an order that is not that of the names."""
    directory, draw = tmp_path_factory.mktemp("inputs"), random.Random(11)
    _write_documents(directory / "documents", draw)
    with zipfile.ZipFile(directory / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(12):
            archive.writestr(f"{LABELS[number % 3]}/{number}.txt", NOT_TEXT if number == 5 else _text(draw))
    lines = [_text(draw).encode() if number % 40 else NOT_TEXT for number in range(200)]
    (directory / "lines.txt").write_bytes(b"\n".join(lines))
    with gzip.open(directory / "labelled.tsv.gz", "wb") as file:
        file.write(b"".join(f"{LABELS[number % 3]}\t{_text(draw)}\n".encode() for number in range(60)) + b"no tab\n")
    records = [json.dumps({"text": _text(draw), "label": draw.choice(LABELS)}) for _ in range(150)]
    records[70:70] = ["no JSON", '{"text": 1}']
    (directory / "records.jsonl").write_text("\n".join(records) + "\n", encoding="utf-8")
    tokens = (*SPECIAL_TOKENS, *HAN, *"，。abtest0123456789", *(f"##{letter}" for letter in "abtest0123456789"))
    (directory / VOCABULARY).write_text("".join(f"{token}\n" for token in dict.fromkeys(tokens)), encoding="utf-8")
    write_entities(directory / KB_DATA, entities=90)
    with (directory / KB_DATA).open("r+b") as file:
        file.write(b"".join(file.readlines()[:2]) + b"{}\n" * 12)  # ids that stand twice, and no entities
    table = pa.table({"text": [_text(draw) for _ in range(90)], "label": draw.choices(LABELS, k=90)})
    pq.write_table(table, directory / "rows.parquet", row_group_size=20)
    names = ("records.jsonl", "documents", "rows.parquet", "archive.zip", "lines.txt", "labelled.tsv.gz")
    return tuple(str(directory / name) for name in names)


def _write_documents(directory: Path, draw: random.Random) -> None:
    for number in range(60):
        path = directory / draw.choice(LABELS) / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_document(number, _text(draw, pieces=60)))


def _document(number: int, text: str) -> bytes:
    match number % 10:
        case 3:
            return text.encode("gb18030")
        case 5:
            return b"\xef\xbb\xbf" + text.encode()
        case 7:
            return b"" if number == 7 else NOT_TEXT
    return text.encode()


def _text(draw: random.Random, *, pieces: int = 12) -> str:
    """Words that come back, words that do not, and what only NFKC makes equal."""
    choices: Sequence[Sequence[str]] = (
        HAN,
        HAN,
        stock_words(),
        PIECES,
        "ＡＢ１２ﬁ㈱",
        ("中国", "中國", "ｔｅｓｔ", "test"),
    )
    return "".join(draw.choice(draw.choice(choices)) for _ in range(pieces)).replace("\n", " ").replace("\r", " ")
