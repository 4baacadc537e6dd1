"""Vocabularies of finished counts: what is written, what is told, and what is refused."""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import vocabulary as pipeline
from pipelines.errors import InputError, UsageError
from pipelines.vocabulary import write_vocabulary
from tests.parity.oracle import jieba_tokenizer
from tests.pipelines.made_counts import Row, made_count
from transforms.vocabulary import SPECIAL_TOKENS, Vocabulary
from transforms.wordpiece import WordPiece

pytestmark = pytest.mark.usefixtures("unsynced")

ROWS: list[Row] = [("的", 50, 40), ("中国", 20, 10), ("Café", 10, 5), ("人", 10, 9), ("龘", 6, 2), ("new york", 4, 1)]
BASE = "\n".join(["[unused1]", *SPECIAL_TOKENS, "中", "国", "的", "##的", "人", "##人", "cafe", "ca", "york", "民"])


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    return made_count(tmp_path / "counts", ROWS)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "base.txt").write_text(BASE + "\n")
    return tmp_path / "base.txt"


def tokens(path: Path) -> list[str]:
    """The tokens behind the special ones."""
    vocabulary = Vocabulary.read(path)
    assert vocabulary.tokens[:5] == SPECIAL_TOKENS
    assert vocabulary.content == path.read_bytes()
    return list(vocabulary.tokens[5:])


# --- what is written and told ---


@pytest.mark.parametrize(
    ("options", "expected", "told"),
    [
        ({}, ["的", "中国", "Café", "人", "龘", "new york"], "11 tokens; they cover 100.000 % of 100 words"),
        ({"size": 7}, ["的", "中国"], "7 tokens; they cover 70.000 % of 100 words"),
        ({"min_count": 10}, ["的", "中国", "Café", "人"], "9 tokens; they cover 90.000 % of 100 words"),
        ({"min_count": 51}, [], "5 tokens; they cover 0.000 % of 100 words"),
        ({"unit": "word", "size": 8, "min_count": 20}, ["的", "中国"], "7 tokens; they cover 70.000 % of 100 words"),
    ],
)
def test_words(counts: Path, tmp_path: Path, options: dict[str, Any], expected: list[str], told: str) -> None:
    out = tmp_path / "new/folder/vocab.txt"
    assert write_vocabulary(counts, out, **options) == {out: told}
    assert tokens(out) == expected
    assert [path.name for path in out.parent.iterdir()] == ["vocab.txt"]


def test_characters(counts: Path, tmp_path: Path) -> None:
    out = tmp_path / "vocab.txt"
    told = write_vocabulary(counts, out, unit="character", min_count=8)
    assert tokens(out) == ["的", "中", "国", "C", "a", "f", "é", "人", "##C", "##a", "##f", "##é"]
    assert told == {out: "17 tokens; they cover 80.460 % of 174 characters"}
    made_count(counts, [("的", 3, 1), ("人", 2, 1)], tokenizer="characters")
    assert write_vocabulary(counts, out) == {out: "7 tokens; they cover 100.000 % of 5 characters"}
    assert tokens(out) == ["的", "人"]


def test_stop_words(counts: Path, tmp_path: Path) -> None:
    (tmp_path / "stop.txt").write_text("的\n了\n人\nnew york\n中\n")
    out = tmp_path / "vocab.txt"
    told = write_vocabulary(counts, out, stop_words=tmp_path / "stop.txt")
    assert tokens(out) == ["中国", "Café", "龘"]
    assert told[out] == "8 tokens; they cover 36.000 % of 100 words; 3 of 5 stop words left out"
    told = write_vocabulary(counts, out, stop_words=tmp_path / "stop.txt", unit="character", size=7)
    assert tokens(out) == ["国"]  # C would need ##C beside it
    assert told[out].endswith("3 of 5 stop words left out")  # 的, 人, 中


def test_a_pretrained_vocabulary(counts: Path, base: Path, tmp_path: Path) -> None:
    out = tmp_path / "out/vocab.txt"
    told = write_vocabulary(counts, out, base=base)
    assert tokens(out) == ["的", "中", "国", "cafe", "人", "york", "##人", "##的"]
    kept = json.loads((tmp_path / "out/keep_tokens.json").read_bytes())
    lines = BASE.split("\n")
    assert [lines[token] for token in kept] == [*SPECIAL_TOKENS, *tokens(out)]
    # 龘 and new are unknown, 10 of 124 pieces.
    assert told == {
        out: "13 of 16 tokens; they cover 91.935 % of 124 pieces of words",
        tmp_path / "out/keep_tokens.json": f"the ids that they have in {base}",
    }
    write_vocabulary(counts, out, base=base, size=8, min_count=20)
    assert tokens(out) == ["的", "中", "国"]
    assert len(json.loads((tmp_path / "out/keep_tokens.json").read_bytes())) == 8


