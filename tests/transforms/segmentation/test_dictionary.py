"""Dictionaries: what is loaded, what is refused and how, what is kept and shared."""

import contextlib
import gc
import math
import shutil
import tempfile
import warnings
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import jieba
import numpy as np
import pytest
from jieba import finalseg

from transforms.segmentation import Dictionary, DictionaryError, Segmenter, compiled_folder, dictionary_hash

ARRAYS = ("table", "first", "nodes", "scores", "emissions", "chain", "forced", "words", "word_ends")
STOCK = Path(jieba.__file__).with_name("dict.txt")


def words_of(dictionary: Dictionary) -> list[str]:
    ends = dictionary.word_ends.tolist()
    data = dictionary.words.tobytes()
    return [data[low:high].decode() for low, high in pairwise(ends)]


def file_with(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return file_with(tmp_path / "small.txt", "中国 5 ns\n中国人 3 n\n人 7\n")


# --- what is loaded ---


def test_stock_dictionary_holds_the_words_of_jieba_that_can_match(stock: Dictionary) -> None:
    lines = STOCK.read_text(encoding="utf-8").split("\n")
    frequencies = {line.split(" ")[0]: int(line.split(" ")[1]) for line in lines if line}
    total = sum(int(line.split(" ")[1]) for line in lines if line)
    assert total == 60_101_967
    found = words_of(stock)
    assert len(found) == len(set(found))
    assert set(frequencies) - set(found) == {"γ射线"}, "its first letter stands outside jieba's blocks"
    assert set(found) <= set(frequencies)
    assert [frequencies[word] for word in found] == sorted((frequencies[word] for word in found), reverse=True)
    assert stock.scores[1:].tolist() == [math.log(frequencies[word]) - math.log(total) for word in found]
    assert math.isnan(stock.scores[0])
    assert stock.unknown == -math.log(total)


def test_replacement_dictionary_is_loaded_instead(small: Path, private_cache: Path) -> None:
    dictionary = Dictionary.load(small)
    assert words_of(dictionary) == ["人", "中国", "中国人"]
    assert dictionary.scores[1:].tolist() == [math.log(frequency) - math.log(15) for frequency in (7, 5, 3)]
    assert Segmenter(dictionary, hmm=False).cut("北京中国人") == ["北", "京", "中国人"]


def test_paths_may_be_strings(small: Path, private_cache: Path) -> None:
    assert Dictionary.load(str(small)).content_hash == Dictionary.load(small).content_hash
    with_user = Dictionary.load(str(small), user_dictionaries=[str(small)])
    assert with_user.content_hash == dictionary_hash(small, user_dictionaries=[small])


def test_scores_are_logarithms_of_the_c_library(tmp_path: Path, private_cache: Path) -> None:
    # NumPy's logarithm of 9170, 19143, ... differs in the last place on some processors.
    frequencies = [*range(1, 20_000), 94869, 102327, 136085, 136837, 141614, 147674]
    lines = [
        f"{chr(0x4E00 + index // 500)}{chr(0x6000 + index % 500)} {value}\n" for index, value in enumerate(frequencies)
    ]
    dictionary = Dictionary.load(file_with(tmp_path / "dict.txt", "".join(lines)))
    expected = [math.log(value) - math.log(sum(frequencies)) for value in sorted(frequencies, reverse=True)]
    assert dictionary.scores[1:].tolist() == expected


def test_user_words_come_on_top_and_change_every_score(small: Path, tmp_path: Path, private_cache: Path) -> None:
    user = file_with(tmp_path / "user.txt", "人民 10\n大 学 100 n\n中国 0\n")
    dictionary = Dictionary.load(small, user_dictionaries=[user])
    assert words_of(dictionary) == ["人民", "人", "中国人"]
    assert dictionary.unknown == -math.log(15 + 10 + 100)
    assert dictionary.scores[2] == math.log(7) - math.log(125)
    assert np.count_nonzero(dictionary.forced) == 1


# --- identity ---


def test_hash_is_the_one_of_the_stock_dictionary(stock: Dictionary, tmp_path: Path) -> None:
    assert stock.content_hash == dictionary_hash() == dictionary_hash(STOCK)
    assert dictionary_hash(shutil.copy(STOCK, tmp_path / "copy.txt")) == stock.content_hash
    assert len(stock.content_hash) == 64


def test_hash_covers_contents_and_order_but_not_names(small: Path, tmp_path: Path) -> None:
    one, other = file_with(tmp_path / "1", "人民\n"), file_with(tmp_path / "2", "人大\n")
    same = file_with(tmp_path / "3", "人民\n")
    joined, empty = file_with(tmp_path / "4", "人民\n人大\n"), file_with(tmp_path / "5", "")
    variants = [
        dictionary_hash(),
        dictionary_hash(small),
        dictionary_hash(small, user_dictionaries=[one]),
        dictionary_hash(small, user_dictionaries=[other]),
        dictionary_hash(small, user_dictionaries=[one, other]),
        dictionary_hash(small, user_dictionaries=[other, one]),
        dictionary_hash(small, user_dictionaries=[one, one]),
        dictionary_hash(small, user_dictionaries=[joined]),
        dictionary_hash(small, user_dictionaries=[empty]),
        dictionary_hash(one, user_dictionaries=[small]),
        dictionary_hash(user_dictionaries=[one]),
    ]
    assert len(set(variants)) == len(variants)
    assert dictionary_hash(small, user_dictionaries=[same]) == dictionary_hash(small, user_dictionaries=[one])


def test_edited_dictionary_is_loaded_anew(small: Path, private_cache: Path) -> None:
    before = Dictionary.load(small)
    after = Dictionary.load(file_with(small, "中国 5\n"))
    assert words_of(before) == ["人", "中国", "中国人"]
    assert words_of(after) == ["中国"]
    assert before.content_hash != after.content_hash


# --- what is refused ---


@pytest.mark.parametrize(
    "line",
    ["北京", "北京 many", "北京\t5", "", "北京 5.0", "北京  5", b"\xb1\xb1\xbe\xa9 5", b"\xff\xfe 5"],
    ids=["no-frequency", "no-number", "tab", "blank", "fraction", "two-blanks", "gb18030", "utf-16"],
)
def test_bad_line_of_a_dictionary_is_named(tmp_path: Path, line: str | bytes, private_cache: Path) -> None:
    bad = line.encode() if isinstance(line, str) else line
    path = file_with(tmp_path / "bad.txt", "中国 5\n人 7\n".encode() + bad + "\n大学 5\n".encode())
    with pytest.raises(DictionaryError, match=r"bad\.txt at Line 3: .*expected: word frequency \[tag\], in UTF-8"):
        Dictionary.load(path)
    assert list((private_cache / "dictionaries").iterdir()) == []


@pytest.mark.parametrize("content", ["", "中国 0\n人 0\n", "中国 5\n人 -1\n", "中国 5\n人 -5\n"])
def test_dictionary_without_positive_frequencies_is_refused(tmp_path: Path, content: str, private_cache: Path) -> None:
    with pytest.raises(
        DictionaryError, match=r"zero\.txt: (no word has a frequency above 0|the frequency of '人' is less than 0)"
    ):
        Dictionary.load(file_with(tmp_path / "zero.txt", content))


def test_line_of_a_user_dictionary_that_is_not_utf_8_is_named(small: Path, tmp_path: Path, private_cache: Path) -> None:
    good = file_with(tmp_path / "good.txt", "人民\n")
    bad = file_with(tmp_path / "user.txt", "人民 5\n\n".encode() + "ab北京 5".encode("gb18030") + b"\n")
    with pytest.raises(DictionaryError, match=r"user\.txt, line 3: not UTF-8 \(byte 3\): save the file as UTF-8"):
        Dictionary.load(small, user_dictionaries=[good, bad])


def test_dictionary_error_is_a_value_error() -> None:
    assert issubclass(DictionaryError, ValueError)


def test_missing_file_is_named(small: Path, tmp_path: Path, private_cache: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no-such\.txt"):
        Dictionary.load(tmp_path / "no-such.txt")
    with pytest.raises(FileNotFoundError, match=r"no-such\.txt"):
        Dictionary.load(small, user_dictionaries=[small, tmp_path / "no-such.txt"])
    with pytest.raises(FileNotFoundError, match=r"no-such\.txt"):
        dictionary_hash(tmp_path / "no-such.txt")


# --- what is kept, and what is left alone ---


def test_compiled_form_is_kept_and_mapped(small: Path, private_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = Dictionary.load(small)

    def refuse(*_: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(jieba.Tokenizer, "gen_pfdict", staticmethod(refuse))
    loaded = Dictionary.load(small)
    for name in ARRAYS:
        array = getattr(loaded, name)
        assert array.tobytes() == getattr(compiled, name).tobytes()
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable
    assert (loaded.unknown, loaded.content_hash) == (compiled.unknown, compiled.content_hash)


def test_folder_that_another_process_made_meanwhile_is_used(
    small: Path, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gen_pfdict = jieba.Tokenizer.gen_pfdict
    meanwhile: list[Dictionary | None] = []

    def overtaken(file: BinaryIO) -> object:
        if not meanwhile:
            meanwhile.append(None)
            meanwhile[0] = Dictionary.load(small)
        return gen_pfdict(file)

    monkeypatch.setattr(jieba.Tokenizer, "gen_pfdict", staticmethod(overtaken))
    dictionary = Dictionary.load(small)
    assert meanwhile[0] is not None
    assert meanwhile[0].nodes.tobytes() == dictionary.nodes.tobytes()
    assert list((private_cache / "dictionaries").iterdir()) == [compiled_folder(dictionary.content_hash)]


def test_jieba_writes_no_cache_of_its_own(
    small: Path, tmp_path: Path, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    user = file_with(tmp_path / "user.txt", "人民\n")
    Dictionary.load(small, user_dictionaries=[user])
    Dictionary.load(user_dictionaries=[user])
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("base", ["中国 5\n", "中国 five\n"], ids=["user-dictionary", "bad-dictionary"])
def test_files_are_closed(tmp_path: Path, private_cache: Path, base: str) -> None:
    path, user = file_with(tmp_path / "dict.txt", base), file_with(tmp_path / "user.txt", "人民 5\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.suppress(DictionaryError):
            Dictionary.load(path, user_dictionaries=[user])
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_words_that_jieba_splits_by_force_in_this_process_are_kept(
    small: Path, tmp_path: Path, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced = {"王五"}
    monkeypatch.setattr(finalseg, "Force_Split_Words", forced)
    user = file_with(tmp_path / "user.txt", "人民 0\n")
    bad = file_with(tmp_path / "bad.txt", b"\xff 0\n")
    dictionary = Dictionary.load(small, user_dictionaries=[user])
    assert np.count_nonzero(dictionary.forced) == 1
    with pytest.raises(DictionaryError):
        Dictionary.load(small, user_dictionaries=[user, bad])
    assert finalseg.Force_Split_Words is forced
    assert forced == {"王五"}
