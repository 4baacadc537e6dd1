"""WordPiece: what becomes of hard strings, offsets into the original text, pairs and windows."""

import functools
import os
import pickle
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers, pre_tokenizers

from tests.pipelines.command import ROOT
from transforms import wordpiece as module
from transforms.vocabulary import SPECIAL_TOKENS, Vocabulary
from transforms.wordpiece import Encoding, Tokens, WordPiece, pair, windows
from transforms.wordpiece_library import LONGEST_WORD, Library

DATA = os.environ.get("HANMILL_DATA")

# --- a table written by hand ---

PIECES = """
a b c e k m t x ab abc cafe el ##an ##a ##b ##c ##de ##e ##t istanbul stra strasse ##ß ß viet don http cn
σ ##ι ##σ ##υ ##φ ##ο ς ﬁ ##ne æ ##on ø ı ſ ǆ ⅷ е и ｃ ##ａ １２ ##３ ｶ ##ﾞ カ か ᄀ ##ᅡ ##ᆨ क ℹ 🇨 ##🇳 💡
0 1 2 3 4 5 20 ##08 ##8 + - . , % # [ ] ' _ $ = < ; : / ^ ` ~ ， 。 《 》 … — ！ cls mask ##s
中 国 人 民 恤 文 你 豈 𠀀 english 〇 \u302e ##\u302e \U0001d165 ##\U0001d165 \U0001d16d ##\U0001d16d
"""

