"""What stands beside a score of entity linking: how much candidates allow, and what needs no model at all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.scores import read_both
from pipelines.storage.knowledge_base import open_knowledge_base
from transforms.knowledge_base import is_nil
from transforms.tasks.entity_linking import EntityLinking
from transforms.tasks.entity_linking_candidates import Candidates, Statistics, gold_links
from transforms.tasks.record import Record
from transforms.tasks.scores.entity_linking import Links, of_known, parts, score


def parts_of_files(predictions: Path, gold: Path, statistics: Statistics) -> dict[str, float]:
    """What makes the score of a file of predictions up; raises InputError that names file and line."""
    return parts(*read_both(EntityLinking.name, predictions, gold), frequent=statistics.frequent)


def links_of_known(predictions: Path, gold: Path, knowledge_base: Path) -> dict[str, int]:
    """How predictions do where gold stands for an entity of a knowledge base; raises InputError."""
    known = open_knowledge_base(knowledge_base)
    return of_known(*read_both(EntityLinking.name, predictions, gold), lambda one: known.entity(one) >= 0)


def beside(
    records: Sequence[Record], candidates: Candidates, predictions: Links, gold: Links, statistics: Statistics
) -> dict[str, float]:
    """Shares, 0 to 1, of the mentions of `gold` that stand for an entity, and one score.

    `most_frequent_id`: those whose entity is the one that `statistics` saw most often with their name.
    `with_candidates`: those whose entity is among the candidates; `f1_given_candidates`: what predictions score where
    only those count. `within_matches`: mentions of records that begin and end where maximum matches do.
    """
    known = {
        key: [link for link in links if not is_nil(link[2]) and _among(link[2], link[0], candidates)]
        for key, links in gold.items()
    }
    total = max(1, sum(len(gold_links(record)) for record in records))
    return {
        "most_frequent_id": parts(predictions, gold, frequent=statistics.frequent)["most_frequent_id"],
        "with_candidates": sum(map(len, known.values())) / total,
        "f1_given_candidates": score(predictions, known)["f1"],
        "within_matches": _within(records, candidates) / total,
    }


def _among(identifier: str, mention: str, candidates: Candidates) -> bool:
    entity = candidates.knowledge_base.entity(identifier)
    return entity >= 0 and entity in candidates.of(mention)


def _within(records: Sequence[Record], candidates: Candidates) -> int:
    found = candidates.matches([record["text"] for record in records])
    edges: tuple[set[Any], set[Any]] = (
        set(zip(found.rows.tolist(), found.begins.tolist(), strict=True)),
        set(zip(found.rows.tolist(), found.ends.tolist(), strict=True)),
    )
    return sum(
        (row, begin) in edges[0] and (row, end) in edges[1]
        for row, record in enumerate(records)
        for begin, end, one in zip(
            record["mention_begins"].tolist(), record["mention_ends"].tolist(), record["entities"], strict=True
        )
        if not is_nil(one)
    )
