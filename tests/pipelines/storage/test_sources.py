"""What the INPUTs of a command name, each file once, and a clear answer where they name nothing that can be read."""

import codecs
import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import InputError, UsageError
from pipelines.storage.sources import PROBE_BYTES, Reading, check_encoding, discover
from tests.pipelines.reading import labels, listed, put

# Directories


def test_the_label_is_the_first_folder_else_the_name_of_the_input(tmp_path: Path) -> None:
    for name in (
        "top.txt",
        "财经/1.txt",
        "财经/2.md",
        "体育/a/b/c/d/3.txt",
        "体育/a/4.html",
        "体育/README",
        ".git/5.txt",
    ):
        put(tmp_path / "corpus" / name)
    put(tmp_path / "corpus/体育/.cache/6.txt")
    put(tmp_path / "corpus/体育/.7.txt")
    found = {
        "corpus/top.txt": "corpus",
        "corpus/体育/a/b/c/d/3.txt": "体育",
        "corpus/财经/1.txt": "财经",
        "corpus/财经/2.md": "财经",
    }
    assert labels(tmp_path, tmp_path / "corpus") == found
    assert labels(tmp_path, f"{tmp_path}/corpus/") == found
    assert [source.format for source in listed(tmp_path / "corpus")] == ["document"] * 4
    assert labels(tmp_path, tmp_path / "corpus/体育/a") == {"corpus/体育/a/b/c/d/3.txt": "b"}


def test_the_order_is_that_of_the_places_whatever_order_the_inputs_have(tmp_path: Path) -> None:
    for name in ("b/2.txt", "a/1.txt", "a.txt", "c.tsv"):
        put(tmp_path / name)
    inputs = [tmp_path / name for name in ("c.tsv", "b", "a.txt", "a")]
    assert listed(*inputs) == listed(*reversed(inputs))
    places = [source.place for source in listed(*inputs)]
    assert places == sorted(places)


NAMES = st.sampled_from(["a", "a!", "a-b", "a.txt", "a0", "b", "体育"])


@given(
    files=st.lists(st.lists(NAMES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=8, unique=True),
    inputs=st.lists(st.integers(0, 99), min_size=1, max_size=4),
)
def test_each_file_comes_once_in_the_order_of_places_and_as_the_first_input_names_it(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, ...]], inputs: list[int]
) -> None:
    top = tmp_path_factory.mktemp("tree")
    for names in files:
        put(top.joinpath(*names[:-1], f"{names[-1]}.md"))
    folders = sorted({folder for path in top.rglob("*.md") for folder in path.parents if folder.is_relative_to(top)})
    given = [folders[number % len(folders)] for number in inputs]
    expected: dict[str, str] = {}
    for folder in given:
        for path in folder.rglob("*.md"):
            below = path.relative_to(folder).parts
            expected.setdefault(str(path), below[0] if len(below) > 1 else folder.name)
    assert [(source.path, source.label) for source in listed(*given)] == sorted(expected.items())


def test_the_name_of_an_input_is_the_one_that_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "real/1.txt")
    (tmp_path / "新闻").symlink_to("real")
    assert labels(tmp_path, tmp_path / "新闻") == {"real/1.txt": "新闻"}
    monkeypatch.chdir(tmp_path / "real")
    assert labels(tmp_path, ".") == labels(tmp_path, "../real/.") == {"real/1.txt": "real"}


def test_an_input_named_twice_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "corpus/a/1.txt")
    put(tmp_path / "lines.txt")
    (tmp_path / "link").symlink_to("corpus")
    (tmp_path / "link.txt").symlink_to("lines.txt")
    monkeypatch.chdir(tmp_path)
    inputs = [
        "corpus",
        "corpus/",
        "./corpus",
        str(tmp_path / "corpus"),
        "corpus/a",
        "link",
        f"file://{tmp_path}/corpus",
    ]
    inputs += ["lines.txt", "link.txt", "lin*.txt", f"file://{tmp_path}/lines.txt"]
    assert labels(tmp_path, *inputs) == {"corpus/a/1.txt": "a", "lines.txt": "lines"}


def test_links_that_lead_back_up_are_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "corpus/a/1.txt")
    put(tmp_path / "elsewhere/2.txt")
    (tmp_path / "corpus/a/up").symlink_to("..")
    (tmp_path / "corpus/a/self").symlink_to(".")
    (tmp_path / "corpus/b").symlink_to("../elsewhere")
    (tmp_path / "elsewhere/back").symlink_to("../corpus/a")
    assert labels(tmp_path, tmp_path / "corpus") == {
        "corpus/a/1.txt": "a",
        "corpus/b/2.txt": "b",
        "corpus/b/back/1.txt": "b",
    }


