"""Characters as tokens: places in the original text, and the ids of small letters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import texts
from transforms.characters import Characters
from transforms.knowledge_base import lowered
from transforms.vocabulary import SPECIAL_TOKENS, Vocabulary

VOCABULARY = Vocabulary((*SPECIAL_TOKENS, *"中国a1é．𠀀i"))
CHARACTERS = Characters(VOCABULARY)


@given(st.lists(texts(), max_size=4))
def test_each_character_is_a_token_where_it_stands(found: list[str]) -> None:
    for text, tokens in zip(found, CHARACTERS.tokenize(found), strict=True):
        assert tokens.begins.tolist() == list(range(len(text)))
        assert tokens.ends.tolist() == list(range(1, len(text) + 1))
        assert tokens.ids.tolist() == [VOCABULARY.ids.get(one, VOCABULARY.unknown) for one in lowered(text)]
        assert {array.dtype for array in (tokens.ids, tokens.begins, tokens.ends)} == {np.dtype(np.int32)}


@given(st.lists(texts(), min_size=1, max_size=4))
def test_texts_together_are_as_each_alone(found: list[str]) -> None:
    together = [tokens.ids.tolist() for tokens in CHARACTERS.tokenize(found)]
    assert together == [CHARACTERS.tokenize([text])[0].ids.tolist() for text in found]


def test_special_tokens_that_are_written_are_text() -> None:
    assert set(CHARACTERS.tokenize(["[CLS]"])[0].ids.tolist()) == {VOCABULARY.unknown}


def test_nothing() -> None:
    assert CHARACTERS.tokenize([]) == []
    assert [len(tokens) for tokens in CHARACTERS.tokenize(["", "中", ""])] == [0, 1, 0]


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="text 1: character 1 is half of a surrogate pair"):
        CHARACTERS.tokenize(["中", "中\ud800"])
