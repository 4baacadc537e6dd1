"""Characters as tokens, for vocabularies that have nothing else."""

from collections.abc import Sequence

import numpy as np

from transforms.knowledge_base import lowered
from transforms.vocabulary import Vocabulary
from transforms.wordpiece_library import Tokens, check_characters


class Characters:
    """Cuts texts into their characters, all of them, white space too; each is looked up in small letters.

    >>> from transforms.vocabulary import SPECIAL_TOKENS
    >>> tokens = Characters(Vocabulary((*SPECIAL_TOKENS, "a", "2", "0"))).tokenize(["A 20"])[0]
    >>> list(zip(tokens.ids.tolist(), tokens.begins.tolist(), tokens.ends.tolist()))
    [(5, 0, 1), (1, 1, 2), (6, 2, 3), (7, 3, 4)]
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text; texts in one call share their arrays' memory.

        Raises ValueError for a lone surrogate, which is no character.
        """
        check_characters(texts)
        points = np.frombuffer("".join(map(lowered, texts)).encode("utf-32-le"), np.uint32)
        ids, places = (
            self.vocabulary.character_ids[points],
            np.arange(max(map(len, texts), default=0) + 1, dtype=np.int32),
        )
        ends = np.cumsum([len(text) for text in texts], dtype=np.int64).tolist()
        return [
            Tokens(ids[end - len(text) : end], places[: len(text)], places[1 : len(text) + 1])
            for text, end in zip(texts, ends, strict=True)
        ]
