"""How a knowledge base is made: entities from lines of CCKS2019's `kb_data`, arrays of their names and of the rest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.double_array import DoubleArray
from transforms.knowledge_base import ENTITIES, NIL, KnowledgeBase, is_nil, lowered, name_of
from transforms.tasks.json_input import field, gold_field, id_field, json_object, text_field
from transforms.tasks.record import BadRecord

SHORT = 10  # the most characters of an object that is looked for in texts


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity as a knowledge base holds it: `names` as they are looked up, distinct; `objects` longest first."""

    id: str
    names: tuple[str, ...]
    description: str
    objects: tuple[str, ...]


def read_entity(text: str) -> Entity:
    """The entity of a line of `kb_data`; raises BadRecord.

    Its description has a line for its names, first as what is read of it may be cut off, and one for each fact, lowered
    (kexue.fm 6919). What is short among the objects is lowered too, as the texts are in which it is looked for.

    >>> facts = '[{"predicate": "义项描述", "object": "列车"}]'
    >>> entity = read_entity('{"subject_id": "7", "subject": "晨星", "alias": ["Mercury"], "data": %s}' % facts)
    >>> entity.names, entity.objects
    (('晨星', 'mercury'), ('列车',))
    >>> entity.description
    '名称：晨星、mercury\\n义项描述：列车'
    """
    row = json_object(text)
    identifier = id_field(row, "subject_id")
    if not identifier or is_nil(identifier):
        raise BadRecord(f"field 'subject_id' is {identifier!r}: an entity has an id, and {NIL} stands for none")
    said = [text_field(row, "subject"), *(gold_field(row, "alias") or ())]
    if not all(isinstance(name, str) for name in said):
        raise BadRecord("field 'alias' holds more than texts")
    facts = [_fact(item, f"data, item {number}: ") for number, item in enumerate(gold_field(row, "data") or ())]
    called = list(dict.fromkeys(filter(None, (lowered(name.strip()) for name in said))))
    lines = [f"{predicate}：{value}" for predicate, value in facts]
    description = lowered("\n".join([f"名称：{'、'.join(called)}", *lines]))
    short = dict.fromkeys(lowered(value) for _, value in facts if 0 < len(value) <= SHORT and "\n" not in value)
    try:
        if b"\0" in "".join([description, identifier]).encode():
            raise BadRecord("a name or a fact holds a NUL, no text")
    except UnicodeEncodeError as error:
        raise BadRecord(f"character {error.start} of the description is half of a surrogate pair, no text") from None
    names = tuple(dict.fromkeys(filter(None, map(name_of, called))))
    return Entity(identifier, names, description, tuple(sorted(short, key=lambda value: (-len(value), value))))


def _fact(item: Any, of: str) -> tuple[str, str]:
    return field(item, "predicate", str, of=of), field(item, "object", str, of=of).strip()


def name_arrays(
    known: Sequence[str], numbers: npt.NDArray[np.integer[Any]], entities: npt.NDArray[np.integer[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """The arrays of `NAMES`: a trie over names, and whom each may stand for.

    `known`: all names, each once, in the order of their characters. `numbers`: for each name of each entity, in any
    order, which of them it is; `entities`: whose it is. No name is given twice for one.
    """
    trie = DoubleArray.build(known)
    ending = np.full(len(trie.nodes), -1, np.int32)
    ending[trie.find(known)] = np.arange(len(known), dtype=np.int32)
    order = np.lexsort((entities, numbers))
    return {
        "codes": trie.codes.astype(np.uint32),
        "nodes": trie.nodes,
        "names": ending,
        "candidates": np.asarray(entities, np.int32)[order],
        "candidate_ends": ends_of(np.bincount(numbers, minlength=len(known))),
    }


def made_of(entities: Iterable[Entity]) -> KnowledgeBase:
    """A small knowledge base in memory; raises ValueError for an id that stands twice.

    >>> made = made_of([Entity("8", ("晨星", "列车"), "", ()), Entity("7", ("晨星",), "", ())])
    >>> [made.id(entity) for entity in made.of_name(made.find(["晨星"])[0])]
    ['7', '8']
    """
    known = sorted(entities, key=lambda entity: entity.id.encode())
    if len({entity.id for entity in known}) < len(known):
        raise ValueError("an id stands twice")
    owners = np.repeat(np.arange(len(known)), [len(entity.names) for entity in known])
    names = [name for entity in known for name in entity.names]
    distinct = sorted(set(names))
    number = {name: place for place, name in enumerate(distinct)}
    arrays = name_arrays(distinct, np.array([number[name] for name in names], np.int64), owners)
    texts = (
        [entity.id for entity in known],
        [entity.description for entity in known],
        ["\n".join(entity.objects) for entity in known],
    )
    for place, of_entities in enumerate(texts):
        encoded = [text.encode() for text in of_entities]
        arrays[ENTITIES[2 * place]] = np.frombuffer(b"".join([*encoded, b"\0"]), np.uint8)
        arrays[ENTITIES[2 * place + 1]] = ends_of(np.array(list(map(len, encoded))))
    return KnowledgeBase.of(arrays)


def ends_of(sizes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
    """Where what has such sizes ends, one behind another, int64, behind a 0."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
