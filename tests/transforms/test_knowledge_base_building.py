"""Entities of lines, bad lines, and arrays: texts in another order, names of several entities."""

import json
from typing import Any

import numpy as np
import pytest

from transforms.knowledge_base_building import Entity, made_of, name_arrays, read_entity
from transforms.tasks.record import BadRecord


def line(**fields: Any) -> str:
    return json.dumps({"subject_id": "7", "subject": "晨星", **fields}, ensure_ascii=False)


def fact(predicate: Any, value: Any) -> dict[str, Any]:
    return {"predicate": predicate, "object": value}


def test_an_entity() -> None:
    facts = [fact("摘要", "Mercury 是列车。"), fact("义项描述", "列车"), fact("外文名", "MERCURY"), fact("代号", "")]
    entity = read_entity(line(alias=["《晨星》", "Mercury", "晨星", " "], data=facts, type=["Thing"]))
    assert entity.id == "7"
    assert entity.names == ("晨星", "mercury")
    assert entity.description == (
        "名称：晨星、《晨星》、mercury\n摘要：mercury 是列车。\n义项描述：列车\n外文名：mercury\n代号："
    )
    assert entity.objects == ("mercury", "列车")


@pytest.mark.parametrize(("size", "kept"), [(10, 1), (11, 0)])
def test_objects_that_are_looked_for_are_short(size: int, kept: int) -> None:
    assert len(read_entity(line(data=[fact("名", "乙" * size), fact("名", "甲\n乙")])).objects) == kept


def test_what_may_be_missing() -> None:
    assert read_entity('{"subject_id": 7, "subject": "A"}') == Entity("7", ("a",), "名称：a", ())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"subject_id": ""}, "field 'subject_id' is '': an entity has an id, and NIL stands for none"),
        ({"subject_id": "NIL"}, "field 'subject_id' is 'NIL'"),
        ({"subject": " "}, "field 'subject' is empty"),
        ({"subject": None}, "field 'subject' is null, not text"),
        ({"alias": [3]}, "field 'alias' holds more than texts"),
        ({"alias": "晨星"}, "field 'alias' is text, not a list"),
        ({"data": [fact("名", None)]}, "data, item 0: field 'object' is null, not text"),
        ({"data": [fact("名", "甲"), "乙"]}, "data, item 1: text, not an object with field 'predicate'"),
        ({"data": [fact("名", "\ud800")]}, "character 8 of the description is half of a surrogate pair, no text"),
        ({"alias": ["\0"]}, "a name or a fact holds a NUL, no text"),
    ],
)
def test_bad_lines_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRecord) as told:
        read_entity(json.dumps({"subject_id": "7", "subject": "晨星", **fields}))
    assert str(told.value).startswith(message)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"subject_id": "7"'])
def test_what_is_no_object(text: str) -> None:
    with pytest.raises(BadRecord, match="not "):
        read_entity(text)


def test_a_name_of_several_entities() -> None:
    arrays = name_arrays(["丙", "乙", "甲"], np.array([1, 2, 1, 0]), np.array([1, 0, 0, 3]))
    whom = np.split(arrays["candidates"], arrays["candidate_ends"][1:-1])
    assert [part.tolist() for part in whom] == [[3], [0, 1], [0]]  # by code point: 丙, 乙, 甲


def test_ids_stand_once() -> None:
    with pytest.raises(ValueError, match="an id stands twice"):
        made_of([Entity("7", ("甲",), "", ()), Entity("7", ("乙",), "", ())])