@pytest.mark.parametrize("target", ["nowhere", "1.txt"])
def test_a_link_to_nothing_is_named(tmp_path: Path, target: str) -> None:
    (tmp_path / "1.txt").symlink_to(target)
    for name in (tmp_path, tmp_path / "1.txt"):
        with pytest.raises(
            InputError, match=r"/(1\.txt|nowhere): (No such file or directory|Too many levels of symbolic links)"
        ):
            listed(name)


def test_an_output_below_the_input_is_no_input(tmp_path: Path) -> None:
    """Records have a card, README.md, and a vocabulary, vocab.txt, which are no documents."""
    for name in ("a/1.txt", "a/out/README.md", "a/out/vocab.txt", "a/out/_shards/x.json", "a/other/2.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = discover([str(tmp_path)], Reading())
    assert [source.path for source in found] == [f"{tmp_path}/a/1.txt", f"{tmp_path}/a/other/2.md"]
    with pytest.raises(InputError, match="no document there"):
        discover([str(tmp_path / "a/out")], Reading())


def test_patterns(tmp_path: Path) -> None:
    for name in ("a/1.txt", "a/2.html", "a/b/3.html", "4.HTML", "a/[5].txt"):
        put(tmp_path / name)
    assert set(labels(tmp_path, tmp_path, patterns=("*.html",))) == {"a/2.html", "a/b/3.html"}
    assert set(labels(tmp_path, tmp_path, patterns=("a/b/*", "*.HTML"))) == {"a/b/3.html", "4.HTML"}
    assert set(labels(tmp_path, tmp_path, patterns=("[[]*",))) == {"a/[5].txt"}
    with pytest.raises(
        InputError, match=r"no document there; directories are searched for \*\.pdf, \*\.doc \(--pattern"
    ):
        listed(tmp_path, patterns=("*.pdf", "*.doc"))


def test_names_that_are_no_text_give_labels_that_are(tmp_path: Path) -> None:
    top = os.fsencode(tmp_path)
    os.mkdir(top + b"/c")
    for name in ("财经".encode("gbk"), "体育".encode(), b"\xff\xfe"):
        os.mkdir(top + b"/c/" + name)
        with open(top + b"/c/" + name + b"/" + name + b".txt", "wb") as file:
            file.write(b"x")
    with open(top + "/新闻".encode("gbk") + b".tsv", "wb") as file:
        file.write(b"x")
    found = listed(tmp_path / "c")
    assert sorted(source.label for source in found) == ["ÿþ", "体育", "财经"]
    assert sorted(os.fsencode(source.path).rpartition(b"/")[2] for source in found) == sorted(
        name + b".txt" for name in ("财经".encode("gbk"), "体育".encode(), b"\xff\xfe")
    )
    assert [source.label for source in listed(os.fsdecode(top + "/新闻".encode("gbk") + b".tsv"))] == ["新闻"]


@pytest.mark.parametrize("name", ["", "sub", ".hidden"])
def test_a_directory_without_documents(tmp_path: Path, name: str) -> None:
    (tmp_path / "corpus" / name).mkdir(parents=True)
    if name.startswith("."):
        put(tmp_path / "corpus" / name / "1.txt")
    with pytest.raises(InputError, match=r"corpus: no document there; directories are searched for \*\.txt, \*\.md"):
        listed(tmp_path / "corpus")


def test_two_inputs_of_which_one_is_empty(tmp_path: Path) -> None:
    put(tmp_path / "a/1.txt")
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="b: no document there"):
        listed(tmp_path / "a", tmp_path / "b")


def test_a_file_of_no_bytes_is_a_source(tmp_path: Path) -> None:
    for name in ("d/1.txt", "l.txt", "l.tsv", "l.jsonl", "l.txt.gz"):
        put(tmp_path / name, b"")
    assert [source.size for source in listed(*tmp_path.iterdir())] == [0] * 5


# What cannot be read


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("missing", "missing: no such file or directory"),
        ("", ": no such file or directory"),
        ("missing/*.txt", r"missing/\*\.txt: nothing matches"),
        ("a.txt/b", "a.txt/b: no such file or directory"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, message: str) -> None:
    put(tmp_path / "a.txt")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"^{message}$"):
        listed("a.txt", given)


