"""jieba 0.42.1 as the oracle: private tokenizers that leave no trace in the process or in the temporary directory."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import jieba
from jieba import finalseg

from transforms.segmentation import Segmenter, Tokenizer

MODES: list[tuple[Tokenizer, bool]] = [("words", True), ("words", False), ("search", True), ("search", False)]


@contextmanager
def jieba_tokenizer(path: Path | None = None, *, user_dictionaries: Sequence[Path] = ()) -> Iterator[jieba.Tokenizer]:
    """A tokenizer of its own with these dictionaries; within, the words that jieba splits by force are only theirs."""
    tokenizer = jieba.Tokenizer() if path is None else jieba.Tokenizer(str(path))
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True  # so that `initialize` never reads or writes its cache
    forced = finalseg.Force_Split_Words
    kept = set(forced)
    forced.clear()
    try:
        for user_dictionary in user_dictionaries:
            with user_dictionary.open("rb") as file:
                tokenizer.load_userdict(file)
        yield tokenizer
    finally:
        forced.clear()
        forced.update(kept)


def jieba_tokens(tokenizer: jieba.Tokenizer, text: str, *, mode: Tokenizer, hmm: bool) -> list[str]:
    """What jieba gives for one text."""
    return list(tokenizer.cut(text, HMM=hmm) if mode == "words" else tokenizer.cut_for_search(text, HMM=hmm))


def assert_lines_equal(segmenter: Segmenter, tokenizer: jieba.Tokenizer, lines: Sequence[str]) -> None:
    """Compares the lines as one text, and on a difference one by one, so that the message names the line."""
    mode, hmm = segmenter.tokenizer, segmenter.hmm
    together = "\n".join(lines)
    if segmenter.cut(together) != jieba_tokens(tokenizer, together, mode=mode, hmm=hmm):
        for line in lines:
            assert segmenter.cut(line) == jieba_tokens(tokenizer, line, mode=mode, hmm=hmm), ascii(line)
        raise AssertionError("cut alike one by one, but not as one text")


def jieba_counts(texts: Sequence[str], mode: Tokenizer, hmm: bool) -> tuple[Counter[str], Counter[str]]:
    """Occurrences of each token and documents that hold it, white space left out."""
    counts: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    with jieba_tokenizer() as tokenizer:
        for text in texts:
            tokens = [token for token in jieba_tokens(tokenizer, text, mode=mode, hmm=hmm) if not token.isspace()]
            counts.update(tokens)
            documents.update(set(tokens))
    return counts, documents
