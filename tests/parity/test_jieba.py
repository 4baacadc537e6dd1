"""jieba 0.42.1 and `Segmenter.cut` give the same tokens: all characters, all words, all kinds of dictionaries."""

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path

import jieba
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jieba import finalseg

from tests import strategies
from tests.parity.oracle import MODES, assert_lines_equal, jieba_tokenizer, jieba_tokens
from transforms.segmentation import Dictionary, Segmenter, Tokenizer

FreshCache = Callable[[], AbstractContextManager[Path]]

# Sentences around the words of the user dictionaries below, for the model as for the dictionary.
SENTENCES = (
    "云计算机云计算云计机房里计算机云",
    "李小福是创新办主任也是云计算方面的专家",
    "什么是八一双鹿台中正确应该不会被切开",
    "他来到了网易杭研大厦杭研大厦的杭研",
    "我们中出了一个叛徒，中出了，如果放到post中将出错。",
    "大 学大学生大 学生中·国中国中·国人",
    "C++和c#用T恤3.5%的AT&T，B超K歌卡拉OK，C++11",
    "北京大学的大学生在北京大学城北京",
    "韩玉赏鉴凱特琳 Edu Trust认证easy_install is great",
    "靐龘䶮鿕鿖𠮷野家，丂丄丅",
    "了还在了还在在了时月了时间月了还",
    "江大桥武汉市长江大桥武汉市长",
)

STOCK = Path(jieba.__file__).with_name("dict.txt")
USER_DICTIONARIES: dict[str, list[str]] = {
    "without-frequency": ["云计算\n云计算机\n计算机云\n机云\n李小福\n创新办\n"],
    "without-frequency-other-order": ["机云\n计算机云\n云计算机\n云计算\n创新办\n李小福\n"],
    # The frequency that jieba suggests for 了还在 is 31 after 了还 and 30 before it.
    "suggested-frequency-after-its-parts": ["了还\n了还在\n了时\n了时月\n"],
    "suggested-frequency-before-its-parts": ["了还在\n了还\n了时月\n了时\n"],
    "suggested-frequency-builds-on-words-before": ["江大桥 20000\n长江大\n江大\n武汉市长江\n市长江大桥\n"],
    "frequency-0-splits-after-the-model": ["杭研 0\n李小福 0\n叛徒 0\n"],
    "frequency-0-on-known-words": ["大学 0\n北京大学 0\n北京 0\n计算机 0\n创新 0\n"],
    "frequency-0-then-again": ["杭研 0\n北京大学 0\n", "杭研 5\n北京大学 800\n"],
    "frequency-then-0": ["杭研 5000\n北京大学城 800\n", "杭研 0\n北京大学城 0\n"],
    "frequency-0-of-one-character-and-of-letters": ["的 0\n江 0\nT恤 0\nC++ 0\nB超 0\n3.5% 0\n"],
    "blanks-and-dots-inside": ["大 学 900000\n中·国 700000\nEdu Trust认证 2000\n大\u3000学 5\n"],
    "again-and-again": ["北京 5\n北京 500000\n北京\n北京 1\n云计算 3\n云计算\n云计算 30000000\n"],
    "letters-and-symbols": ["C++ 3\nc#\nAT&T 10\neasy_install 3 eng\nC++11\n++ 10\n3.5% 4\nK歌\n-\n%\n.5\nab.c 7\n"],
    "byte-order-marks": ["\ufeff云计算 5\n\ufeff\n李小福\n\ufeff\ufeff创新办 3 i\n"],
    "tags-and-line-ends": ["云计算 5 n\r\n\r\n李小福 nr\r\n  创新办 3  \r\n八一双鹿 3 nz\n台中 nx nx\n凱特琳 nz"],
    "huge-frequencies": ["杭研 99999999999999999999\n江大桥 1\n中出 12345678901234567890\n"],
    "outside-the-blocks": ["𠮷野家 50\n鿖 5\n靐龘 9\n鿕\n䶮\nＡ 3\n丂丄丅 1\n"],
    "several-in-order": ["云计算\n李小福 2\n", "云计算机\n李小福 0\n", "\ufeff云计算\nB超 9\nB超 10\n"],
    "several-in-another-order": ["\ufeff云计算\nB超 9\nB超 10\n", "云计算机\n李小福 0\n", "云计算\n李小福 2\n"],
    "nothing": ["", "\n\n", "\ufeff"],
}