def test_what_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a/1.txt")
    put(tmp_path / "a/2.txt").chmod(0o200)
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: "2.txt" not in str(path) and allowed(path, mode)
    )  # root may all
    for name in (tmp_path, tmp_path / "a/2.txt"):
        with pytest.raises(InputError, match=r"a/2\.txt: no permission to read it$"):
            listed(name)


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a/1.txt")
    put(tmp_path / "b/1.txt")
    scan = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"/b: Permission denied$"):
        listed(tmp_path)


def test_what_can_be_read_only_once_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.txt")
    for name in (tmp_path, tmp_path / "1.txt", "/dev/null"):
        with pytest.raises(InputError, match=r"(1\.txt|null): not a regular file: write what it gives to one first"):
            listed(name)


# Files


@pytest.mark.parametrize(
    ("name", "format", "compression", "label"),
    [
        ("a.txt", "lines", "", "a"),
        ("a.md", "lines", "", "a"),
        ("a", "lines", "", "a"),
        (".a", "lines", "", ".a"),
        ("a.b.csv", "lines", "", "a.b"),
        ("a.tsv", "tsv", "", "a"),
        ("a.TSV", "tsv", "", "a"),
        ("a.jsonl", "jsonl", "", "a"),
        ("a.ndjson", "jsonl", "", "a"),
        ("a.parquet", "parquet", "", "a"),
        ("a.txt.gz", "lines", "gz", "a"),
        ("a.gz", "lines", "gz", "a"),
        ("a.tsv.zst", "tsv", "zst", "a"),
        ("a.jsonl.GZ", "jsonl", "gz", "a"),
    ],
)
def test_formats_go_by_suffix(tmp_path: Path, name: str, format: str, compression: str, label: str) -> None:
    (source,) = listed(put(tmp_path / name, b""))
    assert (source.format, source.compression, source.label) == (format, compression, label)
    assert source.place == source.path == str(tmp_path / name)


@pytest.mark.parametrize("format", ["lines", "tsv", "jsonl", "document", "parquet"])
def test_formats_by_option(tmp_path: Path, format: str) -> None:
    assert [source.format for source in listed(put(tmp_path / "a.x"), format=format)] == [format]


@pytest.mark.parametrize(
    ("name", "format"), [("a.parquet.gz", "auto"), ("a.gz", "document"), ("a.txt.zst", "document")]
)
def test_only_line_formats_are_read_compressed(tmp_path: Path, name: str, format: str) -> None:
    with pytest.raises(InputError, match=r"only lines, tsv and jsonl are read compressed, not \w+: unpack it first"):
        listed(put(tmp_path / name), format=format)


