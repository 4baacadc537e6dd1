"""Whom a mention may stand for: names of a knowledge base, and what training texts tell of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.knowledge_base import KnowledgeBase, Matches, is_nil, name_of
from transforms.tasks.record import Record

_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Statistics:
    """What training texts, and no others, tell of names (kexue.fm 6919).

    `left_out`: names that are seldom meant where they stand. `links`: the ids that a name was seen with twice or more,
    in the order of how often. `frequent`: the id that it was seen with most often, a baseline.
    """

    left_out: frozenset[str] = frozenset()
    links: Mapping[str, Sequence[str]] = field(default_factory=dict)
    frequent: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(
        records: Iterable[Record], knowledge_base: KnowledgeBase, *, ratio: float = 5.0, links: int = 2
    ) -> "Statistics":
        """Of records for training.

        A name is left out where (matched but not meant + 1) / (meant + 1) is `ratio` or more, in texts. `links`: how
        often an id is seen before it is a name's own.
        """
        meant, passed = Counter[str](), Counter[str]()
        seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
        waiting: list[Record] = []

        def count() -> None:
            found = knowledge_base.maximum_matches([record["text"] for record in waiting])
            matched: list[set[str]] = [set() for _ in waiting]
            for row, begin, end in zip(found.rows.tolist(), found.begins.tolist(), found.ends.tolist(), strict=True):
                matched[row].add(name_of(waiting[row]["text"][begin:end]))
            for record, names in zip(waiting, matched, strict=True):
                linked = gold_links(record)
                wanted = {name for name, _ in linked}
                meant.update(wanted)
                passed.update(names - wanted)
                for name, identifier in linked:
                    seen[name][identifier] += 1
            waiting.clear()

        for record in records:
            waiting.append(record)
            if len(waiting) == _AT_ONCE:
                count()
        if waiting:
            count()
        ranked = {name: sorted(ids, key=lambda one: (-ids[one], one)) for name, ids in seen.items()}
        often = {name: [one for one in ids if seen[name][one] >= links] for name, ids in ranked.items()}
        return Statistics(
            frozenset(name for name in passed if (passed[name] + 1) / (meant[name] + 1) >= ratio),
            {name: tuple(ids) for name, ids in often.items() if ids},
            {name: ids[0] for name, ids in ranked.items()},
        )

    @staticmethod
    def of_json(value: Mapping[str, Any]) -> "Statistics":
        """The statistics that `as_json` wrote."""
        links = {name: tuple(ids) for name, ids in value["links"].items()}
        return Statistics(frozenset(value["left_out"]), links, dict(value["frequent"]))

    def as_json(self) -> dict[str, Any]:
        """In JSON's own types, the same for the same texts: it belongs to the model that was trained with it."""
        links = {name: list(ids) for name, ids in sorted(self.links.items())}
        return {"left_out": sorted(self.left_out), "links": links, "frequent": dict(sorted(self.frequent.items()))}


class Candidates:
    """Names in texts and the entities that they may stand for.

    >>> from transforms.knowledge_base_building import Entity, made_of
    >>> knowledge_base = made_of([Entity("7", ("晨星", "列车"), "", ()), Entity("8", ("晨星",), "", ())])
    >>> Candidates(knowledge_base).of("晨星"), Candidates(knowledge_base, Statistics(links={"晨星": ("8",)})).of("晨星")
    ([0, 1], [1])
    """

    def __init__(self, knowledge_base: KnowledgeBase, statistics: Statistics | None = None) -> None:
        self.knowledge_base, self.statistics = knowledge_base, statistics or Statistics()
        numbers = knowledge_base.find(sorted(self.statistics.left_out))
        self._left_out: npt.NDArray[np.bool_] = np.zeros(len(knowledge_base.candidate_ends) - 1, np.bool_)
        self._left_out[numbers[numbers >= 0]] = True

    def matches(self, texts: Sequence[str]) -> Matches:
        """The maximum matches of texts, names that are left out not among them."""
        return self.knowledge_base.maximum_matches(texts, left_out=self._left_out)

    def of(self, name: str) -> list[int]:
        """The entities that a name may stand for: those of `links` that are known, or else all that have the name."""
        known = name_of(name)
        if known in self.statistics.left_out:
            return []
        linked = (self.knowledge_base.entity(identifier) for identifier in self.statistics.links.get(known, ()))
        return [entity for entity in linked if entity >= 0] or self.all_of(known)

    def all_of(self, name: str) -> list[int]:
        """All entities that have a name."""
        (number,) = self.knowledge_base.find([name])
        return [] if number < 0 else self.knowledge_base.of_name(int(number)).tolist()


def gold_links(record: Record) -> list[tuple[str, str]]:
    """Name and id of a record's mentions that stand for an entity."""
    spans = zip(record["mention_begins"].tolist(), record["mention_ends"].tolist(), record["entities"], strict=True)
    return [(name_of(record["text"][begin:end]), one) for begin, end, one in spans if not is_nil(one)]