# Each token with the slice of the text that it stands for, and where the slice begins.
TABLE: list[tuple[str, list[tuple[str, str, int]]]] = [
    # Han characters, known and not, basic plane and beyond
    ("中国人", [("中", "中", 0), ("国", "国", 1), ("人", "人", 2)]),
    ("龘中靐", [("[UNK]", "龘", 0), ("中", "中", 1), ("[UNK]", "靐", 2)]),
    ("𠀀𠀁中", [("𠀀", "𠀀", 0), ("[UNK]", "𠀁", 1), ("中", "中", 2)]),
    ("a𠮷b", [("a", "a", 0), ("[UNK]", "𠮷", 1), ("b", "b", 2)]),
    ("\uf900\U0002f804", [("豈", "\uf900", 0), ("你", "\U0002f804", 1)]),  # compatibility ideographs are taken back
    ("二〇", [("[UNK]", "二", 0), ("〇", "〇", 1)]),
    # Letters: case, accents, combining marks
    ("Café", [("cafe", "Café", 0)]),
    ("cafe\u0301 a", [("cafe", "cafe", 0), ("a", "a", 6)]),
    ("e\u0301\u0302e\u0327x", [("[UNK]", "e\u0301\u0302e\u0327x", 0)]),
    ("e\u0301\u0302\u0327a", [("e", "e", 0), ("##a", "a", 4)]),
    ("ÉLAN", [("el", "ÉL", 0), ("##an", "AN", 2)]),
    ("İstanbul", [("istanbul", "İstanbul", 0)]),
    ("ı", [("ı", "ı", 0)]),
    ("STRASSE straße", [("strasse", "STRASSE", 0), ("stra", "stra", 8), ("##ß", "ß", 12), ("##e", "e", 13)]),
    ("\u1e9e", [("ß", "\u1e9e", 0)]),
    (
        "ΣΊΣΥΦΟΣ",  # letter by letter: the last one is not ς
        [("σ", "Σ", 0), ("##ι", "Ί", 1), ("##σ", "Σ", 2), ("##υ", "Υ", 3), ("##φ", "Φ", 4), ("##ο", "Ο", 5)]
        + [("##σ", "Σ", 6)],
    ),
    ("ς", [("ς", "ς", 0)]),
    ("ﬁne", [("ﬁ", "ﬁ", 0), ("##ne", "ne", 1)]),
    ("Æon Ø", [("æ", "Æ", 0), ("##on", "on", 1), ("ø", "Ø", 4)]),
    ("ſ Ǆ ǅ ǆ", [("ſ", "ſ", 0), ("ǆ", "Ǆ", 2), ("ǆ", "ǅ", 4), ("ǆ", "ǆ", 6)]),
    ("Ⅷ", [("ⅷ", "Ⅷ", 0)]),
    ("\u212a\u212b", [("k", "\u212a", 0), ("##a", "\u212b", 1)]),  # Kelvin and Ångström
    ("Việt", [("viet", "Việt", 0)]),
    ("Ё й", [("е", "Ё", 0), ("и", "й", 2)]),
    ("\u0301中\u0301a", [("中", "中", 1), ("a", "a", 3)]),
    ("क़", [("क", "क", 0)]),
    # Full width, half width, other scripts
    ("Ｃａ", [("ｃ", "Ｃ", 0), ("##ａ", "ａ", 1)]),
    ("１２３", [("１２", "１２", 0), ("##３", "３", 2)]),
    ("ｶﾞ ガ か\u3099", [("ｶ", "ｶ", 0), ("##ﾞ", "ﾞ", 1), ("カ", "ガ", 3), ("か", "か", 5)]),
    ("각", [("ᄀ", "각", 0), ("##ᅡ", "각", 0), ("##ᆨ", "각", 0)]),
    ("\u1100\u1161\u11a8", [("ᄀ", "\u1100", 0), ("##ᅡ", "\u1161", 1), ("##ᆨ", "\u11a8", 2)]),
    # White space and what is not seen
    ("中\u3000国", [("中", "中", 0), ("国", "国", 2)]),
    ("a\u00a0b\u2003c", [("a", "a", 0), ("b", "b", 2), ("c", "c", 4)]),
    ("a\r\nb\tc\n", [("a", "a", 0), ("b", "b", 3), ("c", "c", 5)]),
    ("a\u2028b\u2029c", [("a", "a", 0), ("b", "b", 2), ("c", "c", 4)]),
    ("  a  ", [("a", "a", 2)]),
    ("a\x00b", [("ab", "a\x00b", 0)]),
    ("\x00\x01a\x7f\x85b\x1b", [("ab", "a\x7f\x85b", 2)]),
    ("a\ufffdb", [("ab", "a\ufffdb", 0)]),
    ("a\u200bb", [("ab", "a\u200bb", 0)]),
    ("ab\u200d\u2060\u00adde", [("ab", "ab", 0), ("##de", "de", 5)]),
    ("\ufeff中\u202e国\u200f", [("中", "中", 1), ("国", "国", 3)]),
    ("中\ue000国", [("中", "中", 0), ("国", "国", 2)]),  # private use
    ("", []),
    (" \t\u3000\r\n", []),
    ("\x00\ufffd\u200b\u0301", []),
    # Emoji and other symbols
    ("😀", [("[UNK]", "😀", 0)]),
    ("💡😀中", [("[UNK]", "💡😀", 0), ("中", "中", 2)]),
    ("中💡文", [("中", "中", 0), ("💡", "💡", 1), ("文", "文", 2)]),
    ("👩\u200d🚀，", [("[UNK]", "👩\u200d🚀", 0), ("，", "，", 3)]),
    ("🇨🇳", [("🇨", "🇨", 0), ("##🇳", "🇳", 1)]),
    ("ℹ\ufe0f 1\ufe0f\u20e3", [("ℹ", "ℹ", 0), ("[UNK]", "1\ufe0f\u20e3", 3)]),
    ("①②½㈱", [("[UNK]", "①②½㈱", 0)]),
    # Words that are too long, and words without pieces
    ("b" * 101 + "中", [("[UNK]", "b" * 101, 0), ("中", "中", 101)]),
    ("b" * 100, [("b" if place == 0 else "##b", "b", place) for place in range(100)]),
    ("é" * 101, [("[UNK]", "é" * 101, 0)]),
    ("e\u0301" * 100, [("e" if place == 0 else "##e", "e", 2 * place) for place in range(100)]),
    ("abz ab", [("[UNK]", "abz", 0), ("ab", "ab", 4)]),
    ("2008 20088", [("20", "20", 0), ("##08", "08", 2), ("20", "20", 5), ("##08", "08", 7), ("##8", "8", 9)]),
    # Punctuation, of ASCII all that is no letter or digit
    ("C++", [("c", "C", 0), ("+", "+", 1), ("+", "+", 2)]),
    ("3.5%", [("3", "3", 0), (".", ".", 1), ("5", "5", 2), ("%", "%", 3)]),
    ("T恤", [("t", "T", 0), ("恤", "恤", 1)]),
    ("don't", [("don", "don", 0), ("'", "'", 3), ("t", "t", 4)]),
    ("a_b-$1", [("a", "a", 0), ("_", "_", 1), ("b", "b", 2), ("-", "-", 3), ("$", "$", 4), ("1", "1", 5)]),
    ("1=^`~", [("1", "1", 0), ("=", "=", 1), ("^", "^", 2), ("`", "`", 3), ("~", "~", 4)]),
    ("《a》……——！", [(mark, mark, place) for place, mark in enumerate("《a》……——！")]),
    ("http://t.cn", [("http", "http", 0), (":", ":", 4), ("/", "/", 5), ("/", "/", 6), ("t", "t", 7)]
     + [(".", ".", 8), ("cn", "cn", 9)]),
    ("a≠b≮c\u037e", [("a", "a", 0), ("=", "≠", 1), ("b", "b", 2), ("<", "≮", 3), ("c", "c", 4), (";", "\u037e", 5)]),
    ("中文English混", [("中", "中", 0), ("文", "文", 1), ("english", "English", 2), ("[UNK]", "混", 9)]),
    # What looks like the vocabulary's own marks
    ("##中", [("#", "#", 0), ("#", "#", 1), ("中", "中", 2)]),
    ("a##b", [("a", "a", 0), ("#", "#", 1), ("#", "#", 2), ("b", "b", 3)]),
    ("[CLS]中[MASK]", [("[", "[", 0), ("cls", "CLS", 1), ("]", "]", 4), ("中", "中", 5)]
     + [("[", "[", 6), ("mask", "MASK", 7), ("]", "]", 11)]),
    ("[UNK][PAD]", [("[", "[", 0), ("[UNK]", "UNK", 1), ("]", "]", 4), ("[", "[", 5), ("[UNK]", "PAD", 6)]
     + [("]", "]", 9)]),
    ("[unused1]", [("[", "[", 0), ("[UNK]", "unused1", 1), ("]", "]", 8)]),
    # Marks that are no accents and change places when text is put into canonical order
    ("\u0301\u302e", [("\u302e", "\u0301\u302e", 0)]),
    ("a\u0301\u302eb", [("a", "a", 0), ("##\u302e", "\u0301\u302e", 1), ("##b", "b", 3)]),
    ("\U0001d16d\U0001d165", [("\U0001d165", "\U0001d16d\U0001d165", 0), ("##\U0001d16d", "\U0001d16d\U0001d165", 0)]),
]  # fmt: skip


