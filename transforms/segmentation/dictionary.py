"""Dictionaries: jieba's own, a replacement, user dictionaries on top; compiled once, then shared by memory map."""

import hashlib
import importlib.util
import json
import math
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain as concatenate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.compiled import cache_directory
from transforms.double_array import DoubleArray, code_points
from transforms.segmentation.layout import BASIC_PLANE, CHAIN, EMISSION, FIRST, MISSING, NODE, SYMBOLS

# In the order of the kernels' classes: digits, letters, symbols with full stop and percent first.
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SYMBOLS = ".%+#&_-"
_HAN = range(0x4E00, 0x9FD6)
_BLOCK = re.compile(r"[\u4E00-\u9FD5a-zA-Z0-9+#&._%\-]+")
_MINIMUM = -3.14e100
_ARRAYS = ("table", "first", "nodes", "scores", "emissions", "chain", "forced", "words", "word_ends")


class DictionaryError(ValueError):
    """A dictionary file that jieba would not load, or would misread; the message names file and line."""


@dataclass(frozen=True, slots=True, eq=False)
class Dictionary:
    """A compiled dictionary with jieba's hidden Markov model.

    `table`: uint16 [65536], character codes. `first`: FIRST by code. `nodes`: NODE [cells]. `unknown`: log probability
    of a character that is not a word. `scores`: float64 by word, log probabilities, frequent words first; word 0 is
    none, its score NaN. `forced`: uint8 by node, words that the model must not guess, or [1] if there are none.
    `words`: uint8, the words in UTF-8, word i from `word_ends[i - 1]` to `word_ends[i]`, int32.

    >>> len(Dictionary.load().content_hash)
    64
    """

    content_hash: str
    unknown: float
    table: npt.NDArray[np.uint16]
    first: npt.NDArray[np.void]
    nodes: npt.NDArray[np.void]
    scores: npt.NDArray[np.float64]
    emissions: npt.NDArray[np.void]
    chain: npt.NDArray[np.void]
    forced: npt.NDArray[np.uint8]
    words: npt.NDArray[np.uint8]
    word_ends: npt.NDArray[np.int32]

    @staticmethod
    def load(path: str | Path | None = None, *, user_dictionaries: Sequence[str | Path] = ()) -> "Dictionary":
        """Loads a dictionary in jieba's format (jieba's own without `path`), then user dictionaries in order.

        Compiled forms are kept by content hash. Raises DictionaryError for a bad line, OSError for a missing file.
        """
        content_hash = dictionary_hash(path, user_dictionaries=user_dictionaries)
        folder = compiled_folder(content_hash)
        if not (folder / "dictionary.json").exists():
            _save(folder, _compile(path, user_dictionaries))
        unknown = float.fromhex(json.loads((folder / "dictionary.json").read_text())["unknown"])
        arrays: dict[str, Any] = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
        return Dictionary(content_hash, unknown, **arrays)


def dictionary_hash(path: str | Path | None = None, *, user_dictionaries: Sequence[str | Path] = ()) -> str:
    """SHA-256 over all that shapes a compiled dictionary: the files in order, jieba's version and tables, our code."""
    package = _jieba_folder()
    digest = hashlib.sha256(f"jieba {version('jieba')}".encode())
    tables = [package / "finalseg" / f"prob_{name}.py" for name in ("start", "trans", "emit")]
    code = [Path(__file__), Path(__file__).with_name("layout.py"), Path(__file__).parent.with_name("double_array.py")]
    for file in [*code, *tables, package / "dict.txt" if path is None else Path(path), *map(Path, user_dictionaries)]:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def compiled_folder(content_hash: str) -> Path:
    """Where the compiled form of a dictionary is, or will be."""
    return cache_directory("dictionaries") / content_hash[:32]


def _jieba_folder() -> Path:
    found = importlib.util.find_spec("jieba")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("jieba is not installed: its dictionary and tables are the data of segmentation")
    return Path(found.origin).parent


def _frequencies(
    path: str | Path | None, user_dictionaries: Sequence[str | Path]
) -> tuple[dict[str, int], int, set[str]]:
    """jieba's own word frequencies, their total, and the words that are to be split by force.

    They come from a private jieba tokenizer, never from a second reading of the formats: what a user word without
    a frequency gets depends on all that was loaded before it.
    """
    import jieba
    from jieba import finalseg

    tokenizer = jieba.Tokenizer()
    try:
        with Path(_jieba_folder() / "dict.txt" if path is None else path).open("rb") as file:
            tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(file)
    except ValueError as error:
        raise DictionaryError(f"{error} (expected: word frequency [tag], in UTF-8)") from error
    negative = next((word for word, frequency in tokenizer.FREQ.items() if frequency < 0), None)
    if negative is not None:
        raise DictionaryError(f"{path}: the frequency of {negative!r} is less than 0")
    if tokenizer.total <= 0:
        raise DictionaryError(f"{path}: no word has a frequency above 0")
    tokenizer.initialized = True
    kept = finalseg.Force_Split_Words
    finalseg.Force_Split_Words = set()
    try:
        for user_dictionary in map(Path, user_dictionaries):
            _check_user_dictionary(user_dictionary)
            with user_dictionary.open("rb") as file:
                tokenizer.load_userdict(file)
        return tokenizer.FREQ, tokenizer.total, finalseg.Force_Split_Words
    finally:
        finalseg.Force_Split_Words = kept


