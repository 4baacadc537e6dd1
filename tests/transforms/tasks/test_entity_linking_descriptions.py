"""Descriptions as a model reads them: cut once, and kept."""

from collections.abc import Sequence

import pytest

from transforms.characters import Characters
from transforms.knowledge_base_building import Entity, made_of
from transforms.tasks import entity_linking_descriptions as module
from transforms.tasks.entity_linking_descriptions import Descriptions
from transforms.vocabulary import SPECIAL_TOKENS, Vocabulary
from transforms.wordpiece import Tokens, WordPiece

SAID = ["晨星", "", "2015" * 9, "abc abc 晨", "晨" * 99]
BASE = made_of([Entity(str(number), (), text, ()) for number, text in enumerate(SAID)])
SINGLE = Vocabulary((*SPECIAL_TOKENS, *"晨星2015abc"))
PIECES = Vocabulary((*SPECIAL_TOKENS, *"晨星", "2015", "##2015", "abc", "##c"))


class Counting:
    """A tokenizer that notes what it is asked for."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.inner, self.asked = Characters(vocabulary), list[str]()

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        self.asked += texts
        return self.inner.tokenize(texts)


@pytest.mark.parametrize("tokenizer", [Characters(SINGLE), WordPiece(PIECES)])
def test_the_first_tokens_of_each(tokenizer: Characters | WordPiece) -> None:
    found = Descriptions(BASE, tokenizer, length=8).of([4, 0, 1, 2, 3, 0])
    wanted = [tokenizer.tokenize([SAID[place]])[0].ids[:8] for place in (4, 0, 1, 2, 3, 0)]
    assert [ids.tolist() for ids in found] == [ids.tolist() for ids in wanted]


def test_each_is_cut_once_and_no_more_of_it_than_may_be_read() -> None:
    counting = Counting(SINGLE)
    descriptions = Descriptions(BASE, counting, length=6)
    descriptions.of([0, 4, 0])
    descriptions.of([4, 2])
    assert counting.asked == ["晨星", "晨" * 24, ("2015" * 9)[:24]]


def test_not_all_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 2)
    counting = Counting(SINGLE)
    descriptions = Descriptions(BASE, counting, length=99)
    found = [descriptions.of([number])[0].tolist() for number in (0, 1, 2, 0, 2)]
    assert found[0] == found[3]
    assert found[2] == found[4]
    assert counting.asked == ["晨星", "", "2015" * 9, "晨星"]