def slices(tokens: Tokens, text: str, vocabulary: Vocabulary) -> list[tuple[str, str, int]]:
    """Each token with its slice and where that begins."""
    found = zip(tokens.ids.tolist(), tokens.begins.tolist(), tokens.ends.tolist(), strict=True)
    return [(vocabulary.tokens[token], text[begin:end], begin) for token, begin, end in found]


@functools.cache
def table_wordpiece(lowercase: bool) -> WordPiece:
    return WordPiece(Vocabulary((*SPECIAL_TOKENS, *PIECES.split())), lowercase=lowercase)


@pytest.mark.parametrize(("text", "expected"), TABLE, ids=[ascii(text)[1:-1][:30] for text, _ in TABLE])
def test_hard_strings(text: str, expected: list[tuple[str, str, int]]) -> None:
    wordpiece = table_wordpiece(True)
    assert slices(wordpiece.tokenize([text])[0], text, wordpiece.vocabulary) == expected


def test_a_batch_is_its_texts_one_by_one() -> None:
    wordpiece = table_wordpiece(True)
    batch = wordpiece.tokenize([text for text, _ in TABLE])
    for tokens, (text, expected) in zip(batch, TABLE, strict=True):
        assert slices(tokens, text, wordpiece.vocabulary) == expected
        assert {column.dtype for column in (tokens.ids, tokens.begins, tokens.ends)} == {np.dtype(np.int32)}
        assert len(tokens) == len(expected)
    assert wordpiece.tokenize([]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cafe\u0301 cafe", [("[UNK]", "Cafe\u0301", 0), ("cafe", "cafe", 6)]),
        ("ÉLAN el", [("[UNK]", "ÉLAN", 0), ("el", "el", 5)]),
        ("각中", [("[UNK]", "각", 0), ("中", "中", 1)]),
        ("a\x00b中\u3000。", [("ab", "a\x00b", 0), ("中", "中", 3), ("。", "。", 5)]),
        ("\U0001d16d\U0001d165", [("\U0001d16d", "\U0001d16d", 0), ("##\U0001d165", "\U0001d165", 1)]),
    ],
)
def test_cased(text: str, expected: list[tuple[str, str, int]]) -> None:
    """Case and accents stay, the rest is as ever."""
    wordpiece = table_wordpiece(False)
    assert slices(wordpiece.tokenize([text])[0], text, wordpiece.vocabulary) == expected


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["中", "国\ud800"], "text 1: character 1 is half of a surrogate pair"),
        (["\udc00"], "text 0: character 0 "),
        (["\ud83d\ude00"], "text 0: character 0 "),  # two halves are no character either
        (["a", "\u302e\udfff"], "text 1: character 1 "),
    ],
)
@pytest.mark.parametrize("lowercase", [False, True])
def test_lone_surrogates_are_refused_by_text(texts: list[str], message: str, lowercase: bool) -> None:
    with pytest.raises(ValueError, match=message):
        table_wordpiece(lowercase).tokenize(texts)


