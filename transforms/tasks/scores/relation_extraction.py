"""Scores of relation extraction as DuIE's `re_official_evaluation.py` makes them: triples with all slots right."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from transforms.tasks.json_input import field, json_lines, utf8
from transforms.tasks.scores.rates import rates

VALUE = "@value"  # the slot of an object that has but one
Triple = tuple[str, str, dict[str, str]]  # subject, predicate, and what stands in each slot of the object
Triples = Mapping[str, Sequence[Triple]]  # by text
Aliases = Mapping[str, frozenset[str]]


def read_predictions(content: bytes) -> dict[str, list[Triple]]:
    """The triples of JSON lines by their text, of which the last counts; raises BadRecord that names the line."""
    return {field(row, "text", str, of=of): list(_triples(row, of)) for of, row in json_lines(content)}


def read_gold(content: bytes) -> dict[str, list[Triple]]:
    """The same of what is right, where an object may also be text, its value, as in DuIE 1.0."""
    return {field(row, "text", str, of=of): list(_triples(row, of, bare=True)) for of, row in json_lines(content)}


def read_aliases(content: bytes) -> dict[str, frozenset[str]]:
    """What else may be said for a name: lines of a name and the others behind tabs."""
    rows = (line.strip().lower().split("\t") for line in utf8(content).split("\n"))
    return {name: frozenset(others) for name, *others in rows}


def score(predictions: Triples, gold: Triples, *, aliases: Aliases | None = None) -> dict[str, float]:
    """`precision`, `recall` and `f1` over the texts of `gold`.

    Capitals do not count, nor does `《》` around a name. Triples are alike if subject, predicate and all slots are, or
    stand among each other's aliases; what is said twice counts once.

    >>> found = [("海雾", "主演", {"@value": "林远"}), ("海雾", "主演", {"@value": "周舟"})]
    >>> score({"...": found}, {"...": found[:1]})
    {'precision': 0.5, 'recall': 1.0, 'f1': 0.6666666666666666}
    """
    known = aliases or {}
    said = right = true = found = 0
    for text, triples in gold.items():
        every, wanted = predictions.get(text, ()), _distinct(triples, known)
        given = _distinct(every, known)
        said, true = said + len(given), true + len(wanted)
        right += sum(_stands_in(triple, wanted, known) for triple in given)
        found += sum(_stands_in(triple, every, known) for triple in wanted)  # aliases of aliases may be no aliases
    return rates(right, said, found, true)


def _triples(row: Any, of: str, *, bare: bool = False) -> Iterator[Triple]:
    for number, item in enumerate(field(row, "spo_list", list, of=of)):
        at = f"{of}spo_list, item {number}: "
        said = item.get("object") if bare and isinstance(item, dict) else None
        slots = {VALUE: said} if isinstance(said, str) else field(item, "object", dict, of=at)
        yield (
            _name(field(item, "subject", str, of=at)),
            field(item, "predicate", str, of=at),
            {slot: _name(field(slots, slot, str, of=at)) for slot in slots},
        )


def _name(text: str) -> str:
    text = text.lower()
    return text[1:-1] if text.startswith("《") and text.endswith("》") else text


def _distinct(triples: Sequence[Triple], aliases: Aliases) -> list[Triple]:
    kept: list[Triple] = []
    for triple in triples:
        if not _stands_in(triple, kept, aliases):
            kept.append(triple)
    return kept


def _stands_in(triple: Triple, others: Sequence[Triple], aliases: Aliases) -> bool:
    subject, predicate, slots = triple
    return any(
        predicate == known
        and _may_stand_for(name, subject, aliases)
        and slots.keys() == filled.keys()
        and all(_may_stand_for(filled[slot], said, aliases) for slot, said in slots.items())
        and all(_may_stand_for(slots[slot], said, aliases) for slot, said in filled.items())
        for name, known, filled in others
    )


def _may_stand_for(other: str, name: str, aliases: Aliases) -> bool:
    return other == name or other in aliases.get(name, ())
