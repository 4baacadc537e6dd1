"""Every line and record once, whole, with its place; whatever is bad is a dead letter that names it."""

import codecs
import itertools
import json
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.storage import batches as batch_limits
from pipelines.storage.sources import Reading, discover
from tests.pipelines.reading import (
    Read,
    read,
    read_inputs,
    reasons,
    slices_at,
    source_of,
    texts,
)


def lines_of(content: bytes) -> list[tuple[int, bytes]]:
    """The oracle: where each line begins, and the line without its newline and one carriage return before that."""
    lines = content.split(b"\n")
    starts = itertools.accumulate((len(line) + 1 for line in lines), initial=0)
    texts = [*(line.removesuffix(b"\r") for line in lines[:-1]), b"" if lines[-1] == b"\r" else lines[-1]]
    return [(start, line) for start, line in zip(starts, texts, strict=False) if line]


LINES = st.lists(st.sampled_from([b"\n", b"\n", b"\r\n", b"\r", b"a", b"bc", b" ", b"\t", b"\0", b"\xe4\xb8\xad" * 3]))
CUTS = st.lists(st.integers(0, 60), max_size=5)


@given(content=LINES.map(b"".join), cuts=CUTS, block=st.integers(1, 12), limit=st.integers(1, 12) | st.just(1000))
@example(b"ab\n\rc", [], 8, 1000)
@example(b"aaa\nb\n", [], 100, 2)
@example(b"aaa\nb\n", [], 1, 2)
@example(b"aa\r\nb\n", [], 3, 2)
@example(b"aa\r", [], 3, 2)
@settings(max_examples=600)
def test_any_cut_gives_every_line_once(file: Path, content: bytes, cuts: list[int], block: int, limit: int) -> None:
    file.write_bytes(content)
    source = source_of(file)
    documents, dead = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_limits, "BATCH_BYTES", block)
        for piece in slices_at(source, cuts):
            found = read([piece], Reading(max_document_bytes=limit))
            documents += found[0]
            dead += found[1]
    lines = lines_of(content)
    short = [Read(str(file), start, "the label", line.decode("latin-1")) for start, line in lines if len(line) <= limit]
    assert [document._replace(text=document.text.rstrip("\r\n")) for document in documents] == [
        document._replace(text=document.text.rstrip("\r\n")) for document in short
    ]
    long = f"a line of more than --max-document-bytes {limit:,}"
    assert reasons(dead) == [(start, long) for start, line in lines if len(line) > limit]


@given(
    rows=st.lists(st.tuples(st.sampled_from(["", "财经", "x"]), st.text("中国ab", max_size=4))),
    newline=st.sampled_from([b"\n", b"\r\n"]),
    end=st.booleans(),
    cuts=CUTS,
    block=st.integers(1, 40),
    format=st.sampled_from(["tsv", "jsonl"]),
)
def test_any_cut_gives_every_record_once(
    file: Path, rows: list[tuple[str, str]], newline: bytes, end: bool, cuts: list[int], block: int, format: str
) -> None:
    lines = [
        f"{label}\t{text}" if format == "tsv" else json.dumps({"label": label, "text": text}, ensure_ascii=False)
        for label, text in rows
    ]
    content = newline.join(line.encode() for line in lines) + (newline if end else b"")
    file.write_bytes(content)
    source = source_of(file, format, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_limits, "BATCH_BYTES", block)
        found = [read([piece]) for piece in slices_at(source, cuts)]
    assert [dead for _, dead in found if dead] == []
    starts = itertools.accumulate((len(line.encode()) + len(newline) for line in lines), initial=0)
    assert [document for documents, _ in found for document in documents] == [
        Read(str(file), start, label or "the label", text) for start, (label, text) in zip(starts, rows, strict=False)
    ]