# --- BERT's rules in plain Python ---


def is_han(character: str) -> bool:
    ranges = [(0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF)]
    ranges += [(0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0x2F800, 0x2FA1F)]
    return any(low <= ord(character) <= high for low, high in ranges)


def is_punctuation(character: str) -> bool:
    ascii_symbol = "!" <= character <= "~" and not character.isalnum()
    return ascii_symbol or unicodedata.category(character).startswith("P")


def clean(text: str) -> str:
    """White space is blanks; control, format and private characters are nothing."""
    spaced = (" " if c in "\t\n\r" or unicodedata.category(c)[0] == "Z" else c for c in text)
    return "".join(c for c in spaced if c != "\ufffd" and unicodedata.category(c)[0] != "C")


def normal(text: str) -> str:
    """Cleaned, small letters, no accents. A letter's small form is its own, whatever surrounds it."""
    apart = unicodedata.normalize("NFD", "".join(map(str.lower, clean(text))))
    return "".join(character for character in apart if unicodedata.category(character) != "Mn")


def split(text: str, normalize: Callable[[str], str] = normal) -> list[str]:
    """The words of a text: punctuation marks and Han characters are words of their own."""
    spaced = normalize("".join(f" {character} " if is_han(character) else character for character in clean(text)))
    return "".join(f" {character} " if is_punctuation(character) else character for character in spaced).split()


def reference(text: str, vocabulary: Vocabulary) -> list[str]:
    """The tokens of a text: always the longest piece from the left."""
    found: list[str] = []
    for word in split(text):
        pieces: list[str] = []
        begin = 0
        while begin < len(word):
            prefix = "##" if begin else ""
            ends = range(len(word), begin, -1)
            end = next((end for end in ends if prefix + word[begin:end] in vocabulary.ids), None)
            if end is None or len(word) > LONGEST_WORD:
                pieces = ["[UNK]"]
                break
            pieces.append(prefix + word[begin:end])
            begin = end
        found += pieces
    return found


