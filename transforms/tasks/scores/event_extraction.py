"""Scores of event extraction by the rule that DuEE's organisers publish: arguments, by the characters they share."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from transforms.tasks.json_input import field, gold_field, id_field, json_lines, text_field
from transforms.tasks.record import BadRecord, content_id
from transforms.tasks.scores.assignment import best_total
from transforms.tasks.scores.rates import rates

# Event type, role, and the ways to say the argument: the first is its own, others are aliases.
Argument = tuple[str, str, tuple[str, ...]]
Arguments = Mapping[str, Sequence[Argument]]  # by id


def read_predictions(content: bytes) -> dict[str, list[Argument]]:
    """The arguments of JSON lines by id, or by the hash of `text` without one; raises BadRecord that names the line."""
    found: dict[str, list[Argument]] = {}
    for of, row in json_lines(content):
        name = id_field(row, "id", of=of) or content_id(text_field(row, "text", of=of))
        if name in found:
            raise BadRecord(f"{of}id {name} stands there twice")
        found[name] = list(_arguments(row, of))
    return found


read_gold = read_predictions


def score(predictions: Arguments, gold: Arguments) -> dict[str, float]:
    """`precision`, `recall` and `f1` over the ids of `gold`.

    An argument scores, where event type and role are right, the F1 of its characters with those of an argument of gold,
    or with the alias of it that is best; capitals do not count. The sum of the scores is divided by the number of
    arguments that were predicted, and by that of gold. What the rule leaves open is so here: characters count as often
    as they stand, and an argument of gold goes to one prediction, so that the sum is largest.

    >>> gold = {"e": [("裁员", "裁员方", ("甲公司",)), ("裁员", "人数", ("300人",))]}
    >>> score({"e": [("裁员", "裁员方", ("公司",))]}, gold)
    {'precision': 0.8, 'recall': 0.4, 'f1': 0.5333333333333333}
    """
    total, said, true = 0.0, 0, 0
    for name, wanted in gold.items():
        given = predictions.get(name, ())
        said, true = said + len(given), true + len(wanted)
        of_given, of_wanted = _by_role(given), _by_role(wanted)
        for role in of_given.keys() & of_wanted.keys():
            total += best_total([[_f1(first, second) for second in of_wanted[role]] for first in of_given[role]])
    return rates(total, said, total, true)


def _arguments(row: Any, of: str) -> Iterator[Argument]:
    for number, event in enumerate(field(row, "event_list", list, of=of)):
        of_event = f"{of}event_list, item {number}: "
        kind = field(event, "event_type", str, of=of_event)
        for place, argument in enumerate(field(event, "arguments", list, of=of_event)):
            at = f"{of_event}arguments, item {place}: "
            ways = [field(argument, "argument", str, of=at), *alias_field(argument, of=at)]
            yield kind, field(argument, "role", str, of=at), tuple(way.lower() for way in ways)


def alias_field(argument: Any, *, of: str) -> list[str]:
    """What else may be said for an argument; raises BadRecord for what is no list of texts."""
    aliases = gold_field(argument, "alias", of=of) or []
    if not all(isinstance(alias, str) for alias in aliases):
        raise BadRecord(f"{of}field 'alias' holds more than texts")
    return aliases


def _by_role(arguments: Sequence[Argument]) -> dict[tuple[str, str], list[tuple[str, ...]]]:
    found = defaultdict(list)
    for kind, role, ways in arguments:
        found[kind, role].append(ways)
    return found


def _f1(said: Sequence[str], argument: Sequence[str]) -> float:
    """Of characters, what is predicted by its own words."""
    first = Counter(said[0])
    return max(2 * (first & Counter(way)).total() / max(1, len(said[0]) + len(way)) for way in argument)