# Lines


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "utf-16-le", "utf-32-be", "auto"])
def test_lines_in_any_encoding(tmp_path: Path, encoding: str, ending: str) -> None:
    path = tmp_path / "a.txt"
    lines = ["第一", "", "ਊ਍", "𠀀三", "last"]  # U+0A0A, U+0A0D: newline bytes inside characters
    path.write_bytes(ending.join(lines).encode("utf-8" if encoding == "auto" else encoding))
    assert texts(path, reading=Reading(encoding=encoding)) == [line for line in lines if line]


@pytest.mark.parametrize("name", ["UTF16", "utf_16", "U16", "UTF-16LE"])
def test_wide_encodings_by_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("ਊ\n二".encode(name))
    assert texts(path, reading=Reading(encoding=name)) == ["ਊ", "二"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_without_a_mark_the_order_is_the_machine_s_as_in_documents(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("一\n二".encode(f"{encoding}-{'le' if sys.byteorder == 'little' else 'be'}"))
    assert texts(path, reading=Reading(encoding=encoding)) == ["一", "二"]
    assert texts(path, reading=Reading(encoding=encoding, format="document")) == ["一\n二"]


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1 << 20])
def test_a_bad_unit_of_utf16_costs_its_line_alone(tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("好\n坏".encode("utf-16-le") + b"\x00\xd8" + "\n好好\n".encode("utf-16-le") + b"\x61")
    monkeypatch.setattr(batch_limits, "BATCH_BYTES", block)
    documents, dead = read_inputs(path, reading=Reading(encoding="utf-16-le"))
    assert [document.text for document in documents] == ["好", "好好"]
    assert [(offset, reason.partition(":")[0]) for offset, reason in reasons(dead)] == [
        (4, "not UTF-8"),
        (18, "not UTF-8"),
    ]
    replaced = Reading(encoding="utf-16-le", errors="replace")
    assert [text.replace("\ufffd", "") for text in texts(path, reading=replaced)] == ["好", "坏", "好好", ""]


@pytest.mark.parametrize("block", [1, 2, 1 << 20])
@pytest.mark.parametrize(
    ("name", "content", "text"),
    [("a.txt", b"%s\nb", "a"), ("a.tsv", b"%s\tt\nb\tt", "t"), ("a.jsonl", b'{"text": "%s"}\n{"text": "b"}', "a")],
)
def test_a_mark_at_the_head_of_a_file_is_no_text(
    tmp_path: Path, name: str, content: bytes, text: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_limits, "BATCH_BYTES", block)
    path = tmp_path / name
    path.write_bytes(codecs.BOM_UTF8 + content % b"a")
    documents, dead = read_inputs(path)
    assert dead == []
    assert [document.text for document in documents] == [text, "t" if name == "a.tsv" else "b"]
    assert [document.start for document in documents] == [3, path.read_bytes().index(b"\n") + 1]
    assert documents[0].label == "a"


def test_lines_that_do_not_decode_are_bad_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("好\n坏\n".encode() * 3 + b"\xe5\n" + "好\n".encode())
    documents, dead = read_inputs(path)
    assert len(documents) == 7
    assert [(letter.source, letter.offset) for letter in dead] == [(str(path), 24)]
    assert dead[0].reason.startswith("not UTF-8: byte 0xe5 at offset 0")
    assert texts(path, reading=Reading(errors="replace"))[6] == "\ufffd"


def test_nul_bytes_are_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\0\n\0a\0\n")
    assert texts(tmp_path / "a.txt") == ["\0", "\0a\0"]


def test_lines_that_were_added_while_the_run_was_on_are_read_with_the_last_slice(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\ntwo\n")
    (source,) = discover([str(path)], Reading())
    path.write_bytes(b"one\ntwo\nthree\n")
    assert [document.text for piece in slices_at(source, [5]) for document in read([piece])[0]] == [
        "one",
        "two",
        "three",
    ]


# Records


def test_tsv(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes("体育\t一\t二\r\n\t无\n\n没有\n \t空\n".encode())
    documents, dead = read_inputs(path)
    assert [(document.label, document.text) for document in documents] == [("体育", "一\t二"), ("a", "无"), (" ", "空")]
    assert reasons(dead) == [(22, "no tab: a line is label<TAB>text")]


def test_tsv_in_gb18030_and_a_label_that_does_not_decode(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes("体育\t一\n".encode("gb18030") + b"\xff!\tx\nok\t\xff\n")
    documents, dead = read_inputs(path)
    assert [(document.label, document.text) for document in documents] == [("体育", "一")]
    assert [offset for offset, _ in reasons(dead)] == [8, 13]
    assert reasons(dead)[0][1] == "the label is not gb18030: illegal multibyte sequence"
    documents, dead = read_inputs(path, reading=Reading(errors="replace"))
    assert [(document.label, document.text) for document in documents] == [
        ("体育", "一"),
        ("\ufffd!", "x"),
        ("ok", "\ufffd"),
    ]
    assert dead == []


def test_jsonl_records_that_are_bad_are_named(tmp_path: Path) -> None:
    lines = [
        '{"text": "好", "label": "甲", "id": 1}',
        '{"text": "好"',
        '{"id": "r3", "body": "x"}',
        '{"id": "r4", "text": 5}',
        '{"id": "r5", "text": "\\ud800"}',
        '{"id": "r6", "text": "x", "label": ["y"]}',
        '{"id": "r7", "text": "x", "label": "\\udc00"}',
        '["text"]',
        "[" * 100_000,
        '{"text": "好", "label": 7}',
        '{"text": "\\ud83d\\ude00", "label": null}',
        "   ",
        '{"id": "r13", "text": null}',
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    documents, dead = read_inputs(path)
    assert [(document.label, document.text) for document in documents] == [("甲", "好"), ("7", "好"), ("a", "😀")]
    starts = list(itertools.accumulate((len(line.encode()) + 1 for line in lines), initial=0))
    assert [letter.offset for letter in dead] == [starts[line] for line in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12)]
    missing = "field 'text' (--text-field) is missing or no string (record {})"
    assert [letter.reason for letter in dead] == [
        "Expecting ',' delimiter: line 1 column 13 (char 12)",
        missing.format("r3"),
        missing.format("r4"),
        "a lone surrogate at character 0 (record r5)",
        "field 'label' (--label-field) is no string (record r6)",
        "a lone surrogate at character 0 (record r7)",
        "not a JSON object but list",
        "not JSON that can be read: nested too deep",
        "Expecting value: line 1 column 4 (char 3)",
        missing.format("r13"),
    ]


def test_jsonl_fields_by_option(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"body": "正文", "class": "类", "key": 9}\n{"key": 10}\n')
    documents, dead = read_inputs(path, reading=Reading(text_field="body", label_field="class", id_field="key"))
    assert [(document.label, document.text) for document in documents] == [("类", "正文")]
    assert [letter.reason for letter in dead] == ["field 'body' (--text-field) is missing or no string (record 10)"]


@pytest.mark.parametrize("encoding", ["auto", "gb18030", "utf-16"])
def test_jsonl_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    """Escapes and characters give the same text, in whatever encoding the line is."""
    path = tmp_path / "a.jsonl"
    content = '{"text": "中\\u56fd", "label": "类"}\n{"text": "\\u4e2d\\u56fd"}\n'
    path.write_bytes(content.encode("gb18030" if encoding == "auto" else encoding))
    documents, dead = read_inputs(path, reading=Reading(encoding=encoding))
    assert ([(document.label, document.text) for document in documents], dead) == ([("类", "中国"), ("a", "中国")], [])


def test_jsonl_lines_that_do_not_decode(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"text": "中国"}\n'.encode() * 2 + b'{"text": "\xff!"}\n')
    documents, dead = read_inputs(path)
    assert (len(documents), len(dead)) == (2, 1)
    assert dead[0].reason == "'utf-8' codec can't decode byte 0xff in position 10: invalid start byte"
    assert texts(path, reading=Reading(errors="replace"))[2] == "\ufffd!"