def check_offsets(text: str, tokens: Tokens, vocabulary: Vocabulary, normalize: Callable[[str], str]) -> None:
    """What slices of the text say is what the tokens say, and nothing of the text is missing."""
    begins, ends = tokens.begins.tolist(), tokens.ends.tolist()
    assert begins == sorted(begins)
    assert ends == sorted(ends)
    assert all(0 <= begin < end <= len(text) for begin, end in zip(begins, ends, strict=True))
    behind = 0
    for first, last in groups(begins, ends):
        said = [vocabulary.tokens[token].removeprefix("##") for token in tokens.ids[first : last + 1].tolist()]
        shown = normalize(text[begins[first] : ends[last]])
        assert "[UNK]" in said or shown == "".join(said)
        assert shown.strip()
        assert not normalize(text[behind : begins[first]]).strip()
        behind = ends[last]
        if last > first:
            check_sharing(text[begins[first] : behind], normalize)
    assert not normalize(text[behind:]).strip()


def groups(begins: Sequence[int], ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of tokens that share characters; alone, nearly always."""
    cuts = [place for place in range(1, len(begins)) if begins[place] >= ends[place - 1]]
    return ((low, high - 1) for low, high in pairwise([0, *cuts, len(begins)]) if low < high)


def check_sharing(shared: str, normalize: Callable[[str], str]) -> None:
    """Tokens may share what becomes several characters, or characters that change places."""
    apart = [normalize(character) for character in shared]
    assert max(map(len, apart)) > 1 or "".join(apart) != normalize(shared)


@functools.cache
def other_tables() -> frozenset[str]:
    """Characters for which the library's tables, of an older Unicode, say something else than Python's."""
    normalizer = normalizers.BertNormalizer(handle_chinese_chars=False, lowercase=True)
    spaces = normalizers.BertNormalizer(clean_text=False, strip_accents=False, lowercase=False)
    marks = pre_tokenizers.BertPreTokenizer()
    assigned = (chr(point) for point in range(0x110000) if unicodedata.category(chr(point)) not in ("Cn", "Co", "Cs"))
    return frozenset(
        character
        for character in assigned
        if normalizer.normalize_str(character) != normal(character)
        or (spaces.normalize_str(character) != character) != is_han(character)
        or (len(marks.pre_tokenize_str(f"a{character}a")) == 3) != is_punctuation(character)
    )


def test_the_library_knows_all_but_late_characters() -> None:
    """What came or changed after Unicode 3.2, and Han characters of one block, which do not stand alone."""
    others = other_tables()
    han = {character for character in others if is_han(character)}
    assert all(0x2B820 <= ord(character) <= 0x2CEAF for character in han)
    early = [character for character in others - han if is_early(character)]
    assert early == []


def is_early(character: str) -> bool:
    return unicodedata.ucd_3_2_0.category(character) == unicodedata.category(character)


HARD = "aZéÉİßΣςﬁＡ\u3000 \t\r\n\x00\x01\ufffd\u200b\u200d😀𠀀𠀁中国각한\u1161\u11a8\u1100ガ\uf900\U0002f800#[]+.3%'≮"
HARD += "\u037e\u2003\u00a0\u2028क़\u09cb\U0001d15e\u0f73ıK\u1e9eǅ\u1f80\u00ad\ue000\ufe0f\u20e3"
MARKS = "\u0301\u0302\u0327\u0344\u0345\u3099\u302e\u302f\U0001d165\U0001d16d\u1b44"
any_character = st.characters(exclude_categories=("Cs",))
texts = st.text(st.sampled_from(HARD + MARKS) | any_character, max_size=12)


@st.composite
def vocabularies(draw: st.DrawFn, words: Sequence[str]) -> Vocabulary:
    """Pieces that some of the words can be cut into."""
    pieces = dict.fromkeys(SPECIAL_TOKENS)
    for word in words:
        if draw(st.integers(0, 9)):
            cuts = draw(st.sets(st.integers(1, len(word)), max_size=4))
            for begin, end in pairwise(sorted({0, *cuts, len(word)})):
                pieces["##" * (begin > 0) + word[begin:end]] = None
    return Vocabulary(tuple(pieces))


@settings(max_examples=1000)
@given(text=texts, data=st.data())
def test_slices_say_what_tokens_say(text: str, data: st.DataObject) -> None:
    text = "".join(character for character in text if character not in other_tables() and is_assigned(character))
    vocabulary = data.draw(vocabularies(split(text)))
    tokens = WordPiece(vocabulary).tokenize([text])[0]
    assert [vocabulary.tokens[token] for token in tokens.ids.tolist()] == reference(text, vocabulary)
    check_offsets(text, tokens, vocabulary, normal)


def is_assigned(character: str) -> bool:
    return unicodedata.category(character) != "Cn"


late = st.deferred(lambda: st.sampled_from(sorted(other_tables())))


@settings(max_examples=1000)
@given(text=st.text(st.sampled_from(HARD + MARKS) | any_character | late, max_size=12), data=st.data())
def test_slices_say_what_tokens_say_by_the_library_s_own_tables(text: str, data: st.DataObject) -> None:
    """All characters there are, those that the library takes for others too."""
    normalize = normalizers.BertNormalizer(handle_chinese_chars=False, lowercase=True).normalize_str
    vocabulary = data.draw(vocabularies(split(text, normalize)))
    check_offsets(text, WordPiece(vocabulary).tokenize([text])[0], vocabulary, normalize)


@given(text=texts, data=st.data())
def test_slices_say_what_cased_tokens_say(text: str, data: st.DataObject) -> None:
    normalize = normalizers.BertNormalizer(
        handle_chinese_chars=False, strip_accents=False, lowercase=False
    ).normalize_str
    vocabulary = data.draw(vocabularies(split(text, normalize)))
    tokens = WordPiece(vocabulary, lowercase=False).tokenize([text])[0]
    check_offsets(text, tokens, vocabulary, normalize)
    assert [*groups(tokens.begins.tolist(), tokens.ends.tolist())] == [(item, item) for item in range(len(tokens))]


@settings(max_examples=500)
@given(found=st.lists(texts, max_size=5), lowercase=st.booleans(), data=st.data())
def test_the_table_of_characters_changes_nothing(found: list[str], lowercase: bool, data: st.DataObject) -> None:
    """What stands alone does so wherever it stands: the library, given whole texts, cuts them alike."""
    vocabulary = data.draw(vocabularies(split("".join(found))))
    wordpiece = WordPiece(vocabulary, lowercase=lowercase)
    expected = Library(vocabulary, lowercase=lowercase).tokenize(found)
    for _ in range(2):  # with runs that are new, and with the same ones kept
        for tokens, same in zip(wordpiece.tokenize(found), expected, strict=True):
            assert rows(tokens) == rows(same)


@pytest.mark.skipif(not DATA, reason="HANMILL_DATA names the folder of the corpora, and is not set")
def test_real_titles_and_articles_with_a_real_vocabulary() -> None:
    assert DATA is not None
    vocabulary = Vocabulary.read(Path(DATA) / "vocab/vocab.txt")
    titles = (Path(DATA) / "thucnews_titles/dev.tsv").read_text("utf-8").split("\n")[:600]
    articles = (Path(DATA) / "cnews/cnews.tsv").read_text("utf-8").split("\n")[:40]
    found = [line.partition("\t")[2] for line in (*titles, *articles)]
    assert sum(map(len, found)) > 40_000
    for text, tokens in zip(found, WordPiece(vocabulary).tokenize(found), strict=True):
        assert [vocabulary.tokens[token] for token in tokens.ids.tolist()] == reference(text, vocabulary)
        check_offsets(text, tokens, vocabulary, normal)
    for tokens, same in zip(WordPiece(vocabulary).tokenize(found), Library(vocabulary).tokenize(found), strict=True):
        assert rows(tokens) == rows(same)


# --- pairs and windows ---

VOCABULARY = Vocabulary((*SPECIAL_TOKENS, "a"))
lengths = st.integers(0, 30)


def made_tokens(length: int, first: int) -> Tokens:
    """Tokens `first`, `first` + 1, ... of two characters each with a blank between them."""
    places = np.arange(length, dtype=np.int32)
    return Tokens(first + places, 3 * places, 3 * places + 2)


def parts(encoding: Encoding) -> list[list[tuple[int, int, int]]]:
    """The texts of an encoding as (id, begin, end), after a look at what surrounds them."""
    columns = (encoding.ids, encoding.segments, encoding.begins, encoding.ends)
    assert {column.dtype for column in columns} == {np.dtype(np.int32)}
    assert {len(column) for column in columns} == {len(encoding)}
    special = np.flatnonzero(encoding.begins == encoding.ends).tolist()
    assert encoding.begins[special].tolist() == [0] * len(special)
    assert encoding.ids[special].tolist() == [VOCABULARY.cls] + [VOCABULARY.sep] * (len(special) - 1)
    assert (special[0], special[-1]) == (0, len(encoding) - 1)
    segments = [0] + [segment for segment, size in enumerate(np.diff(special).tolist()) for _ in range(size)]
    assert encoding.segments.tolist() == segments
    rows = list(zip(encoding.ids.tolist(), encoding.begins.tolist(), encoding.ends.tolist(), strict=True))
    return [rows[begin + 1 : end] for begin, end in pairwise(special)]


def rows(tokens: Tokens) -> list[tuple[int, int, int]]:
    return list(zip(tokens.ids.tolist(), tokens.begins.tolist(), tokens.ends.tolist(), strict=True))


def cut_one_by_one(first: int, second: int, room: int) -> tuple[int, int]:
    """What is left when the longer text loses a token again and again; the second where they are alike."""
    while first + second > room:
        first, second = (first - 1, second) if first > second else (first, second - 1)
    return first, second


@given(lengths, lengths, st.integers(3, 70))
def test_a_pair_loses_tokens_of_the_longer_text(first: int, second: int, max_length: int) -> None:
    texts = made_tokens(first, 100), made_tokens(second, 500)
    encoding = pair(*texts, vocabulary=VOCABULARY, max_length=max_length)
    kept = cut_one_by_one(first, second, max_length - 3)
    assert parts(encoding) == [rows(text)[:length] for text, length in zip(texts, kept, strict=True)]
    assert len(encoding) == min(first + second + 3, max_length)


@given(lengths, st.integers(2, 40))
def test_a_single_text(length: int, max_length: int) -> None:
    text = made_tokens(length, 100)
    encoding = pair(text, vocabulary=VOCABULARY, max_length=max_length)
    assert parts(encoding) == [rows(text)[: max_length - 2]]


def test_a_pair_of_texts() -> None:
    wordpiece = table_wordpiece(True)
    first, second = wordpiece.tokenize(["Café 中", "3.5%"])
    encoding = pair(first, second, vocabulary=wordpiece.vocabulary, max_length=9)
    tokens = [wordpiece.vocabulary.tokens[token] for token in encoding.ids.tolist()]
    assert tokens == ["[CLS]", "cafe", "中", "[SEP]", "3", ".", "5", "%", "[SEP]"]
    assert encoding.segments.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert encoding.begins.tolist() == [0, 0, 5, 0, 0, 1, 2, 3, 0]
    assert encoding.ends.tolist() == [0, 4, 6, 0, 1, 2, 3, 4, 0]


@pytest.mark.parametrize(("second", "least"), [(None, 2), (made_tokens(1, 500), 3)])
def test_special_tokens_always_fit(second: Tokens | None, least: int) -> None:
    text = made_tokens(3, 100)
    assert len(pair(text, second, vocabulary=VOCABULARY, max_length=least)) == least
    with pytest.raises(ValueError, match=f"^max_length {least - 1}: the special tokens alone are {least}$"):
        pair(text, second, vocabulary=VOCABULARY, max_length=least - 1)


@given(lengths, st.integers(0, 60), st.integers(0, 20), st.data())
def test_windows_cover_the_second_text(first: int, second: int, most_first: int, data: st.DataObject) -> None:
    asked = min(first, most_first)
    width = data.draw(st.integers(1, 25))
    stride = data.draw(st.integers(1, width))
    question, text = made_tokens(first, 100), made_tokens(second, 500)
    made = windows(
        question,
        text,
        vocabulary=VOCABULARY,
        max_length=asked + width + 3,
        stride=stride,
        most_first=most_first,
    )
    seen = [parts(encoding) for encoding in made]
    assert all(shown[0] == rows(question)[:asked] for shown in seen)
    spans = []
    for number, (_, shown) in enumerate(seen):
        begin = number * stride
        assert shown == rows(text)[begin : begin + width]
        spans.append((begin, begin + len(shown)))
    assert spans[-1][1] == second
    assert {place for begin, end in spans for place in range(begin, end)} == set(range(second))
    assert all(before[1] < after[1] for before, after in pairwise(spans))
    assert all(end - begin == width for begin, end in spans[:-1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 13, "stride": 1}, "max_length 13: 10 tokens before the window and 3 special ones fill it"),
        ({"max_length": 8, "stride": 1, "most_first": 5}, "max_length 8: 5 tokens before the window"),
        ({"max_length": 20, "stride": 0}, "stride 0: between 1 and 7, what max_length 20 leaves for a window"),
        ({"max_length": 20, "stride": 8}, "stride 8: between 1 and 7"),
        ({"max_length": 20, "stride": 1, "most_first": -1}, "most_first -1: at least 0"),
    ],
)
def test_windows_that_cannot_be(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        windows(made_tokens(10, 100), made_tokens(50, 500), vocabulary=VOCABULARY, **options)


# --- counts, processes ---


@given(st.lists(st.tuples(st.text("ab中c ", max_size=5), st.integers(0, 1 << 40)), max_size=8))
def test_counts_of_tokens_in_words(counted: list[tuple[str, int]]) -> None:
    wordpiece = table_wordpiece(True)
    totals = wordpiece.count([word for word, _ in counted], np.array([count for _, count in counted], np.int64))
    expected = np.zeros(len(wordpiece.vocabulary), np.int64)
    for word, count in counted:
        for token in wordpiece.tokenize([word])[0].ids:
            expected[token] += count
    assert totals.dtype == np.int64
    assert totals.tolist() == expected.tolist()


def test_a_thread_keeps_what_it_found_though_another_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may have several, and one tokenizer."""
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    wordpiece = WordPiece(table_wordpiece(True).vocabulary)
    wanted = rows(wordpiece.tokenize(["ab Café"])[0])
    library, meanwhile = wordpiece._library.tokenize, ["a b c abc"]

    def tokenize(texts: Sequence[str]) -> list[Tokens]:
        found = library(texts)
        if meanwhile:
            wordpiece.tokenize([meanwhile.pop()])
        return found

    monkeypatch.setattr(wordpiece._library, "tokenize", tokenize)
    assert rows(wordpiece.tokenize(["ab Café"])[0]) == wanted
    assert not meanwhile


def test_a_worker_gets_it_by_pickle() -> None:
    wordpiece = pickle.loads(pickle.dumps(table_wordpiece(True)))
    assert slices(wordpiece.tokenize(["Café"])[0], "Café", wordpiece.vocabulary) == [("cafe", "Café", 0)]


def test_training_machines_need_neither_arrow_nor_numba() -> None:
    program = "import sys, transforms.wordpiece; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())
    assert {"numpy", "tokenizers", "transforms"} <= loaded
    assert loaded & {"pyarrow", "numba", "llvmlite", "jieba", "pipelines", "tensorflow", "huggingface_hub"} == set()