def test_globs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/1.txt", "a/b/2.txt", "c/3.txt", "[x].txt"):
        put(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert set(labels(tmp_path, "*/*.txt")) == {"a/1.txt", "c/3.txt"}
    assert set(labels(tmp_path, "**/*.txt")) == {"a/1.txt", "a/b/2.txt", "c/3.txt", "[x].txt"}
    assert labels(tmp_path, "?") == {"a/1.txt": "a", "a/b/2.txt": "b", "c/3.txt": "c"}
    assert set(labels(tmp_path, "[x].txt")) == {"[x].txt"}  # what is there is no pattern


def test_identity_changes_with_what_decides_the_content(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", b"one")
    (before,) = listed(path)
    os.utime(path, ns=(1, 1))
    (touched,) = listed(path)
    put(path, b"three")
    os.utime(path, ns=(1, 1))
    (larger,) = listed(path)
    assert len({before.identity, touched.identity, larger.identity}) == 3
    assert listed(path)[0].identity == larger.identity
    assert listed(path, encoding="gb18030")[0].identity != larger.identity


# Encodings


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("中国\n人民\n".encode(), "utf-8"),
        (codecs.BOM_UTF8 + "中国\n".encode(), "utf-8"),
        ("中国\n人民\n".encode("gb18030"), "gb18030"),
        (b"plain\n", "utf-8"),
        (b"", "utf-8"),
        ("中国".encode() * 200_000, "utf-8"),  # one line longer than what is looked at, which ends inside a character
        (b"a" + "中国".encode() * 200_000, "utf-8"),
        ("中国".encode("gb18030") * 300_000, "gb18030"),
        ("中国\n".encode() * 9 + b"\xff\xfe\n", "utf-8"),  # one bad line must not turn all the others
        ("中国\n".encode("gb18030") * 9 + b"\xff\n" + "中国\n".encode(), "gb18030"),
        (b"a\n" * (PROBE_BYTES // 2) + "中国\n".encode("gb18030"), "utf-8"),  # beyond the first MiB
        (b"a\n" * (PROBE_BYTES // 2 - 1) + b"\xd6\xd0", "gb18030"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.tsv", "a.jsonl", "a.txt.gz"])
def test_a_line_file_is_decided_once_from_its_first_mebibyte(
    tmp_path: Path, head: bytes, encoding: str, name: str
) -> None:
    path = put(tmp_path / name, gzip.compress(head, 1) if name.endswith("gz") else head)
    assert [source.encoding for source in listed(path)] == [encoding]
    assert [source.encoding for source in listed(path, encoding="big5")] == ["big5"]


def test_documents_are_decided_one_by_one_and_tables_are_utf8(tmp_path: Path) -> None:
    put(tmp_path / "d/1.txt", "中国".encode("gb18030"))
    put(tmp_path / "a.parquet")
    assert [source.encoding for source in listed(tmp_path / "d", tmp_path / "a.parquet")] == ["utf-8", "auto"]
    assert [source.encoding for source in listed(tmp_path / "d/1.txt", format="document")] == ["auto"]
    assert [source.encoding for source in listed(tmp_path / "a.parquet", encoding="utf-16")] == ["utf-8"]


def test_damage_does_not_keep_a_stream_from_being_listed(tmp_path: Path) -> None:
    assert [source.encoding for source in listed(put(tmp_path / "a.txt.gz", b"no gzip"))] == ["utf-8"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("auto", "auto"),
        ("UTF8", "utf-8"),
        ("GB18030", "gb18030"),
        ("utf_16", "utf-16"),
        ("U16", "utf-16"),
        ("936", "gbk"),
    ],
)
def test_encodings_have_one_name(given: str, name: str) -> None:
    assert check_encoding(given) == name


@pytest.mark.parametrize("given", ["utf8x", "hex", "rot13", "undefined", "", "a\0b", "中"])
def test_encodings_that_make_no_text_are_refused(given: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--encoding: unknown encoding .*: (did you mean|give auto, utf-8)"):
        listed(put(tmp_path / "a.txt"), encoding=given)


@pytest.mark.parametrize(("encoding", "wide"), [("UTF-16", True), ("u32", True), ("utf-8", False), ("auto", False)])
def test_wide_characters(tmp_path: Path, encoding: str, wide: bool) -> None:
    assert [source.wide for source in listed(put(tmp_path / "a.txt"), encoding=encoding)] == [wide]


# URLs


def test_urls_of_files_directories_and_globs(memory: Callable[[str, bytes], str]) -> None:
    for name in ("/c/体育/1.txt", "/c/体育/深/2.md", "/c/3.txt", "/c/4.csv", "/c/.h/5.txt", "/c/体育/.6.txt", "/l.tsv"):
        memory(name, "中".encode("gb18030"))
    assert {source.place: source.label for source in listed("memory://c")} == {
        "memory:///c/体育/1.txt": "体育",
        "memory:///c/体育/深/2.md": "体育",
        "memory:///c/3.txt": "c",
    }
    assert listed("memory://c/") == listed("memory:///c") == listed("memory://c", "memory://c")
    (source,) = listed("memory:///l.tsv")
    assert (source.format, source.encoding, source.size, source.label) == ("tsv", "gb18030", 2, "l")
    assert source.version.startswith("created ")
    assert [source.place for source in listed("memory:///c/*.txt")] == ["memory:///c/3.txt"]
    assert {source.place for source in listed("memory://c", patterns=("*.csv",))} == {"memory:///c/4.csv"}


@pytest.mark.parametrize("url", ["memory:///nowhere", "memory:///nowhere/*.txt", "nonsense://x", "smb://x/y"])
def test_urls_that_lead_nowhere_are_named(memory: Callable[[str, bytes], str], url: str) -> None:
    with pytest.raises(InputError, match=url.replace("*", r"\*").replace(".", r"\.")):
        listed(url)


def test_a_url_of_this_machine_is_a_path(tmp_path: Path) -> None:
    put(tmp_path / "c/体育/1.txt")
    assert listed(f"file://{tmp_path}/c") == listed(f"local://{tmp_path}/c") == listed(tmp_path / "c")
    assert listed(f"file://{tmp_path}/c/*/1.*")[0].format == "lines"
    with pytest.raises(InputError, match="no such file or directory"):
        listed(f"file://{tmp_path}/nowhere")
