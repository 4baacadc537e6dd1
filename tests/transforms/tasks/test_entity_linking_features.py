"""Features of a text and of a pair: by token, whatever a token is."""

import numpy as np

from tests.transforms.tasks.making import a_task, line, record_of
from transforms.knowledge_base_building import Entity, made_of
from transforms.tasks.entity_linking import EntityLinking
from transforms.tasks.entity_linking_features import match_features, pair_features

BASE = made_of([Entity("1", ("晨星号", "发车", "ab1"), "", ())])


def test_matches_are_marked_at_their_tokens() -> None:
    record = record_of(a_task(EntityLinking), line(text="晨星号几点发车"))
    marked = match_features(record, BASE.maximum_matches([record["text"]]))
    assert (marked.dtype, marked.shape) == (np.float32, (9, 2))
    assert np.argwhere(marked).tolist() == [[1, 0], [3, 1], [6, 0], [7, 1]]


def test_what_is_cut_off_is_not_marked() -> None:
    record = record_of(a_task(EntityLinking, max_length=8), line(text="晨星号几点发车"))
    assert np.argwhere(match_features(record, BASE.maximum_matches([record["text"]]))).tolist() == [[1, 0], [3, 1]]


def test_a_pair() -> None:
    record = record_of(a_task(EntityLinking), line(text="晨星号AB几点发车"))
    made = pair_features(
        record,
        BASE.maximum_matches([record["text"]]),
        (1, 3),
        "名称：晨星号，ab点",
        ["ab", "星号", "点发"],
    )
    assert made.mention.tolist() == [0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0][: len(made.mention)]
    tokens = ["", *"晨星号", "ab", *"几点发车", ""]
    said = [record["text"][begin:end].lower() for begin, end in zip(record["begins"], record["ends"], strict=True)]
    assert said in (tokens, ["", *"晨星号ab几点发车", ""])

    def marked(column: int) -> str:
        return "".join(said[place] for place in np.flatnonzero(made.hits[:, column]))

    assert (marked(0), marked(1), marked(2)) == ("晨星号ab点", "晨星号", "星号ab点发")
