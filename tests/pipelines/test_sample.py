"""The made corpus: the same bytes everywhere, and enough like news that counts of it mean something."""

import hashlib
import re
from pathlib import Path
from statistics import median

import pytest

from pipelines.sample import CATEGORIES, write_sample
from transforms.segmentation import Dictionary, Segmenter

THUCNEWS = [
    "财经",
    "彩票",
    "房产",
    "股票",
    "家居",
    "教育",
    "科技",
    "社会",
    "时尚",
    "时政",
    "体育",
    "星座",
    "游戏",
    "娱乐",
]


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*.txt"))}


def made(directory: Path, *, documents: int, seed: int) -> dict[str, bytes]:
    written = write_sample(directory, documents=documents, seed=seed)
    found = files(directory)
    assert written == sum(map(len, found.values()))
    return found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Two blocks of documents, the second of them cut."""
    return made(tmp_path_factory.mktemp("corpus") / "new", documents=700, seed=7)


def test_layout(corpus: dict[str, bytes]) -> None:
    assert len(corpus) == 700
    numbers = [re.fullmatch(r"(..)/(\d+)\.txt", name) for name in corpus]
    assert sorted(int(found[2]) for found in numbers if found) == list(range(700))
    assert {found[1] for found in numbers if found} == set(THUCNEWS) == set(CATEGORIES)


def test_every_document_has_a_title_and_paragraphs(corpus: dict[str, bytes]) -> None:
    for name, content in corpus.items():
        title, *paragraphs = content.decode("utf-8").removesuffix("\n").split("\n")
        assert 4 <= len(title) <= 80, name
        assert title == title.strip()
        assert not title.endswith(("，", "。")), name
        assert paragraphs, name
        assert all(re.fullmatch("　　[^　].*[。！？”]", paragraph) for paragraph in paragraphs), name


def test_lengths_are_those_of_news(corpus: dict[str, bytes]) -> None:
    lengths = [len(content.decode()) for content in corpus.values()]
    assert 800 < median(lengths) < 1000
    assert min(lengths) > 30
    assert max(lengths) > 3 * median(lengths)  # log-normal: a long tail


def test_text_mixes_what_news_mixes(corpus: dict[str, bytes]) -> None:
    text = b"".join(corpus.values()).decode()
    for pattern in (r"[12]\d{3}年", r"\d+\.\d%", r"[A-Za-z]{3,}", "“[^”]+”", "[，。；！？：《》（）、]"):
        assert len(re.findall(pattern, text)) > 100, pattern
    assert 0.5 < len(re.findall("[\u4e00-\u9fff]", text)) / len(text) < 0.9


def test_words_follow_zipf(stock: Dictionary, corpus: dict[str, bytes]) -> None:
    counts = list(Segmenter(stock).count(content.decode() for content in corpus.values()).words.values())
    assert counts[9] > 20 * counts[999]
    assert counts[99] > 20 * counts[9999]
    assert 0.3 < counts.count(1) / len(counts) < 0.7  # half of the words of any natural corpus occur once


def test_categories_differ(corpus: dict[str, bytes]) -> None:
    texts = {category: "" for category in CATEGORIES}
    for name, content in corpus.items():
        texts[name[:2]] += content.decode()

    def share(word: str, category: str) -> float:
        return texts[category].count(word) / len(texts[category])

    for word, home, other in (("比赛", "体育", "股票"), ("手机", "科技", "体育"), ("电影", "娱乐", "房产")):
        assert share(word, home) > 20 * share(word, other)
    assert len(texts["科技"]) > 5 * len(texts["星座"])  # THUCNews' proportions


def test_bytes_follow_from_documents_and_seed(tmp_path: Path) -> None:
    """The digest is of jieba 0.42.1's dictionary: whoever changes it changes every benchmark made from a sample."""
    found = made(tmp_path / "a", documents=30, seed=3)
    assert found == made(tmp_path / "b", documents=30, seed=3)
    assert found != made(tmp_path / "c", documents=30, seed=4)
    digest = hashlib.sha256()
    for name, content in found.items():
        digest.update(name.encode() + b"\0" + content + b"\0")
    assert digest.hexdigest() == "c438a13b85d372fcc6b36af97fd251cb87a21040d56bc7a3cf6e64e05d40959b"


@pytest.mark.parametrize("documents", [1, 14, 511, 512, 513])
def test_a_larger_sample_holds_the_smaller(tmp_path: Path, corpus: dict[str, bytes], documents: int) -> None:
    found = made(tmp_path, documents=documents, seed=7)
    assert len(found) == documents
    assert found.items() <= corpus.items()


def test_documents_are_not_repeated(corpus: dict[str, bytes]) -> None:
    assert len(set(corpus.values())) == len(corpus)  # neither within a block nor from block to block


def test_fourteen_documents_have_every_category(tmp_path: Path) -> None:
    assert {name[:2] for name in made(tmp_path, documents=14, seed=0)} == set(THUCNEWS)


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match=r"is not empty: name a new directory, or remove this one"):
        write_sample(tmp_path, documents=1, seed=0)
    assert files(tmp_path) == {"mine.txt": b"keep"}
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.txt"]


@pytest.mark.parametrize(("documents", "seed"), [(0, 0), (-1, 0), (1, -1)])
def test_impossible_requests_are_refused(tmp_path: Path, documents: int, seed: int) -> None:
    with pytest.raises(ValueError, match=f"documents={documents}, seed={seed}"):
        write_sample(tmp_path / "new", documents=documents, seed=seed)
    assert not (tmp_path / "new").exists()
