"""A made corpus in THUCNews' layout, for benchmarks and first steps where the real one may not be passed on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from itertools import accumulate
from math import exp
from pathlib import Path
from statistics import NormalDist
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item", bound=np.generic)
Numbers = npt.NDArray[np.int64]

# THUCNews' categories with their numbers of documents, which are the shares here, and words that set each theme.
_CATEGORIES = {
    "财经": (37098, "银行 经济 市场 投资 增长 贷款 央行 利率 金融危机 美元 人民币 通胀 保险 产业"),
    "彩票": (7588, "彩票 双色球 中奖 号码 奖金 彩民 大奖 投注 开奖 奖池 走势 福彩 足彩 胜负"),
    "房产": (20050, "楼盘 房价 住宅 开发商 户型 小区 项目 地产 面积 物业 购房者 土地 均价 楼市"),
    "股票": (154398, "股票 基金 股市 上市公司 大盘 涨停 投资者 收盘 资金 板块 证券 股东 指数 净值"),
    "家居": (32586, "家居 家具 装修 设计师 卫浴 地板 客厅 卧室 橱柜 涂料 瓷砖 空间 沙发 建材"),
    "教育": (41936, "学生 考试 大学 高考 教师 学校 英语 留学 招生 考生 专业 四六级 课程 分数线"),
    "科技": (162929, "手机 网络 互联网 用户 软件 技术 芯片 电脑 屏幕 数码相机 运营商 产品 处理器 像素"),
    "社会": (50849, "警方 民警 男子 法院 嫌疑人 女子 派出所 记者 案件 家属 医院 车祸 报警 邻居"),
    "时尚": (13368, "时尚 女人 皮肤 品牌 设计 服装 美容 搭配 香水 模特 妆容 裙子 珠宝 护肤"),
    "时政": (63086, "政府 总统 会议 领导人 外交部 干部 国家 政策 改革 部队 人大代表 总理 选举 访问"),
    "体育": (131604, "比赛 球队 球员 冠军 教练 联赛 主场 火箭 篮板 进球 赛季 世界杯 湖人 决赛"),
    "星座": (3578, "星座 爱情 运势 白羊座 天蝎座 双鱼座 狮子座 射手座 性格 缘分 幸运 塔罗 恋人 桃花"),
    "游戏": (24373, "游戏 玩家 网游 公会 副本 服务器 角色 任务 装备 职业 魔兽 内测 怪物 技能"),
    "娱乐": (92632, "电影 导演 演员 观众 演唱会 票房 明星 电视剧 歌手 专辑 剧组 角色 首映 粉丝"),
}
CATEGORIES = tuple(_CATEGORIES)

# A slot is filled with words of these tags of jieba's dictionary; whatever has another tag goes to `other`.
_TAGS = {
    "noun": "n an", "verb": "v", "action": "vn", "adverb": "d ad", "adjective": "a", "attribute": "b", "place": "ns",
    "person": "nr nrt nrfg", "body": "nt", "time": "t", "number": "m", "unit": "q", "preposition": "p",
    "conjunction": "c", "inside": "f", "pronoun": "r", "where": "s", "name": "nz", "idiom": "i l", "short": "j",
    "manner": "z",
}  # fmt: skip
_SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂英华玉建国红志文海波鹏辉斌宇浩凯健俊帆雪琳晨龙晓春梅云飞"
_LATIN = (
    "NBA GDP CEO CPI IPO ATM iPhone iPad Intel Windows Google 3G GPS WiFi USB Nokia CBA MVP VIP DVD SUV LED "
    "QQ MSN Android Twitter Facebook Yahoo AMD HTC CPU BBC CNN FIFA ST PK T恤 K歌 C++ e-mail AT&T S&P500"
)
# Words are slots, the rest stands as it is; `_` is a space. What is listed twice comes twice as often.
_CLAUSES = """
time place body verb action | body 的 noun adverb verb noun | place theme action 的 noun verb adjective noun
据 body 介绍 ， attribute theme 的 noun verb 了 noun
surname given given 说 ： “ pronoun adverb verb theme ， noun adverb verb ”
记者 surname given 从 place body 获悉 | year 年 month 月 month 日 ， body 在 place verb action
noun 在 theme action 中 verb whole unit noun | theme 同比 verb 了 whole . digit %
比 去年 增长 digit . digit 个百分点 | latin theme 的 noun verb 了 whole 万 unit
pronoun verb 了 noun ， conjunction pronoun adverb verb noun | noun 与 theme 的 action adverb adjective
theme inside 的 noun verb preposition noun | idiom 的 noun 使 theme adverb verb | where 的 noun adverb verb noun
《 noun noun 》 verb 了 theme | number unit noun verb preposition where | person verb 着 noun
第 digit 届 place theme action 在 place verb | name noun verb 了 place short noun
adverb adjective 的 noun manner 地 verb | pronoun adverb verb 过 theme
surname given 表示 ， theme 的 action 不会 verb noun | noun verb noun | adverb verb theme 的 noun
theme verb action | preposition theme 的 noun verb | year 年 的 whole 亿元 增至 year 年 的 whole 亿元
noun 、 noun 和 theme 都 adverb verb | pronoun 的 other noun verb noun | （ latin ） verb 的 attribute noun
adjective 的 action 让 person adverb verb | number unit theme ， 其中 whole unit 为 adjective 的 noun
noun 和 noun | verb 得 adverb adjective | conjunction pronoun 在 place 的 noun adverb verb
"""
_TITLES = """
place theme verb noun action | theme ： noun adverb verb noun | surname given given ： noun verb adjective theme
body verb theme action (组图) | noun verb theme _ person adverb verb noun | year 年 theme action verb noun
latin theme verb action | theme verb digit 大 noun _ noun adverb verb
theme verb whole . digit % _ noun verb action | idiom ！ place noun verb theme
"""
_BREAKS = ["，"] * 11 + ["。"] * 5 + ["。\n　　"] * 2 + ["；", "！", "？"]
_OPENING, _CLOSING = "\n　　", "。\n"

_BLOCK = 512  # documents drawn together; changing it changes every document
_CLAUSE_CHARACTERS = 13.9  # a clause and its break, on average
_LENGTHS = [round(900 * exp(0.65 * NormalDist().inv_cdf((item + 0.5) / 4096))) for item in range(4096)]


@dataclass(frozen=True, slots=True)
class _Language:
    """Pieces are sequences of slots, slots are ranges of words, words are ranges of UTF-8 bytes.

    `words`: uint8 [bytes], word i ending at `word_ends[i + 1]`. `slot_bounds`: first word of each slot. `slots`: the
    slots of all pieces, piece i ending at `piece_ends[i + 1]`. `cumulative`: int64 [words + 1] of each category.
    """

    words: npt.NDArray[np.uint8]
    word_ends: Numbers
    slot_bounds: Numbers
    slots: Numbers
    piece_ends: Numbers
    titles: range
    clauses: range
    breaks: range
    cumulative: Sequence[Numbers]


def write_sample(directory: Path, *, documents: int, seed: int) -> int:
    """Writes `<category>/<number>.txt`, a title line and paragraphs in UTF-8 each, and returns the bytes written.

    Every byte follows from `documents`, `seed` and jieba's dictionary; document i is the same in a larger sample.
    Raises FileExistsError for a directory that holds something, ValueError for fewer than one document.

    >>> from tempfile import mkdtemp
    >>> write_sample(Path(mkdtemp()), documents=3, seed=1) > 1000
    True
    """
    if documents < 1 or seed < 0:
        raise ValueError(f"documents={documents}, seed={seed}: ask for 1 document or more and a seed of 0 or more")
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise FileExistsError(f"{directory} is not empty: name a new directory, or remove this one first")
    for category in CATEGORIES[:documents]:
        (directory / category).mkdir()
    written = 0
    for block in range(-(-documents // _BLOCK)):
        first = block * _BLOCK
        for offset, category, text in _documents(_language(), seed=seed, block=block):
            if first + offset < documents:
                written += (directory / category / f"{first + offset}.txt").write_bytes(text)
    return written


def _documents(language: _Language, *, seed: int, block: int) -> Iterator[tuple[int, str, memoryview]]:
    """The documents of a block as (position in the block, category, text), ordered by category.

    Only uniform numbers are drawn and only integers are added up, so that no machine's logarithm can change a byte.
    """
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, block])))
    shares = np.cumsum([share for share, _ in _CATEGORIES.values()])
    category = np.searchsorted(shares, _below(random.random(_BLOCK), shares[-1]), side="right")
    if block == 0:  # the smallest samples shall have every category
        category[: len(CATEGORIES)] = np.arange(len(CATEGORIES))
    order = np.argsort(category, kind="stable")
    length = np.array(_LENGTHS)[_below(random.random(_BLOCK), len(_LENGTHS))]
    clauses = np.maximum(2, length / _CLAUSE_CHARACTERS).astype(np.int64)

    # A document is: title, opening, clause, break, clause, break, ..., clause, closing.
    sizes = 2 + 2 * clauses
    starts = np.cumsum(sizes) - sizes
    draw = random.random(int(sizes.sum()))
    place = np.arange(len(draw)) - np.repeat(starts, sizes)
    piece = np.where(place % 2 == 0, _pick(draw, language.clauses), _pick(draw, language.breaks))
    piece[starts] = _pick(draw[starts], language.titles)
    piece[starts + 1] = language.breaks.stop
    piece[starts + sizes - 1] = language.breaks.stop + 1

    slot, slots_of_piece = _gather(language.slots, language.piece_ends, piece)
    slot_ends = np.cumsum(np.add.reduceat(slots_of_piece, starts))
    category_ends = np.searchsorted(category[order], np.arange(len(CATEGORIES)), side="right")
    bounds = np.concatenate([[0], slot_ends])[np.concatenate([[0], category_ends])]
    draw = random.random(len(slot))
    word = np.empty(len(slot), np.int64)
    for item, cumulative in enumerate(language.cumulative):
        here = slice(bounds[item], bounds[item + 1])
        low, high = (cumulative[language.slot_bounds[slot[here] + side]] for side in (0, 1))
        word[here] = np.searchsorted(cumulative, low + _below(draw[here], high - low), side="right") - 1
    text, bytes_of_word = _gather(language.words, language.word_ends, word)
    view = memoryview(text.data)
    start = 0
    text_ends = np.cumsum(bytes_of_word)[slot_ends - 1]
    for offset, end in zip(order.tolist(), text_ends.tolist(), strict=True):
        yield offset, CATEGORIES[category[offset]], view[start:end]
        start = end


def _below(draw: npt.NDArray[np.float64], bound: int | np.integer | Numbers) -> Numbers:
    """Integers from 0 up to and without `bound`, from uniform numbers."""
    return np.multiply(draw, bound).astype(np.int64)


def _pick(draw: npt.NDArray[np.float64], choices: range) -> Numbers:
    return choices.start + _below(draw, len(choices))


def _gather(data: npt.NDArray[Item], ends: Numbers, items: Numbers) -> tuple[npt.NDArray[Item], Numbers]:
    """The variable-length `items` of `data` one after another, and the size of each."""
    sizes = ends[items + 1] - ends[items]
    sources = np.repeat(ends[items + 1] - np.cumsum(sizes), sizes)
    sources += np.arange(len(sources))
    return data[sources], sizes


@cache
def _language() -> _Language:
    fillers = _fillers()
    titles, clauses = (
        [piece.split() for piece in text.strip().replace("\n", "|").split("|")] for text in (_TITLES, _CLAUSES)
    )
    pieces = [*titles, *clauses, *([mark] for mark in (*_BREAKS, _OPENING, _CLOSING))]
    for name in dict.fromkeys(name for piece in pieces for name in piece):
        fillers.setdefault(name, {name.replace("_", " "): 1})  # what is no slot stands for itself
    number_of = {name: number for number, name in enumerate(fillers)}
    words = [word for filler in fillers.values() for word in filler]
    encoded = [word.encode() for word in words]
    weights = np.array([weight for filler in fillers.values() for weight in filler.values()])
    slot_bounds = _ends(map(len, fillers.values()))
    themes = range(*slot_bounds[number_of["theme"] : number_of["theme"] + 2].tolist())
    own = len(titles) + len(clauses)
    return _Language(
        words=np.frombuffer(b"".join(encoded), np.uint8),
        word_ends=_ends(map(len, encoded)),
        slot_bounds=slot_bounds,
        slots=np.array([number_of[name] for piece in pieces for name in piece]),
        piece_ends=_ends(map(len, pieces)),
        titles=range(len(titles)),
        clauses=range(len(titles), own),
        breaks=range(own, own + len(_BREAKS)),
        cumulative=[_cumulative(words, weights, themes=themes, category=item) for item in range(len(CATEGORIES))],
    )


def _ends(sizes: Iterator[int]) -> Numbers:
    return np.array(list(accumulate(sizes, initial=0)))


def _fillers() -> dict[str, dict[str, int]]:
    """Each slot's words and their weights: jieba's frequencies, or falling as 1 / rank as Zipf's law has it."""
    slot_of = {tag: name for name, tags in _TAGS.items() for tag in tags.split()}
    fillers: dict[str, dict[str, int]] = {name: {} for name in (*_TAGS, "other")}
    dictionary = Path(str(distribution("jieba").locate_file("jieba/dict.txt")))
    for line in dictionary.read_text(encoding="utf-8").splitlines():
        word, frequency, tag = line.split(" ")
        fillers[slot_of.get(tag, "other")][word] = int(frequency)
    ranked: dict[str, Sequence[str]] = {
        "surname": _SURNAMES,
        "given": _GIVEN,
        "latin": _LATIN.split(),
        "whole": [str(number) for number in range(1, 10_000)],
        "digit": "123456789",
        "year": [str(year) for year in range(2011, 1990, -1)],
        "month": [str(month) for month in range(1, 13)],
    }
    zipf = {name: {word: 10_000 // rank for rank, word in enumerate(words, 1)} for name, words in ranked.items()}
    themes = {word: 1 for _, theme in _CATEGORIES.values() for word in theme.split()}
    return {**fillers, **zipf, "theme": themes}


def _cumulative(words: Sequence[str], weights: Numbers, *, themes: range, category: int) -> Numbers:
    """The weights in one category: its theme counts most, words of two characters or more by a constant draw."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([category])))
    factors = np.array([1, 1, 2, 4, 4, 4, 8, 32])[_below(random.random(len(words)), 8)]
    factors[[len(word) == 1 for word in words]] = 4
    factors[themes.start : themes.stop] = 4
    theme = _CATEGORIES[CATEGORIES[category]][1].split()
    for word in range(themes.start, themes.stop):
        if words[word] in theme:
            factors[word] = 4 * 200 // (1 + theme.index(words[word]))
    return np.concatenate([[0], np.cumsum(weights * factors)])
