"""A vocabulary of characters for the light model of entity linking: those of descriptions and of texts."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import InputError
from pipelines.examples import ShardRecords
from pipelines.storage.commit import plain_errors, write_bytes
from pipelines.storage.knowledge_base import open_knowledge_base
from pipelines.storage.readers import read_batches
from pipelines.storage.shards import whole
from pipelines.storage.sources import Reading, discover
from transforms.knowledge_base import KnowledgeBase, lowered
from transforms.splits import Splits
from transforms.tasks.entity_linking import EntityLinking
from transforms.tasks.task import tokenizer_of
from transforms.vocabulary import SPECIAL_TOKENS, Vocabulary, characters, make_vocabulary

_AT_ONCE = 1 << 12  # texts


def write_known_vocabulary(
    knowledge_base: Path, files: Sequence[Path], out: Path, *, min_count: int = 2
) -> tuple[int, int]:
    """Writes the characters of descriptions and of the files' texts, in small letters, each as a token.

    Special tokens come first, then by count, then by code point. `files`: JSON lines with a field `text`. Returns how
    many tokens there are, and how many bad rows were passed over. Raises InputError for a file without a good row.
    """
    task: Any = EntityLinking(Vocabulary(SPECIAL_TOKENS), EntityLinking.default_length, {})
    reader = ShardRecords(task, tokenizer_of(task), Splits(), replace_errors=False)
    known = open_knowledge_base(knowledge_base)
    texts = chain(_descriptions(known), _texts(reader, files))
    pieces = iter(lambda: list(islice(texts, _AT_ONCE)), [])
    counted = characters((some, np.ones(len(some), np.int64)) for some in pieces)
    vocabulary, _ = make_vocabulary([counted], min_count=min_count)
    with plain_errors(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(out, vocabulary.content)
    return len(vocabulary), len(reader.dead)


def _descriptions(known: KnowledgeBase) -> Iterator[str]:
    return map(known.description, range(len(known)))


def _texts(reader: ShardRecords, files: Sequence[Path]) -> Iterator[str]:
    reading = Reading(format="lines")
    for file in files:
        found, before = False, len(reader.dead)
        for batch in read_batches([whole(source) for source in discover([str(file)], reading)], reading):
            reader.dead += batch.dead
            for _, example in reader.examples(batch):
                found = True
                yield from map(lowered, example.texts)
        if not found:
            why = "".join(f": {letter.reason}" for letter in reader.dead[before:][:1])
            raise InputError(f"{file}: no example in it{why}")
