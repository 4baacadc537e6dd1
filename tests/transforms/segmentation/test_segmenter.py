"""`cut` and `count`: known sentences, what holds for every text, and counters that have to grow."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.strategies import NO_SPACES, SURROGATES, texts
from transforms.double_array import code_points
from transforms.segmentation import TOKENIZERS, Dictionary, Segmenter, Tokenizer, WordCounter
from transforms.segmentation.segmenter import TOKENS
from transforms.word_counts import WordCounts

MODES: list[tuple[Tokenizer, bool]] = [
    ("words", True), ("words", False), ("search", True), ("search", False), ("characters", True),
]  # fmt: skip
SPACES = [chr(point) for point in range(0x110000) if chr(point).isspace()]

Table = dict[str, tuple[int, int]]


def table_of(counts: WordCounts) -> Table:
    """Word → (count, documents); no word stands twice."""
    columns = counts.table.to_pydict()
    words = columns["word"]
    assert len(words) == len(set(words))
    return dict(zip(words, zip(columns["count"], columns["documents"], strict=True), strict=True))


def counted(counter: WordCounter) -> Table:
    return table_of(WordCounts.of(counter.counts()))


def expected_table(documents: Iterable[Sequence[str]]) -> Table:
    """The table of documents that are cut already."""
    counts: Counter[str] = Counter()
    holding: Counter[str] = Counter()
    for tokens in documents:
        shown = [token for token in tokens if not token.isspace()]
        counts.update(shown)
        holding.update(set(shown))
    return {word: (counts[word], holding[word]) for word in counts}


@pytest.fixture(scope="module", params=MODES, ids=lambda mode: f"{mode[0]}-{'hmm' if mode[1] else 'no-hmm'}")
def segmenter(request: pytest.FixtureRequest, stock: Dictionary) -> Segmenter:
    tokenizer, hmm = request.param
    return Segmenter(stock, tokenizer=tokenizer, hmm=hmm)


@pytest.fixture(scope="module")
def counter(segmenter: Segmenter) -> WordCounter:
    """Used by all examples of a test one after another: `counts()` has to start anew."""
    return WordCounter(segmenter)


# --- cut ---


@pytest.mark.parametrize(
    ("tokenizer", "hmm", "text", "tokens"),
    [
        ("words", True, "我来到北京清华大学", "我/来到/北京/清华大学"),
        ("words", True, "他来到了网易杭研大厦", "他/来到/了/网易/杭研/大厦"),
        ("words", False, "他来到了网易杭研大厦", "他/来到/了/网易/杭/研/大厦"),
        ("words", True, "涨了3.5%，会C++和T恤", "涨/了/3.5%/，/会/C++/和/T恤"),
        ("words", False, "abc def2x", "abc/ /def2x"),
        ("words", True, "一\r\n二\n\r三", "一/\r\n/二/\n/\r/三"),
        ("search", True, "日本京都大学", "日本/京都/大学/日本京都大学"),
        ("search", True, "中国科学院计算所", "中国/科学/学院/科学院/中国科学院/计算/计算所"),
        ("characters", True, "中国\r\nab𠀀", "中/国/\r/\n/a/b/𠀀"),
    ],
)
def test_known_sentences(stock: Dictionary, tokenizer: Tokenizer, hmm: bool, text: str, tokens: str) -> None:
    assert "/".join(Segmenter(stock, tokenizer=tokenizer, hmm=hmm).cut(text)) == tokens


def test_segmenter_without_arguments_is_jieba_with_its_own_dictionary(stock: Dictionary) -> None:
    segmenter = Segmenter()
    assert (segmenter.tokenizer, segmenter.hmm) == ("words", True)
    assert segmenter.dictionary.content_hash == stock.content_hash
    assert TOKENIZERS == ("words", "search", "characters")


@given(texts(surrogates=True))
@example(SURROGATES + "中" + SURROGATES)
@example("\ud83d\ude00")
def test_tokens_joined_are_the_text(segmenter: Segmenter, text: str) -> None:
    tokens = segmenter.cut(text)
    assert all(tokens)
    if segmenter.tokenizer == "search":
        words = Segmenter(segmenter.dictionary, hmm=segmenter.hmm).cut(text)
        rest = iter(tokens)
        assert all(word in rest for word in words), "the words do not stand among the tokens in their order"
        assert all(len(token) in (2, 3) for token in (Counter(tokens) - Counter(words)))
    else:
        assert "".join(tokens) == text


@given(texts(surrogates=True), st.sampled_from(SPACES + list("，。！？\u200b\ufeff𠀀·")), texts(surrogates=True))
def test_text_is_cut_block_by_block(segmenter: Segmenter, left: str, between: str, right: str) -> None:
    if (left[-1:], between) == ("\r", "\n") or (between, right[:1]) == ("\r", "\n"):
        between = "，"
    parts = [segmenter.cut(left), segmenter.cut(between), segmenter.cut(right)]
    assert segmenter.cut(left + between + right) == [token for part in parts for token in part]


def test_empty_text_has_no_tokens(segmenter: Segmenter) -> None:
    assert segmenter.cut("") == []


# --- count ---


@given(st.lists(texts(), max_size=5))
@example(["中国人民", "人民，人民", "", " \r\n"])
def test_count_is_the_count_of_cut(segmenter: Segmenter, documents: list[str]) -> None:
    assert table_of(segmenter.count(documents)) == expected_table(map(segmenter.cut, documents))


@given(documents=st.lists(texts(max_pieces=10), max_size=8), data=st.data())
def test_count_does_not_depend_on_batches(
    segmenter: Segmenter, counter: WordCounter, documents: list[str], data: st.DataObject
) -> None:
    bounds = sorted(data.draw(st.lists(st.integers(0, len(documents)), max_size=4)))
    totals: list[int] = []
    for low, high in zip([0, *bounds], [*bounds, len(documents)], strict=True):
        totals += counter.add(*code_points(documents[low:high])).tolist()
    tokens = [segmenter.cut(document) for document in documents]
    assert counted(counter) == expected_table(tokens)
    assert totals == [sum(not token.isspace() for token in cut) for cut in tokens]


def test_count_is_ordered_and_typed(segmenter: Segmenter) -> None:
    counts = segmenter.count(["乙 甲 丙 甲 𠀀 \uffe5", "丙 乙乙 丁"])
    pairs = list(zip(counts.table["count"].to_pylist(), counts.table["word"].to_pylist(), strict=True))
    assert pairs == sorted(pairs, key=lambda pair: (-pair[0], pair[1]))
    assert counts.words == {word: count for count, word in pairs}
    assert counts.table["word"].null_count == 0
    assert str(counts.table.schema.field("documents").type) == "int64"


def test_count_of_nothing_is_empty(segmenter: Segmenter) -> None:
    for documents in ([], [""], ["", ""], [" \r\n\u3000"]):
        assert table_of(segmenter.count(documents)) == {}


def test_count_takes_any_iterable(segmenter: Segmenter) -> None:
    documents = ["中国人民", "C++"]
    assert segmenter.count(iter(documents)).table == segmenter.count(documents).table


def test_documents_are_those_that_hold_the_word(stock: Dictionary) -> None:
    counts = table_of(Segmenter(stock).count(["人民，人民 杭研 杭研 𠀀𠀀", "", "人民 ，", "杭研 𠀀"]))
    assert counts == {"人民": (3, 2), "，": (2, 2), "杭研": (3, 2), "𠀀": (3, 2)}


def test_white_space_is_never_counted(segmenter: Segmenter) -> None:
    assert len(SPACES) == 29
    documents = [*SPACES, "".join(SPACES), "".join(reversed(SPACES)), "中".join(SPACES)]
    assert table_of(segmenter.count(documents)) == {"中": (len(SPACES) - 1, 1)}


def test_invisible_characters_that_are_no_white_space_are_counted(segmenter: Segmenter) -> None:
    assert table_of(segmenter.count([NO_SPACES, "\ufeff\u200b"])) == {
        character: (2, 2) if character in "\ufeff\u200b" else (1, 1) for character in NO_SPACES
    }


@pytest.mark.parametrize("surrogate", list(SURROGATES))
def test_lone_surrogate_is_refused_by_count_but_not_by_cut(segmenter: Segmenter, surrogate: str) -> None:
    text = f"中国{surrogate}人民"
    with pytest.raises(UnicodeEncodeError, match="surrogate"):
        segmenter.count(["中国", text])
    assert surrogate in segmenter.cut(text)


def test_counter_starts_anew_after_counts(segmenter: Segmenter) -> None:
    counter = WordCounter(segmenter)
    for documents in (["人民杭研，𠀀", "人民"], ["人民 xyzzy"], [], ["杭研"]):
        counter.add(*code_points(documents))
        assert counted(counter) == expected_table(map(segmenter.cut, documents))
        assert counted(counter) == {}


def test_counter_can_forget(stock: Dictionary) -> None:
    counter = WordCounter(Segmenter(stock))
    counter.add(*code_points(["人民杭研，𠀀", "人民 xyzzy"]))
    counter.clear()
    assert counted(counter) == {}
    counter.add(*code_points(["杭研"]))
    assert counted(counter) == {"杭研": (1, 1)}


def test_counter_refuses_other_arrays(stock: Dictionary) -> None:
    counter = WordCounter(Segmenter(stock))
    points, offsets = code_points(["中国人民"])
    with pytest.raises(TypeError, match="contiguous array"):
        counter.add(points.astype(np.int64), offsets)
    with pytest.raises(TypeError, match="contiguous array"):
        counter.add(points, offsets.astype(np.int32))
    with pytest.raises(TypeError, match="contiguous array"):
        counter.add(np.repeat(points, 2)[::2], offsets)


# --- growth ---


@pytest.mark.parametrize("size", [4094, 4095, 4096, 4097, 4098, 9000])
def test_long_block_is_counted_as_it_is_cut(segmenter: Segmenter, size: int) -> None:
    han = ("北京清华大学研究生命起源杭研T恤涨3.5%" * size)[:size]
    letters = ("abc1def-" * size)[:size]
    marks = "，" * size
    documents = [han, "中国", letters, han[1:] + "，" + letters[:-1], marks, marks[:-5] + han[:9], " ".join(marks)]
    assert table_of(segmenter.count(documents)) == expected_table(map(segmenter.cut, documents))


def test_block_that_is_longer_than_every_array(segmenter: Segmenter) -> None:
    documents = ["人民", "人民杭研" + "我来到北京清华大学" * 70_000 + "人民杭研", "a" * 600_000 + "人民"]
    documents += [" " * 600_000 + "人民", "人民" + "\n" * 600_000]
    assert table_of(segmenter.count(documents)) == expected_table(map(segmenter.cut, documents))


def test_more_unknown_words_than_there_is_room_for(segmenter: Segmenter) -> None:
    unknown = [f"x{number}y" for number in range(70_000)]
    documents = ["中国 " + " ".join(unknown) + " 中国", " ".join(reversed(unknown)), "中国 x7y"]
    counts = table_of(segmenter.count(documents))
    assert counts == expected_table(map(segmenter.cut, documents))
    if segmenter.tokenizer != "characters":
        assert counts["x69999y"] == (2, 2)
        assert counts["x7y"] == (3, 3)
        assert counts["中国"] == (3, 2)


def test_more_unknown_text_than_there_is_room_for(segmenter: Segmenter) -> None:
    order = np.random.default_rng(1)
    unknown = ["".join(map(chr, order.integers(97, 123, 997).tolist())) for _ in range(1200)]
    documents = [" ".join(unknown[:700]), " ".join(unknown[300:]), "人民 " + unknown[0]]
    counts = table_of(segmenter.count(documents))
    assert counts == expected_table(map(segmenter.cut, documents))
    if segmenter.tokenizer != "characters":
        assert sorted(held for _, held in counts.values())[-401:] == [2] * 401


@pytest.mark.parametrize("tokenizer", ["words", "characters"])
def test_every_character_is_counted_in_its_place(stock: Dictionary, tokenizer: Tokenizer) -> None:
    characters = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    astral = [character for character in characters if character > "\uffff"]
    documents = ["，".join(characters), "".join(astral[:70_000]), "，" + "".join(astral[-70_000:])]
    counts = table_of(Segmenter(stock, tokenizer=tokenizer).count(documents))
    expected = {character: (1, 1) for character in characters if not character.isspace()}
    expected |= dict.fromkeys(astral[:70_000] + astral[-70_000:], (2, 2))
    expected["，"] = (len(characters) - 1 + 1 + 1, 2)
    assert counts == expected


@settings(max_examples=5)
@given(st.data())
def test_counter_that_has_grown_counts_on(segmenter: Segmenter, data: st.DataObject) -> None:
    counter = WordCounter(segmenter)
    documents = data.draw(st.lists(texts(max_pieces=6), min_size=1, max_size=4))
    growing = ["杭研人民" * 3000, " ".join(f"z{number}" for number in range(66_000))]
    documents = data.draw(st.permutations([*documents, data.draw(st.sampled_from(growing))]))
    for _ in range(2):
        tokens = [segmenter.cut(document) for document in documents]
        for document, cut in zip(documents, tokens, strict=True):
            total = counter.add(*code_points([document]))
            assert total.tolist() == [sum(not token.isspace() for token in cut)]
        assert counted(counter) == expected_table(tokens)


def test_an_unknown_tokenizer_is_refused(stock: Dictionary) -> None:
    with pytest.raises(ValueError, match="one of words, search, characters"):
        Segmenter(stock, "sentences")  # type: ignore[arg-type]


def test_white_space_alone_grows_nothing(stock: Dictionary) -> None:
    counter = WordCounter(Segmenter(stock))
    totals = counter.add(*code_points([" " * 100_000 + "人"]))
    assert totals.tolist() == [1]
    assert len(counter._tokens) == TOKENS