def files_with(folder: Path, contents: Sequence[str | bytes]) -> list[Path]:
    paths = [folder / f"user{number}.txt" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return paths


@pytest.fixture(scope="module")
def oracle() -> Iterator[jieba.Tokenizer]:
    with jieba_tokenizer() as tokenizer:
        yield tokenizer


@pytest.fixture(scope="module", params=MODES, ids=lambda mode: f"{mode[0]}-{'hmm' if mode[1] else 'no-hmm'}")
def segmenter(request: pytest.FixtureRequest, stock: Dictionary) -> Segmenter:
    tokenizer, hmm = request.param
    return Segmenter(stock, tokenizer=tokenizer, hmm=hmm)


@pytest.fixture(scope="module", params=[True, False], ids=["hmm", "no-hmm"])
def searcher(request: pytest.FixtureRequest, stock: Dictionary) -> Segmenter:
    """For large inputs: the search mode yields the tokens of the other mode too."""
    return Segmenter(stock, tokenizer="search", hmm=request.param)


@pytest.fixture(scope="module")
def shuffled_words() -> list[str]:
    words = list(strategies.stock_words())
    random.Random(20).shuffle(words)
    return words


@pytest.fixture(scope="module")
def frequent_words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """jieba's dictionary without its rare words: compiled in a fifth of the time."""
    lines = [line for line in STOCK.read_text(encoding="utf-8").split("\n") if line and int(line.split(" ")[1]) > 50]
    path = tmp_path_factory.mktemp("dictionaries") / "frequent.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_oracle_is_the_version_whose_counts_we_promise() -> None:
    assert version("jieba") == "0.42.1"


# --- jieba's own dictionary ---


@settings(max_examples=1000)
@given(text=strategies.texts(surrogates=True))
@example("")
@example("中国\ud800\udfff人\U0010ffff")
@example("涨3.5%%，3.5.7%，C++、c++11，T恤AT&T，a.5b.c--x_y，1.5e-3%.")
@example("一\r\n\r\r\n\n一 \u3000\u200b\ufeff一e\u0301ａ１")
@example("鿕鿖丂丄㐀\u4dff\u4e00\u9fd5\u9fd6𠀀")
def test_texts(segmenter: Segmenter, oracle: jieba.Tokenizer, text: str) -> None:
    assert segmenter.cut(text) == jieba_tokens(oracle, text, mode=segmenter.tokenizer, hmm=segmenter.hmm)


@settings(max_examples=300)
@given(text=strategies.any_text())
def test_any_text(segmenter: Segmenter, oracle: jieba.Tokenizer, text: str) -> None:
    assert segmenter.cut(text) == jieba_tokens(oracle, text, mode=segmenter.tokenizer, hmm=segmenter.hmm)


def test_every_character_of_the_basic_plane(searcher: Segmenter, oracle: jieba.Tokenizer) -> None:
    # Alone and doubled, around and inside a word, next to letters, digits and symbols.
    shapes = ("{0}", "{0}中{0}国{0}{0}", "a{0}1.{0}%{0}3.5{0}")
    lines = [shape.format(chr(point)) for shape in shapes for point in range(0x10000)]
    assert_lines_equal(searcher, oracle, lines)


def test_seeded_noise(searcher: Segmenter, oracle: jieba.Tokenizer) -> None:
    order = random.Random(21)
    frequent = [word for word in strategies.stock_words()[:20_000] if len(word) < 3]
    rare_han = [chr(order.randrange(0x4E00, 0x9FD8)) for _ in range(400)]
    pools = [strategies.HAN, strategies.BORDERS, rare_han, strategies.LETTERS + strategies.SYMBOLS * 2 + "0123456789"]
    pools += [strategies.PIECES, strategies.ASTRAL + strategies.FULL_WIDTH + strategies.COMBINING, frequent]
    weights = [6, 1, 4, 6, 2, 1, 4]
    lines = [
        "".join(order.choice(order.choices(pools, weights)[0]) for _ in range(order.randrange(1, 40)))
        for _ in range(12_000)
    ]
    assert_lines_equal(searcher, oracle, lines)


def test_every_word_alone(searcher: Segmenter, oracle: jieba.Tokenizer) -> None:
    assert_lines_equal(searcher, oracle, strategies.stock_words())


@pytest.mark.slow
@pytest.mark.parametrize("hmm", [True, False], ids=["hmm", "no-hmm"])
def test_every_word_in_pairs(stock: Dictionary, oracle: jieba.Tokenizer, shuffled_words: list[str], hmm: bool) -> None:
    pairs = [one + other for one, other in zip(strategies.stock_words(), shuffled_words, strict=True)]
    assert_lines_equal(Segmenter(stock, hmm=hmm), oracle, pairs)


# --- user dictionaries ---


def check_user_dictionaries(base: Path | None, user: Sequence[Path], shuffled: Sequence[str]) -> None:
    dictionary = Dictionary.load(base, user_dictionaries=user)
    order = random.Random(22)
    lines = [line for path in user for line in path.read_text(encoding="utf-8").split("\n")]
    added = [line.split(" ")[0].strip("\ufeff\r ") for line in lines]
    pool = [*added, *shuffled[:20], *strategies.HAN]
    mixed = ["".join(order.choices(pool, k=6)) for _ in range(500)]
    pairs = [one + other for one, other in zip(shuffled[:3000], shuffled[-3000:], strict=True)]
    with jieba_tokenizer(base, user_dictionaries=user) as oracle:
        for hmm in (True, False):
            searcher = Segmenter(dictionary, tokenizer="search", hmm=hmm)
            assert_lines_equal(searcher, oracle, [*SENTENCES, *added, *mixed])
        assert_lines_equal(Segmenter(dictionary), oracle, pairs)


@pytest.mark.parametrize("contents", USER_DICTIONARIES.values(), ids=USER_DICTIONARIES.keys())
def test_user_dictionaries(
    contents: Sequence[str], frequent_words: Path, tmp_path: Path, private_cache: Path, shuffled_words: list[str]
) -> None:
    check_user_dictionaries(frequent_words, files_with(tmp_path, contents), shuffled_words)


def test_all_user_dictionaries_on_top_of_jieba_s_own(
    tmp_path: Path, private_cache: Path, shuffled_words: list[str]
) -> None:
    everything = [content for contents in USER_DICTIONARIES.values() for content in contents if "999999" not in content]
    check_user_dictionaries(None, files_with(tmp_path, everything), shuffled_words)


def test_user_dictionaries_show_their_corners(tmp_path: Path, frequent_words: Path, private_cache: Path) -> None:
    def load(name: str) -> Dictionary:
        (tmp_path / name).mkdir()
        user = files_with(tmp_path / name, USER_DICTIONARIES[name])
        return Dictionary.load(frequent_words, user_dictionaries=user)

    after, before = load("suggested-frequency-after-its-parts"), load("suggested-frequency-before-its-parts")
    assert after.unknown != before.unknown, "the order changed no frequency"
    plain, dotted = load("nothing"), load("blanks-and-dots-inside")
    assert dotted.unknown < plain.unknown
    assert dotted.words.tobytes() == plain.words.tobytes()
    forced = load("frequency-0-splits-after-the-model")
    assert Segmenter(plain).cut("网易杭研大厦") == ["网易", "杭研", "大厦"]
    assert Segmenter(forced).cut("网易杭研大厦") == ["网易", "杭", "研", "大厦"]


def test_oracle_and_dictionary_leave_no_forced_words_behind(
    tmp_path: Path, frequent_words: Path, private_cache: Path
) -> None:
    before = set(finalseg.Force_Split_Words)
    user = files_with(tmp_path, ["杭研 0\n"])
    Dictionary.load(frequent_words, user_dictionaries=user)
    assert before == finalseg.Force_Split_Words
    with jieba_tokenizer(frequent_words, user_dictionaries=user):
        assert finalseg.Force_Split_Words == {"杭研"}
    assert before == finalseg.Force_Split_Words


# --- replacement dictionaries ---


def test_replacement_with_words_changed(tmp_path: Path, private_cache: Path, shuffled_words: list[str]) -> None:
    order = random.Random(23)
    lines = [f"{word} {order.choice([0, 1, 2, 3, 50, 7000])}" for word in shuffled_words[:150_000]]
    lines += [f"{word} {order.randrange(9)} n" for word in shuffled_words[:500]]  # these stand twice
    lines += [f"{''.join(order.sample(strategies.HAN, 3))} 40" for _ in range(300)]
    path = tmp_path / "replacement.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    user = files_with(tmp_path, ["杭研 0\n云计算\n云计算机\n", "大学 0\n"])
    pairs = [one + other for one, other in zip(shuffled_words[:20_000], shuffled_words[-20_000:], strict=True)]
    for user_dictionaries in ([], user):
        dictionary = Dictionary.load(path, user_dictionaries=user_dictionaries)
        with jieba_tokenizer(path, user_dictionaries=user_dictionaries) as oracle:
            for mode, hmm in MODES:
                segmenter = Segmenter(dictionary, tokenizer=mode, hmm=hmm)
                assert_lines_equal(segmenter, oracle, [*SENTENCES, *pairs])


made_up = st.tuples(strategies.base_dictionaries(), st.lists(strategies.user_dictionaries(), max_size=3))


@settings(max_examples=150)
@given(made_up, st.lists(strategies.made_up_texts, min_size=1, max_size=12))
@example(("中国 1\n中 1\n国 1\n".encode(), []), ["中国中国国中"])
@example(("\ufeff中国 5\n中国 5\n".encode(), ["中国\n".encode(), "中国 0\n".encode()]), ["中国人民中国"])
def test_made_up_dictionaries(
    fresh_cache: FreshCache, dictionaries: tuple[bytes, list[bytes]], texts: list[str]
) -> None:
    base, user = dictionaries
    with fresh_cache(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dict.txt"
        path.write_bytes(base)
        paths = files_with(Path(folder), user)
        dictionary = Dictionary.load(path, user_dictionaries=paths)
        with jieba_tokenizer(path, user_dictionaries=paths) as oracle:
            for mode, hmm in MODES:
                segmenter = Segmenter(dictionary, tokenizer=mode, hmm=hmm)
                for text in texts:
                    assert segmenter.cut(text) == jieba_tokens(oracle, text, mode=mode, hmm=hmm)


@settings(max_examples=60)
@given(made_up, st.lists(strategies.made_up_texts, max_size=6))
def test_made_up_dictionaries_count_as_they_cut(
    fresh_cache: FreshCache, dictionaries: tuple[bytes, list[bytes]], texts: list[str]
) -> None:
    base, user = dictionaries
    modes: list[tuple[Tokenizer, bool]] = [("words", True), ("words", False), ("search", True)]
    with fresh_cache(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dict.txt"
        path.write_bytes(base)
        dictionary = Dictionary.load(path, user_dictionaries=files_with(Path(folder), user))
        for mode, hmm in modes:
            segmenter = Segmenter(dictionary, tokenizer=mode, hmm=hmm)
            tokens = [token for text in texts for token in segmenter.cut(text) if not token.isspace()]
            assert segmenter.count(texts).words == {word: tokens.count(word) for word in tokens}
