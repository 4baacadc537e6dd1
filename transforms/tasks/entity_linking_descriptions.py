"""Descriptions of entities as a model reads them: cut as texts are, so that what is alike has the same ids."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from transforms.knowledge_base import KnowledgeBase
from transforms.wordpiece import Tokenizer

Ids = npt.NDArray[np.int32]
_KEPT = 1 << 15  # descriptions
_CHARACTERS_PER_TOKEN = 4  # more than Chinese takes; what lies behind is not read, nor is time spent on it


class Descriptions:
    """The ids of the first tokens of each entity's description; they are kept for the next time.

    `length`: how many at most; they are those of its first 4 * `length` characters.

    >>> from transforms.characters import Characters
    >>> from transforms.knowledge_base_building import Entity, made_of
    >>> from transforms.vocabulary import SPECIAL_TOKENS, Vocabulary
    >>> base = made_of([Entity("7", (), "晨星：2a", ()), Entity("8", (), "", ())])
    >>> tokenizer = Characters(Vocabulary((*SPECIAL_TOKENS, *"晨星2a")))
    >>> [ids.tolist() for ids in Descriptions(base, tokenizer, length=4).of([0, 1])]
    [[5, 6, 1, 7], []]
    """

    def __init__(self, knowledge_base: KnowledgeBase, tokenizer: Tokenizer, *, length: int) -> None:
        self.knowledge_base, self.tokenizer, self.length = knowledge_base, tokenizer, length
        self._kept: dict[int, Ids] = {}

    def of(self, entities: Sequence[int]) -> list[Ids]:
        """Int32 [at most length] of each entity, by number."""
        kept = self._kept  # another thread may begin a new one meanwhile
        missing = [entity for entity in dict.fromkeys(entities) if entity not in kept]
        most = _CHARACTERS_PER_TOKEN * self.length
        cut = self.tokenizer.tokenize([self.knowledge_base.description(entity)[:most] for entity in missing])
        # Copies, as a view would keep the arrays of a whole call.
        new = {entity: tokens.ids[: self.length].copy() for entity, tokens in zip(missing, cut, strict=True)}
        found = [new[entity] if entity in new else kept[entity] for entity in entities]
        if len(kept) + len(new) > _KEPT:
            self._kept = {}
        self._kept.update(new)
        return found
