"""What stands beside a score of entity linking: how much candidates allow, and what needs no model at all."""

from collections.abc import Iterable, Sequence
from typing import Any

from transforms.knowledge_base import KnowledgeBase
from transforms.knowledge_base_building import Entity, made_of
from transforms.tasks.entity_linking_candidates import Candidates, Statistics, gold_links
from transforms.tasks.record import Record
from transforms.tasks.scores.entity_linking import Links, is_nil, score


def made_knowledge_base(records: Iterable[Record]) -> KnowledgeBase:
    """A knowledge base of nothing but the mentions of records, each with its id: trivial to link against.

    It tells what decoding can do where each name and entity is known, and nothing of a model.
    """
    names: dict[str, dict[str, None]] = {}
    for record in records:
        for name, identifier in gold_links(record):
            names.setdefault(identifier, {})[name] = None
    return made_of(Entity(one, tuple(called), one, ()) for one, called in names.items())


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
    linked = [link for record in records for link in gold_links(record)]
    frequent = sum(statistics.frequent.get(name) == one for name, one in linked)
    total = max(1, len(linked))
    return {
        "most_frequent_id": frequent / total,
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