def _check_user_dictionary(path: Path) -> None:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DictionaryError(
                    f"{path}, line {number}: not UTF-8 (byte {error.start + 1}): save the file as UTF-8; "
                    "a line is: word [frequency] [tag]"
                ) from error


def _compile(path: str | Path | None, user_dictionaries: Sequence[str | Path]) -> dict[str, Any]:
    frequencies, total, forced_words = _frequencies(path, user_dictionaries)
    words = [word for word, frequency in frequencies.items() if frequency and _BLOCK.fullmatch(word)]
    words.sort(key=lambda word: (-frequencies[word], word))
    forced_words = {word for word in forced_words if _BLOCK.fullmatch(word)}
    keys = [*words, *(word for word in forced_words if not frequencies[word])]
    table = _character_codes(words)
    trie = DoubleArray.build(keys, codes=np.concatenate([table, np.zeros(0x110000 - BASIC_PLANE, np.uint16)]))
    log_total = math.log(total)
    # math.log, as jieba: numpy's differs by one unit in the last place on some values.
    log = {frequency: math.log(frequency) - log_total for frequency in set(frequencies.values()) if frequency}
    scores = np.array([np.nan, *(log[frequencies[word]] for word in words)])
    nodes = np.zeros(len(trie.nodes), NODE)
    nodes["base"], nodes["check"] = trie.nodes["base"], trie.nodes["check"].astype(np.uint32)
    nodes["word"][trie.find(words)] = np.arange(1, len(words) + 1)
    cells = nodes["base"][0] + np.arange(int(table.max()) + 1)
    first = np.array([(0, MISSING, -np.inf)], FIRST).repeat(len(cells))
    there = np.flatnonzero(nodes["check"][cells] == 0)
    first["base"][there], first["node"][there] = nodes["base"][cells[there]], cells[there]
    words_there = nodes["word"][cells[there]]
    first["score"][there] = np.where(words_there > 0, scores[words_there], -np.inf)
    forced = np.zeros(len(nodes) if forced_words else 1, np.uint8)
    if forced_words:
        forced[trie.find(sorted(forced_words))] = 1
    encoded = [word.encode() for word in words]
    emissions, chain = _hidden_markov_model(table)
    return {
        "unknown": (0.0 - log_total).hex(),
        "table": table,
        "first": first,
        "nodes": nodes,
        "scores": scores,
        "emissions": emissions,
        "chain": chain,
        "forced": forced,
        "words": np.frombuffer(b"".join(encoded), np.uint8),
        "word_ends": np.cumsum([0, *map(len, encoded)], dtype=np.int32),
    }


def _character_codes(words: Sequence[str]) -> npt.NDArray[np.uint16]:
    """Codes in the order of the classes; frequent Han characters first, so that the hot cells lie together."""
    counts = np.bincount(code_points(words)[0], minlength=BASIC_PLANE)[_HAN.start : _HAN.stop]
    han = np.argsort(-counts, kind="stable") + _HAN.start
    table = np.zeros(BASIC_PLANE, np.uint16)
    order = list(concatenate(map(ord, _LETTERS + _SYMBOLS), han.tolist()))
    assert len(_LETTERS + _SYMBOLS) == SYMBOLS
    table[order] = np.arange(1, len(order) + 1)
    return table


def _hidden_markov_model(table: npt.NDArray[np.uint16]) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void]]:
    from jieba.finalseg import emit_P, start_P, trans_P

    states = {"begin": "B", "end": "E", "middle": "M", "single": "S"}
    emissions = np.zeros(int(table.max()) + 1, EMISSION)
    for name, state in states.items():
        emissions[name] = _MINIMUM
        for character, probability in emit_P[state].items():
            if table[ord(character)]:
                emissions[name][table[ord(character)]] = probability
    chain = np.zeros(1, CHAIN)
    for name, state in states.items():
        chain[name] = start_P[state]
    for name in CHAIN.names[4:]:  # type: ignore[index]
        chain[name] = trans_P[name[0].upper()].get(name[1].upper(), _MINIMUM)
    return emissions, chain


def _save(folder: Path, compiled: dict[str, Any]) -> None:
    """Makes the folder appear whole; one that another process made meanwhile is as good."""
    attempt = Path(tempfile.mkdtemp(dir=folder.parent))
    for name in _ARRAYS:
        np.save(attempt / f"{name}.npy", compiled[name])
    (attempt / "dictionary.json").write_text(json.dumps({"unknown": compiled["unknown"]}))
    try:
        attempt.rename(folder)
    except OSError:
        shutil.rmtree(attempt)
        if not (folder / "dictionary.json").exists():
            raise
