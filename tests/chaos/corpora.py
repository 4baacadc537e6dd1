"""Corpora of a few words, and a dictionary as small: what a shard costs is then its commit."""

import os
from pathlib import Path

# All words fall into one partition: fewer writes, as every write of every run is one to be killed at.
WORDS = ("比赛", "大学", "股票")
NEW_WORD = "天气"
NOT_TEXT = b"\xff\xfe\xfd"


def write_document(path: Path, content: str | bytes, *, changed: int = 1) -> None:
    """Writes a document that was last changed at second `changed`, so that copies of a corpus are alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (changed, changed))


def write_corpus(directory: Path) -> tuple[str, ...]:
    """Six documents of two labels, one of them no text; returns what to count."""
    for number in range(6):
        label = "财经" if number % 2 else "体育"
        content = "".join(WORDS[(number + place) % 3] for place in range(8 + number))
        write_document(directory / label / f"{number}.txt", content if number != 3 else NOT_TEXT * 40)
    return (str(directory),)


def change_corpus(directory: Path) -> None:
    """Changes a document, removes one and adds two, one of them no text."""
    write_document(directory / "财经/1.txt", NEW_WORD * 20, changed=2)
    (directory / "体育/2.txt").unlink()
    write_document(directory / "体育/6.txt", "比赛大学" * 9, changed=2)
    write_document(directory / "财经/7.txt", NOT_TEXT * 30, changed=2)


def write_dictionary(path: Path) -> str:
    """A dictionary of the corpora's words."""
    path.write_text("".join(f"{word} 3 n\n" for word in (*WORDS, NEW_WORD)), encoding="utf-8")
    return str(path)
