"""Members of zip archives are listed like files and read by their offset; damage and lies are told."""

import os
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.storage.batches import DeadLetter
from pipelines.storage.sources import Reading, discover
from tests.pipelines.reading import Read, archive, labels, listed, put, read_inputs, read_sources, reasons

# Listed


def zipped(path: Path, *names: str, content: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, content)
    return path


def renamed(path: Path, names: dict[str, bytes], *, utf8: bool = False) -> Path:
    """Puts raw bytes in the place of members' names, of the same length, with or without the flag of UTF-8."""
    content = bytearray(path.read_bytes())
    for name, raw in names.items():
        assert len(name) == len(raw)
        content = content.replace(name.encode(), raw)
    for signature, flags in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        at = content.find(signature)
        while at >= 0:
            content[at + flags] = 8 if utf8 else 0
            at = content.find(signature, at + 1)
    path.write_bytes(content)
    return path


def test_members_are_listed_like_files(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "corpus.zip",
        "财经/1.txt",
        "财经/深/2.md",
        "3.txt",
        "4.csv",
        ".git/5.txt",
        "a/.6.txt",
        "__MACOSX/a/7.txt",
    )
    found = {source.name: source for source in listed(path)}
    assert {name: source.label for name, source in found.items()} == {
        "财经/1.txt": "财经",
        "财经/深/2.md": "财经",
        "3.txt": "corpus",
    }
    assert {source.place for source in found.values()} == {f"{path}!{name}" for name in found}
    assert {(source.format, source.encoding, source.size) for source in found.values()} == {("document", "auto", 1)}
    assert labels(tmp_path, path, patterns=("财经/*/*",)) == {"corpus.zip!财经/深/2.md": "财经"}
    with pytest.raises(InputError, match=r"corpus\.zip: no document there"):
        listed(path, patterns=("*.pdf",))


def test_names_of_members_without_the_flag_are_utf8_else_gb18030(tmp_path: Path) -> None:
    names = {"aaaa/1.txt": "体育".encode("gbk") + b"/1.txt", "bbbbbb/2.txt": "财经".encode() + b"/2.txt"}
    names["cc/3.txt"] = b"\xff\xff/3.txt"
    path = renamed(zipped(tmp_path / "a.zip", *names), names)
    assert {source.name: source.label for source in listed(path)} == {
        "体育/1.txt": "体育",
        "财经/2.txt": "财经",
        "ÿÿ/3.txt": "ÿÿ",
    }


def test_names_of_members_with_the_flag_are_utf8(tmp_path: Path) -> None:
    names = {"bbbbbb/2.txt": "财经".encode() + b"/2.txt"}
    path = renamed(zipped(tmp_path / "a.zip", *names), names, utf8=True)
    assert [source.label for source in listed(path)] == ["财经"]
    with pytest.raises(InputError, match=r"a\.zip: not a whole zip archive .*: fetch it again"):
        listed(renamed(zipped(tmp_path / "a.zip", "cc.txt"), {"cc.txt": b"\xff\xff.txt"}, utf8=True))


def test_a_member_is_identified_by_its_crc_not_by_the_archive_s_time(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "a.txt", "b.txt")
    before = {source.identity for source in listed(path)}
    zipped(path, "new.txt", "b.txt", "a.txt")
    os.utime(path, ns=(1, 1))
    assert {source.identity for source in listed(path)} > before
    zipped(path, "a.txt", "b.txt", content=b"y")
    assert not {source.identity for source in listed(path)} & before


def test_a_truncated_archive_is_refused_at_any_length(tmp_path: Path) -> None:
    content = zipped(tmp_path / "whole.zip", "财经/1.txt", "2.txt", content=b"some text" * 9).read_bytes()
    for length in range(len(content)):
        path = put(tmp_path / "a.zip", content[:length])
        with pytest.raises(InputError, match=r"a\.zip: not a whole zip archive \(.*\): fetch it again"):
            listed(path)


