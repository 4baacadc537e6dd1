"""What stands beside a score of entity linking, worked out on paper."""

from typing import Any

import numpy as np

from pipelines.linking import beside
from transforms.knowledge_base_building import Entity, made_of
from transforms.tasks.entity_linking_candidates import Candidates, Statistics

TEXT = "北京大学在北京"


def record(*mentions: tuple[int, int, str]) -> dict[str, Any]:
    begins, ends, entities = zip(*mentions, strict=True)
    return {
        "text": TEXT,
        "mention_begins": np.array(begins),
        "mention_ends": np.array(ends),
        "entities": list(entities),
    }


RECORD = record((0, 4, "12"), (5, 7, "3"), (2, 4, "5"), (4, 5, "NIL"))
GOLD = {("1", TEXT): [("北京大学", "0", "12"), ("北京", "5", "3"), ("大学", "2", "5"), ("在", "4", "NIL")]}


def test_shares() -> None:
    """北京大学 is matched as a whole, 大学 inside of it is not; 5 is in the knowledge base under another name."""
    candidates = Candidates(
        made_of([Entity("12", ("北京大学",), "", ()), Entity("3", ("北京",), "", ()), Entity("5", ("清华",), "", ())])
    )
    statistics = Statistics(frequent={"北京": "3", "北京大学": "7"})
    said = {("1", TEXT): [("北京大学", "0", "12"), ("北京", "5", "4")]}
    assert beside([RECORD], candidates, said, GOLD, statistics) == {
        "most_frequent_id": 1 / 3,
        "with_candidates": 2 / 3,
        "f1_given_candidates": 1 / 2,
        "within_matches": 2 / 3,
    }