def test_a_corpus_without_a_piece(base: Path, tmp_path: Path) -> None:
    """Control characters are words to jieba and nothing to BERT."""
    counts = made_count(tmp_path / "counts", [("\x00", 7, 1), ("\ufeff", 2, 1)])
    told = write_vocabulary(counts, tmp_path / "vocab.txt", base=base)
    assert told[tmp_path / "vocab.txt"] == "5 of 16 tokens; they cover 0.000 % of 0 pieces of words"
    assert tokens(tmp_path / "vocab.txt") == []


def test_an_embedding_matrix_is_cut_by_the_kept_ids(counts: Path, base: Path, tmp_path: Path) -> None:
    out = tmp_path / "vocab.txt"
    write_vocabulary(counts, out, base=base)
    matrix = np.arange(16 * 3).reshape(16, 3)
    smaller = matrix[json.loads((tmp_path / "keep_tokens.json").read_bytes())]
    text = "Café中国的人york"
    before, after = (WordPiece(Vocabulary.read(path)).tokenize([text])[0] for path in (base, out))
    assert smaller[after.ids].tolist() == matrix[before.ids].tolist()


@pytest.mark.parametrize(
    ("added", "expected"),
    [([], ["##b", "a", "e", "##e"]), (["A", "##B", "É"], ["##B", "A", "##b", "a", "É", "e", "##e"])],
)
def test_a_base_that_tells_capitals_is_used_as_such(tmp_path: Path, added: list[str], expected: list[str]) -> None:
    counts = made_count(tmp_path / "counts", [("AB", 5, 1), ("ab", 3, 1), ("É", 2, 1), ("e", 1, 1)])
    (tmp_path / "base.txt").write_text("\n".join([*SPECIAL_TOKENS, "a", "##b", "e", "##e", *added]))
    write_vocabulary(counts, tmp_path / "vocab.txt", base=tmp_path / "base.txt")
    assert tokens(tmp_path / "vocab.txt") == expected


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_weights_for_jieba(counts: Path, tmp_path: Path) -> None:
    import jieba.analyse

    idf = tmp_path / "weights/idf.txt"
    told = write_vocabulary(counts, tmp_path / "vocab.txt", size=6, idf=idf)
    assert told[idf] == "weights of 5 words; 1 that hold white space left out"
    extractor = jieba.analyse.TFIDF()
    extractor.set_idf_path(str(idf))
    weights = {"的": 0.916290732, "中国": 2.302585093, "Café": 2.995732274, "人": 2.407945609, "龘": 3.912023005}
    assert extractor.idf_freq == weights
    with jieba_tokenizer() as extractor.tokenizer:
        tags = extractor.extract_tags("中国的中国人民", withWeight=True)  # 人民 was not counted: jieba takes the median
    assert tags == [("中国", pytest.approx(2 / 3 * 2.302585093)), ("人民", pytest.approx(1 / 3 * 2.407945609))]


def test_it_tells_that_rare_words_were_not_counted(tmp_path: Path) -> None:
    counts = made_count(tmp_path / "counts", ROWS, min_count=4)
    told = write_vocabulary(counts, tmp_path / "vocab.txt", unit="character")
    assert told[tmp_path / "vocab.txt"].endswith("characters; the count itself left out words rarer than 4")


rows = st.dictionaries(st.text("的中国aB1é \u3000\U00020000", min_size=1, max_size=4), st.integers(1, 9), max_size=30)


@settings(max_examples=30)
@given(rows.filter(bool), st.integers(1, 40), st.integers(1, 5), st.sampled_from(["word", "character"]))
def test_equal_to_a_counter(table: dict[str, int], part_rows: int, min_count: int, unit: Any) -> None:
    """However the counts lie in parts and batches."""
    expected: Counter[str] = Counter()
    for word, count in table.items():
        for token in word if unit == "character" else [word]:
            expected[token] += count * (unit == "word" or not token.isspace())
    ordered = sorted(expected, key=lambda token: (-expected[token], token))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "ROWS", 3)
        counts = made_count(
            Path(folder) / "counts", [(word, count, 1) for word, count in table.items()], part_rows=part_rows
        )
        out, idf = Path(folder) / "vocab.txt", Path(folder) / "idf.txt"
        write_vocabulary(counts, out, unit=unit, min_count=min_count, idf=idf)
        kept = [token for token in ordered if expected[token] >= min_count]
        inside = [f"##{token}" for token in kept if unit == "character" and token.isalnum() and token < "\u3400"]
        assert tokens(out) == kept + inside
        weighed = [line.split(" ")[0] for line in idf.read_text().split("\n")[:-1]]
    words = sorted(table, key=lambda word: (-table[word], word))
    assert weighed == [word for word in words if word.split() == [word]]