def test_a_member_without_a_name_is_no_document(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", "a.txt", "b")
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    del content[at + 46]
    content[at + 28] = 0
    end = content.rindex(b"PK\x05\x06")
    content[end + 12 : end + 16] = (int.from_bytes(content[end + 12 : end + 16], "little") - 1).to_bytes(4, "little")
    path.write_bytes(content)
    assert [source.name for source in listed(path)] == ["a.txt"]


@given(data=st.binary(max_size=60), at=st.integers(0, 400))
@example(b"\xff" * 60, 330)
def test_a_damaged_archive_is_refused_or_listed_but_never_raises_else(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    content = zipped(path, "财经/1.txt", "2.txt", content=b"some text" * 9).read_bytes()
    path.write_bytes(content[:at] + data + content[at + len(data) :])
    try:
        listed(path)
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017  either outcome is right


# Read


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_of_an_archive(tmp_path: Path, method: int) -> None:
    path = archive(
        tmp_path / "corpus.zip",
        [("财经/1.txt", "文" * 5000), ("体育/深/2.md", "中国".encode("gb18030")), ("3.txt", ""), ("图.png", b"\x89")],  # type: ignore[list-item]
        method,
    )
    documents, dead = read_inputs(path)
    assert dead == []
    assert documents == [
        Read(f"{path}!3.txt", 0, "corpus", ""),
        Read(f"{path}!体育/深/2.md", 0, "体育", "中国"),
        Read(f"{path}!财经/1.txt", 0, "财经", "文" * 5000),
    ]


def test_members_that_cannot_be_read_are_dead_letters(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.zip", [("../up.txt", b"x"), ("a/../../up.txt", b"x"), ("/root.txt", b"x"), ("ok.txt", b"ok")]
    )
    bzip2 = archive(tmp_path / "b.zip", [("b.txt", b"x")], zipfile.ZIP_BZIP2)
    locked = archive(tmp_path / "c.zip", [("c.txt", b"xxxx")])
    content = bytearray(locked.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    locked.write_bytes(content)
    documents, dead = read_inputs(path, bzip2, locked)
    assert [document.text for document in documents] == ["ok"]
    assert [(letter.source.removeprefix(f"{tmp_path}/"), letter.reason) for letter in dead] == [
        ("a.zip!../up.txt", "its name leads out of the archive"),
        ("a.zip!/root.txt", "its name leads out of the archive"),
        ("a.zip!a/../../up.txt", "its name leads out of the archive"),
        ("b.zip!b.txt", "its compression method 12 is not read here: repack the archive with deflate"),
        ("c.zip!c.txt", "it is encrypted"),
    ]


def test_members_of_one_name_are_all_told_and_the_last_counts(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(tmp_path / "a.zip", [("a.txt", b"first"), ("a.txt", b"last")])
    documents, dead = read_inputs(path)
    assert documents == [Read(f"{path}!a.txt", 0, "a", "last")]
    assert dead == [DeadLetter(f"{path}!a.txt@0", 0, "the archive holds a later member of the same name")]


def patched(path: Path, name: str, **numbers: int) -> Path:
    """Changes the sizes that an archive's directory tells of a member."""
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(name.encode()))
    for field, value in numbers.items():
        offset, width = {"crc": (16, 4), "compressed": (20, 4), "size": (24, 4), "header": (42, 4)}[field]
        content[at + offset : at + offset + width] = value.to_bytes(width, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({"size": 5}, "damaged archive: size or CRC of the member is wrong"),
        ({"size": 4_000_000_000}, "4,000,000,000 bytes: more than --max-document-bytes 1,000,000"),
        ({"compressed": 20}, "damaged archive: size or CRC of the member is wrong"),
        ({"compressed": 4_000_000_000}, "damaged archive: the member is cut off"),
        ({"crc": 7}, "damaged archive: size or CRC of the member is wrong"),
        ({"header": 1}, "damaged archive: there is no member at its offset"),
        ({"header": 1 << 31}, "damaged archive: there is no member at its offset"),
    ],
)
def test_an_archive_that_lies(tmp_path: Path, numbers: dict[str, int], reason: str) -> None:
    path = archive(tmp_path / "a.zip", [("a.txt", os.urandom(1000).hex().encode()), ("b.txt", b"good")])
    documents, dead = read_inputs(patched(path, "a.txt", **numbers), reading=Reading(max_document_bytes=1_000_000))
    assert [document.text for document in documents] == ["good"]
    assert [(letter.source, letter.reason) for letter in dead] == [(f"{path}!a.txt", reason)]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_bomb_is_not_unpacked_beyond_the_limit(tmp_path: Path, method: int) -> None:
    path = archive(tmp_path / "a.zip", [("a.txt", bytes(30 << 20))], method)
    (source,) = discover([str(patched(path, "a.txt", size=10))], Reading())
    limit = 1 << 20
    tracemalloc.start()
    try:
        _, dead = read_sources([source], Reading(max_document_bytes=limit))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reasons(dead) == [(0, f"more than --max-document-bytes {limit:,}, whatever the archive says")]
    assert peak < 8 << 20


def test_damage_anywhere_in_an_archive_never_gives_other_text(tmp_path: Path) -> None:
    """Every byte changed in turn: the archive is refused, or each of its documents is whole or a dead letter."""
    content = archive(tmp_path / "a.zip", [("中/a.txt", "中国人民".encode() * 9), ("b.txt", b"stored?")]).read_bytes()
    known, dead_letters, refused = {"中国人民" * 9, "stored?"}, 0, 0
    for position in range(len(content)):
        path = tmp_path / "damaged.zip"
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        try:
            documents, dead = read_inputs(path)
        except InputError:
            refused += 1
            continue
        assert {document.text for document in documents} <= known
        dead_letters += len(dead)
    assert dead_letters > 30
    assert refused > 5
