"""Scores of entity linking: mentions with their place and their entity, all right or wrong; two rules for NIL."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from transforms.knowledge_base import is_nil, name_of
from transforms.tasks.json_input import field, id_field, json_lines
from transforms.tasks.record import BadRecord, content_id
from transforms.tasks.scores.rates import rates

Rules = Literal["ccks2019", "duel2020"]
Link = tuple[str, str, str]  # mention, offset, id of its entity
Links = Mapping[tuple[str, str], Sequence[Link]]  # by text_id and text


def read_predictions(content: bytes) -> dict[tuple[str, str], list[Link]]:
    """The links of JSON lines by `text_id`, or the hash of `text` without one, and text.

    Raises BadRecord that names the line, also for an offset or an id that is no text, as the organisers do.
    """
    found: dict[tuple[str, str], list[Link]] = {}
    ids = set[str]()
    for of, row in json_lines(content):
        text = field(row, "text", str, of=of)  # a bad row's prediction may have none
        key = (id_field(row, "text_id", of=of) or content_id(text), text)
        if key[0] in ids:
            raise BadRecord(f"{of}text_id {key[0]} stands there twice")
        ids.add(key[0])
        items = enumerate(field(row, "mention_data", list, of=of))
        found[key] = [
            (
                field(item, "mention", str, of=f"{of}mention_data, item {number}: "),
                field(item, "offset", str, of=f"{of}mention_data, item {number}: "),
                field(item, "kb_id", str, of=f"{of}mention_data, item {number}: "),
            )
            for number, item in items
        ]
    return found


read_gold = read_predictions


def score(predictions: Links, gold: Links, *, rules: Rules = "ccks2019") -> dict[str, float]:
    """`precision`, `recall` and `f1` over all links; a link is right if mention, offset and id are.

    `ccks2019`, by which the figures of that competition were published: what stands for no entity, `NIL`, counts on
    neither side, what is said twice counts once, and only texts of `gold` count. `duel2020`, the script of the next
    year's organisers: NIL in gold is one more to find, which nothing can; an id that is no number, as NIL, is passed
    over where gold has the mention, as if it were not there; a mention that gold has not is wrong whatever its id, and
    so is one that is said again behind a number.

    >>> gold = {("7", "晨星号几点发车"): [("晨星号", "0", "90001"), ("发车", "5", "NIL")]}
    >>> score(gold, gold)
    {'precision': 1.0, 'recall': 1.0, 'f1': 1.0}
    >>> score(gold, gold, rules="duel2020")
    {'precision': 1.0, 'recall': 0.5, 'f1': 0.6666666666666666}
    """
    if rules == "duel2020":
        return _duel(predictions, gold)
    right = said = true = 0
    for key, links in gold.items():
        given, wanted = ({link for link in of if not is_nil(link[2])} for of in (predictions.get(key, ()), links))
        right, said, true = right + len(given & wanted), said + len(given), true + len(wanted)
    return rates(right, said, right, true)


def parts(predictions: Links, gold: Links, *, frequent: Mapping[str, str]) -> dict[str, float]:
    """What makes a score up, without NIL: `mention_f1`, of mentions and places alone; `link_accuracy`, the share of
    mentions that were found whose id is right; and what needs no model but to find them, `most_frequent_id`: the share
    of gold's mentions whose id is what `frequent` has for their name.

    >>> gold = {("7", "晨星号几点发车"): [("晨星号", "0", "90001"), ("发车", "5", "8")]}
    >>> parts({("7", "晨星号几点发车"): [("晨星号", "0", "7")]}, gold, frequent={"晨星号": "90001"})
    {'mention_f1': 0.6666666666666666, 'link_accuracy': 0.0, 'most_frequent_id': 0.5}
    """
    found, of_gold = ([_ids(of.get(key, ())) for key in gold] for of in (predictions, gold))
    said, true = sum(map(len, found)), sum(map(len, of_gold))
    both = [
        (links[at], wanted[at]) for links, wanted in zip(found, of_gold, strict=True) for at in links if at in wanted
    ]
    often = [frequent.get(name_of(mention)) == one for wanted in of_gold for (mention, _), one in wanted.items()]
    return {
        "mention_f1": rates(len(both), said, len(both), true)["f1"],
        "link_accuracy": sum(one == other for one, other in both) / max(1, len(both)),
        "most_frequent_id": sum(often) / max(1, len(often)),
    }


def of_known(predictions: Links, gold: Links, known: Callable[[str], bool]) -> dict[str, int]:
    """Of gold's links with an id that is known: `known_links`, how many there are; `known_found`, how many of their
    mentions were predicted; `known_right`, how many of those with their id.

    >>> gold = {("7", "晨星号几点发车"): [("晨星号", "0", "90001"), ("发车", "5", "8")]}
    >>> of_known({("7", "晨星号几点发车"): [("晨星号", "0", "7")]}, gold, lambda one: one == "90001")
    {'known_links': 1, 'known_found': 1, 'known_right': 0}
    """
    pairs = [(_ids(predictions.get(key, ())), _ids(links)) for key, links in gold.items()]
    wanted = [(found.get(at), one) for found, links in pairs for at, one in links.items() if known(one)]
    return {
        "known_links": len(wanted),
        "known_found": sum(said is not None for said, _ in wanted),
        "known_right": sum(said == one for said, one in wanted),
    }


def _ids(links: Sequence[Link]) -> dict[tuple[str, str], str]:
    """The id of each mention and place."""
    return {(mention, offset): one for mention, offset, one in links if not is_nil(one)}


def _duel(predictions: Links, gold: Links) -> dict[str, float]:
    """By PaddlePaddle/Research, KG/DuEL_Baseline/data/eval.py."""
    wanted = {(*key, *link[:2]): link[2] for key, links in gold.items() for link in links}
    right = wrong = 0
    seen = set[tuple[str, ...]]()
    for key, links in predictions.items():
        for mention, offset, identifier in links:
            at = (*key, mention, offset)
            if at not in wanted:
                wrong += 1
            elif identifier.isdigit():
                found = identifier == wanted[at] and at not in seen
                right, wrong = right + found, wrong + (not found)
                seen.add(at)
    return rates(right, right + wrong, right, sum(map(len, gold.values())))
