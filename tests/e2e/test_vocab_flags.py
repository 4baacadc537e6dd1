"""Every flag of `hanmill vocab`, its exit codes, and that the same counts give the same bytes."""

import json
import math
from collections import Counter
from pathlib import Path

import pytest

from tests.pipelines.command import Result, count, hanmill, process, table, words
from transforms.vocabulary import SPECIAL_TOKENS

pytestmark = pytest.mark.usefixtures("unsynced")

TEXTS = [
    "央行下调存款准备金率，银行贷款利率随之下降。\n经济增长3.5%",
    "投资者看好市场，A股上涨。市场反应热烈　C++",
    "火箭队主场击败湖人队，姚明得到30分。比赛将在北京清华大学举行",
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three documents, a line each but for the line feed in the first."""
    top = tmp_path_factory.mktemp("vocab")
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in TEXTS]
    (top / "corpus.jsonl").write_text("\n".join(lines))
    return top / "corpus.jsonl"


@pytest.fixture(scope="module")
def counts(corpus: Path) -> Path:
    assert count(corpus, "--out", corpus.parent / "counts").code == 0
    return corpus.parent / "counts"


@pytest.fixture(scope="module")
def base(corpus: Path) -> Path:
    """A small WordPiece vocabulary that knows all but a few of the characters."""
    known = sorted({character for text in TEXTS for character in text.lower() if not character.isspace()} - set("姚率"))
    pieces = ["[unused1]", *SPECIAL_TOKENS, *known, *(f"##{character}" for character in known), "30", "龘", "##b"]
    (corpus.parent / "base.txt").write_text("\n".join(pieces) + "\n")
    return corpus.parent / "base.txt"


def done(result: Result) -> Result:
    assert (result.code, result.err) == (0, "")
    return result


def tokens(path: Path) -> list[str]:
    found = path.read_text("utf-8").split("\n")
    assert (found[:5], found[-1]) == ([*SPECIAL_TOKENS], "")
    return found[5:-1]


# Flags


def test_a_vocabulary_of_words(counts: Path, tmp_path: Path) -> None:
    result = done(hanmill("vocab", counts, "--out", tmp_path / "vocab.txt"))
    counted = words(counts)
    assert tokens(tmp_path / "vocab.txt") == sorted(counted, key=lambda word: (-counted[word], word))
    assert result.out == (
        f"{tmp_path}/vocab.txt: {len(counted) + 5} tokens; they cover 100.000 % of {sum(counted.values())} words\n"
    )


def test_size_and_min_count(counts: Path, tmp_path: Path) -> None:
    everything = list(words(counts).items())
    done(hanmill("vocab", counts, "--out", tmp_path / "a", "--size", 12))
    assert tokens(tmp_path / "a") == [word for word, _ in everything[:7]]
    result = done(hanmill("vocab", counts, "--out", tmp_path / "b", "--min-count", 2))
    frequent = [(word, number) for word, number in everything if number >= 2]
    assert tokens(tmp_path / "b") == [word for word, _ in frequent]
    assert 1 < len(frequent) < len(everything)
    share = 100 * sum(number for _, number in frequent) / sum(number for _, number in everything)
    assert f"{len(frequent) + 5} tokens; they cover {share:.3f} % of " in result.out


def test_stop_words(counts: Path, tmp_path: Path) -> None:
    (tmp_path / "stop.txt").write_text("，\n。\n和\n")
    result = done(hanmill("vocab", counts, "--out", tmp_path / "a", "--stop-words", tmp_path / "stop.txt"))
    assert tokens(tmp_path / "a") == [word for word in words(counts) if word not in "，。和"]
    assert "; 2 of 3 stop words left out" in result.out


def test_unit(corpus: Path, counts: Path, tmp_path: Path) -> None:
    """Characters are the same from words and from counts of characters."""
    expected = Counter(character for text in TEXTS for character in text if not character.isspace())
    assert count(corpus, "--out", tmp_path / "characters", "--tokenizer", "characters").code == 0
    done(hanmill("vocab", counts, "--out", tmp_path / "a", "--unit", "character"))
    done(hanmill("vocab", tmp_path / "characters", "--out", tmp_path / "b"))
    done(hanmill("vocab", tmp_path / "characters", "--out", tmp_path / "c", "--unit", "character"))
    ordered = sorted(expected, key=lambda character: (-expected[character], character))
    inside = [f"##{character}" for character in ordered if character.isalnum() and character < "\u3400"]
    assert tokens(tmp_path / "a") == ordered + inside
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    done(hanmill("vocab", counts, "--out", tmp_path / "d"))
    done(hanmill("vocab", counts, "--out", tmp_path / "e", "--unit", "word"))
    assert (tmp_path / "d").read_bytes() == (tmp_path / "e").read_bytes()


def test_base(counts: Path, base: Path, tmp_path: Path) -> None:
    result = done(hanmill("vocab", counts, "--out", tmp_path / "vocab.txt", "--base", base))
    lines = base.read_text("utf-8").split("\n")
    kept = json.loads((tmp_path / "keep_tokens.json").read_bytes())
    found = tokens(tmp_path / "vocab.txt")
    assert [lines[token] for token in kept] == [*SPECIAL_TOKENS, *found]
    assert "".join(found[:4]) == "。场行，"
    assert {"30", "a", "c", "+"} <= {*found}
    assert {"[unused1]", "龘", "##b"}.isdisjoint(found)
    assert result.out.splitlines()[1] == f"{tmp_path}/keep_tokens.json: the ids that they have in {base}"
    assert f"vocab.txt: {len(kept)} of {len(lines) - 1} tokens; they cover 9" in result.out


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_idf(counts: Path, tmp_path: Path) -> None:
    from jieba.analyse.tfidf import TFIDF

    result = done(hanmill("vocab", counts, "--out", tmp_path / "vocab.txt", "--size", 6, "--idf", tmp_path / "idf.txt"))
    found = table(counts).to_pydict()
    assert result.out.splitlines()[1] == f"{tmp_path}/idf.txt: weights of {len(found['word'])} words"
    extractor = TFIDF()
    extractor.set_idf_path(str(tmp_path / "idf.txt"))
    frequencies = dict(zip(found["word"], found["documents"], strict=True))
    assert extractor.idf_freq == {word: pytest.approx(math.log(3 / number)) for word, number in frequencies.items()}
    assert (frequencies["，"], frequencies["市场"]) == (3, 1)


# The same bytes


def test_the_same_counts_give_the_same_bytes(corpus: Path, counts: Path, base: Path, tmp_path: Path) -> None:
    """Whatever shards and workers made them, in whatever process."""
    done_by_two = hanmill(
        "count", corpus, "--out", tmp_path / "counts", "--shard-bytes", 100, "--workers", 2, "--no-report"
    )
    assert done_by_two.code == 0
    for number, run in enumerate((hanmill, process)):
        for name, source in (("one", counts), ("two", tmp_path / "counts")):
            folder = tmp_path / f"{name}{number}"
            done(run("vocab", source, "--out", folder / "vocab.txt", "--base", base, "--idf", folder / "idf.txt"))
    first, *others = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one0", "two0", "one1", "two1")
    )
    assert first.keys() == {"vocab.txt", "idf.txt", "keep_tokens.json"}
    assert all(other == first for other in others)


# Exit codes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing option '--out'"),
        (["--out", "x", "--size", "5"], "--size"),
        (["--out", "x", "--min-count", "0"], "--min-count"),
        (["--out", "x", "--unit", "characters"], "'word', 'character'"),
        (["--out", "x", "--sise", "7"], "--size"),
        (
            ["--out", "x", "--base", "y", "--unit", "word"],
            "--unit: --base keeps exactly the tokens that the corpus uses",
        ),
        (["--out", "x", "--base", "y", "--stop-words", "z"], "--stop-words: --base keeps exactly"),
        (["--out", "x", "--idf", "x"], "--out and --idf are the same file"),
        (["--out", "x", "--", "--runner=x"], "only a job with `--engine beam` takes options after --"),
    ],
)
def test_wrong_options(counts: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(counts)
    before = sorted(path.name for path in counts.iterdir())
    result = hanmill("vocab", counts, *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in " ".join(result.err.replace("│", " ").split())
    assert sorted(path.name for path in counts.iterdir()) == before


def test_counts_that_do_not_serve(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "vocab.txt"
    result = hanmill("vocab", tmp_path / "nowhere", "--out", out)
    assert (result.code, result.out) == (3, "")
    assert (
        result.err
        == f"hanmill: {tmp_path}/nowhere: no finished count there: run hanmill count ... --out {tmp_path}/nowhere\n"
    )
    assert count(corpus, "--out", tmp_path / "search", "--tokenizer", "search").code == 0
    result = hanmill("vocab", tmp_path / "search", "--out", out)
    assert result.code == 3
    assert result.err.startswith(f"hanmill: {tmp_path}/search was counted with --tokenizer search, whose words overlap")
    assert not out.exists()


def test_help() -> None:
    shown = done(hanmill("vocab", "--help")).out
    for flag in ("--out", "--size", "--min-count", "--stop-words", "--unit", "--base", "--idf", "COUNTS_DIR"):
        assert flag in shown
