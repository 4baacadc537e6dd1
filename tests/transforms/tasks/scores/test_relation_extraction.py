"""DuIE's scores of triples, worked out by hand."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.tasks.record import BadRecord
from transforms.tasks.scores.relation_extraction import read_aliases, read_gold, read_predictions, score


def spo(subject: Any, predicate: Any, item: Any, **slots: Any) -> dict[str, Any]:
    value = {"@value": item, **slots} if isinstance(item, str) else item
    return {"subject": subject, "predicate": predicate, "object": value}


def lines(*rows: tuple[str, list[dict[str, Any]]]) -> bytes:
    return "\n".join(json.dumps({"text": text, "spo_list": spos}) for text, spos in rows).encode()


def of(
    said: list[dict[str, Any]], right: list[dict[str, Any]], aliases: bytes | None = None
) -> tuple[float, float, float]:
    known = None if aliases is None else read_aliases(aliases)
    found = score(read_predictions(lines(("t", said))), read_gold(lines(("t", right))), aliases=known)
    return found["precision"], found["recall"], found["f1"]


A, B, C = spo("海雾", "主演", "林远"), spo("海雾", "主演", "周舟"), spo("林远", "妻子", "周舟")
ROLE = spo("林远", "饰演", "周舟", inWork="海雾")


@pytest.mark.parametrize(
    ("said", "right", "rates"),
    [
        ([A], [A], (1, 1, 1)),
        ([A], [A, B], (1, 1 / 2, 2 / 3)),
        ([A, B, C], [A], (1 / 3, 1, 1 / 2)),
        ([A, B], [B, C], (1 / 2, 1 / 2, 1 / 2)),
        ([], [A], (0, 0, 0)),
        ([A], [], (0, 0, 0)),
        ([A, A, A], [A, A], (1, 1, 1)),  # twice counts once
        ([A, A, B], [A], (1 / 2, 1, 2 / 3)),
        ([spo("海雾", "导演", "林远")], [A], (0, 0, 0)),
        ([spo("林远", "主演", "海雾")], [A], (0, 0, 0)),
        ([spo("《海雾》", "主演", "林远")], [A], (1, 1, 1)),  # a title's marks go
        ([spo("海雾", "主演", "《林远》")], [A], (1, 1, 1)),
        ([spo("《海雾", "主演", "林远")], [A], (0, 0, 0)),  # only both of them
        ([spo("《《海雾》》", "主演", "林远")], [A], (0, 0, 0)),  # only once
        ([spo("ABC", "主演", "dEf")], [spo("abc", "主演", "DEF")], (1, 1, 1)),
        ([spo("a", "P", "b")], [spo("a", "p", "b")], (0, 0, 0)),  # a predicate's capitals count
        ([ROLE], [ROLE], (1, 1, 1)),
        ([spo("林远", "饰演", "周舟")], [ROLE], (0, 0, 0)),  # a slot less
        ([ROLE], [spo("林远", "饰演", "周舟")], (0, 0, 0)),  # a slot more
        ([spo("林远", "饰演", "周舟", inWork="春夏")], [ROLE], (0, 0, 0)),
        ([spo("林远", "饰演", "周舟", inWork="《海雾》")], [ROLE], (1, 1, 1)),
        ([spo("林远", "饰演", {"inWork": "海雾", "@value": "周舟"})], [ROLE], (1, 1, 1)),
    ],
)
def test_by_hand(said: list[Any], right: list[Any], rates: tuple[float, ...]) -> None:
    assert of(said, right) == pytest.approx(rates)


@pytest.mark.parametrize(
    ("said", "right", "rates"),
    [
        # Whose aliases a subject is looked for among: the prediction's for precision, those of gold for recall.
        ([spo("林远", "妻子", "周舟")], [spo("阿远", "妻子", "周舟")], (1, 0, 0)),
        ([spo("阿远", "妻子", "周舟")], [spo("林远", "妻子", "周舟")], (0, 1, 0)),
        # An object must be an alias of the other and the other of it.
        ([spo("甲", "妻子", "林远")], [spo("甲", "妻子", "阿远")], (0, 0, 0)),
        ([spo("甲", "妻子", "小城")], [spo("甲", "妻子", "BIG")], (1, 1, 1)),
        # What may stand for one that was said before is said twice: 林远 after 阿远, not 阿远 after 林远.
        ([spo("阿远", "妻子", "甲"), spo("林远", "妻子", "甲")], [spo("阿远", "妻子", "甲")], (1, 1, 1)),
        ([spo("林远", "妻子", "甲"), spo("阿远", "妻子", "甲")], [spo("阿远", "妻子", "甲")], (1, 1, 1)),
        ([spo("林远", "妻子", "甲"), spo("阿远", "妻子", "甲")], [spo("林远", "妻子", "甲")], (1 / 2, 1, 2 / 3)),
        # 阿远, said after 远阿 of which it is an alias, is not said; for gold that knows it alone it is.
        ([spo("远阿", "妻子", "甲"), spo("阿远", "妻子", "甲")], [spo("林远", "妻子", "甲")], (0, 1, 0)),
    ],
)
def test_aliases(said: list[Any], right: list[Any], rates: tuple[float, ...]) -> None:
    aliases = "林远\t阿远\t远远\n阿远\t远阿\n小城\tbig\nBig\t小城\n".encode()
    assert of(said, right, aliases) == pytest.approx(rates)


def test_texts_that_gold_does_not_have_and_those_without_prediction() -> None:
    gold = read_gold(lines(("a", [A]), ("b", [B]), ("c", [])))
    said = read_predictions(lines(("a", [A]), ("x", [A, B, C]), ("c", [C])))
    assert score(said, gold) == {"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2}


def test_of_a_text_that_stands_twice_the_last_counts() -> None:
    assert read_gold(lines(("a", [A, B]), ("a", [C]))) == read_gold(lines(("a", [C])))


names = st.sampled_from(["甲", "乙", "《甲》", "A", "a"])
triples = st.lists(
    st.builds(lambda s, p, o, w: spo(s, p, o, **({"inWork": w} if w else {})), names, st.sampled_from("pq"), names,
              st.none() | names),
    max_size=6,
)  # fmt: skip


@given(triples, triples)
def test_bounds_and_symmetry(first: list[Any], second: list[Any]) -> None:
    precision, recall, f1 = of(first, second)
    assert 0 <= f1 <= 1
    assert of(second, first) == pytest.approx((recall, precision, f1))


@given(triples, st.data())
def test_gold_against_itself_in_any_order(rows: list[Any], data: st.DataObject) -> None:
    right = 1.0 if rows else 0.0
    assert of(data.draw(st.permutations(rows)), rows) == (right, right, right)


@given(triples, triples, triples)
def test_a_right_triple_more_never_lowers_recall_nor_a_wrong_one_precision_less(
    said: list[Any], right: list[Any], more: list[Any]
) -> None:
    assert of([*said, *more], right)[1] >= of(said, right)[1]
    assert of(said, [*right, *more])[0] >= of(said, right)[0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "line 2: not JSON: "),
        ('{"spo_list": []}', "line 2: field 'text' is missing"),
        ('{"text": "t"}', "line 2: field 'spo_list' is missing"),
        ('{"text": "t", "spo_list": [5]}', "line 2: spo_list, item 0: a number, not an object with field 'object'"),
        (
            lines(("t", [A, {**A, "subject": None}])).decode(),
            "line 2: spo_list, item 1: field 'subject' is null, not text",
        ),
        (
            lines(("t", [{**A, "object": "林远"}])).decode(),
            "line 2: spo_list, item 0: field 'object' is text, not an object",
        ),
        (
            lines(("t", [spo("a", "b", {"@value": 5})])).decode(),
            "line 2: spo_list, item 0: field '@value' is a number, not text",
        ),
    ],
)
def test_a_bad_line_is_named(row: str, message: str) -> None:
    with pytest.raises(BadRecord, match=f"^{re.escape(message)}"):
        read_predictions(lines(("a", [A])) + b"\n" + row.encode())