# --- what is refused ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": "base.txt", "unit": "word"}, "--unit: --base keeps exactly the tokens that the corpus uses"),
        ({"base": "base.txt", "stop_words": "stop.txt"}, "--stop-words: --base keeps exactly"),
        ({"idf": "vocab.txt"}, "--out and --idf are the same file, {}/vocab.txt: name another"),
        ({"base": "vocab.txt"}, "--out and --base are the same file"),
        ({"stop_words": "counts/../vocab.txt"}, "--out and --stop-words are the same file"),
        ({"base": "keep_tokens.json"}, "keep_tokens.json and --base are the same file"),
        ({"base": "base.txt", "idf": "base.txt"}, "--idf and --base are the same file"),
    ],
)
def test_options_that_contradict_each_other(
    counts: Path, tmp_path: Path, options: dict[str, str], message: str
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    given = {name: value if name == "unit" else tmp_path / value for name, value in options.items()}
    with pytest.raises(UsageError) as caught:
        write_vocabulary(counts, tmp_path / "vocab.txt", **given)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message.format(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_counts_whose_words_overlap_or_are_none(tmp_path: Path, base: Path) -> None:
    out = tmp_path / "vocab.txt"
    counts = made_count(tmp_path / "counts", ROWS, tokenizer="search")
    with pytest.raises(InputError, match=f"^{counts} was counted with --tokenizer search, whose words overlap: "):
        write_vocabulary(counts, out)
    made_count(counts, ROWS, tokenizer="characters")
    for options, name in (({"base": base}, "--base"), ({"unit": "word"}, "--unit word")):
        with pytest.raises(
            UsageError, match=f"^{name}: {counts} was counted with --tokenizer characters, it holds no "
        ):
            write_vocabulary(counts, out, **options)  # type: ignore[arg-type]
    made_count(counts, [])
    with pytest.raises(InputError, match=f"^{counts}: not a single word was counted there$"):
        write_vocabulary(counts, out)
    assert not out.exists()


def test_a_damaged_part_is_named_before_anything_is_written(tmp_path: Path, base: Path) -> None:
    counts = made_count(tmp_path / "counts", ROWS, part_rows=2)
    part = counts / "word_counts-00001-of-00003.parquet"
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1  # which Parquet itself need not see
    for damage in (bytes(content), content[:-1], None):
        part.unlink() if damage is None else part.write_bytes(damage)
        with pytest.raises(
            InputError, match=f"^{part}: missing or damaged: remove what is left of it and run the count"
        ):
            write_vocabulary(counts, tmp_path / "vocab.txt", base=base, idf=tmp_path / "idf.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.txt", "counts"]


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("base", None, "No such file or directory"),
        ("base", "[PAD]\n[PAD]\n", "line 2: '[PAD]' stands on line 1 already: remove it"),
        ("base", "中\n", "no line [PAD] or [UNK] or [CLS] or [SEP] or [MASK]: add each that is missing"),
        ("stop_words", None, "No such file or directory"),
        ("stop_words", b"a\n\xb5\xc4\n", "line 2: not UTF-8"),
    ],
)
def test_files_that_cannot_be_read(
    counts: Path, tmp_path: Path, option: str, content: str | bytes | None, message: str
) -> None:
    path = tmp_path / "given.txt"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError) as caught:
        write_vocabulary(counts, tmp_path / "vocab.txt", **{option: path})  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize("option", ["out", "idf", "keep"])
def test_what_cannot_be_written_is_named_and_the_old_stays(
    counts: Path, base: Path, tmp_path: Path, option: str
) -> None:
    folder = tmp_path / "out"
    out, idf, keep = folder / "vocab.txt", folder / "idf.txt", folder / "keep_tokens.json"
    blocked = {"out": out, "idf": idf, "keep": keep}[option]
    blocked.mkdir(parents=True)
    if option != "out":
        out.write_text("old")
    with pytest.raises(InputError, match=f"^{blocked}: Is a directory: it cannot be written there$"):
        write_vocabulary(counts, out, base=base, idf=idf)
    assert option == "out" or out.read_text() == "old"
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"it cannot be written there$"):
        write_vocabulary(counts, tmp_path / "file/vocab.txt")


def test_a_base_needs_a_package(counts: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("transforms.wordpiece", "transforms.wordpiece_library"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match=r"^--base needs the package tokenizers: pip install 'hanmill\[records\]'$"):
        write_vocabulary(counts, tmp_path / "vocab.txt", base=base)
