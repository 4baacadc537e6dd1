"""How a knowledge base is made: entities from lines of CCKS2019's `kb_data`, arrays of their names and of the rest."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.double_array import DoubleArray
from transforms.knowledge_base import ENTITIES, NIL, KnowledgeBase, is_nil, lowered, name_of
from transforms.tasks.json_input import field, gold_field, id_field, json_object, text_field
from transforms.tasks.record import BadRecord

SHORT = 10  # the most characters of an object that is looked for in texts
_GATHERED = 1 << 12


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


def name_arrays(names: Sequence[str], entities: npt.NDArray[np.integer[Any]]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of `NAMES`: a trie over names, and whom each may stand for.

    `names`: one for each name of each entity, in any order; `entities`: whose it is. No name is given twice for one.
    """
    known = sorted(set(names))
    trie = DoubleArray.build(known)
    ending = np.full(len(trie.nodes), -1, np.int32)
    ending[trie.find(known)] = np.arange(len(known), dtype=np.int32)
    numbers = ending[trie.find(names)]
    order = np.lexsort((entities, numbers))
    return {
        "codes": trie.codes.astype(np.uint32),
        "nodes": trie.nodes,
        "names": ending,
        "candidates": np.asarray(entities, np.int32)[order],
        "candidate_ends": _ends(np.bincount(numbers, minlength=len(known))),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Texts of an array in which they stand one after another, in an order of their own.

    `data`: uint8, text i at `data[ends[i]:ends[i + 1]]`; `order`: which texts, as they are to be written.
    """

    data: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]

    @property
    def ordered_ends(self) -> npt.NDArray[np.int64]:
        """Where the texts end when they are in order, behind a 0."""
        return _ends((self.ends[1:] - self.ends[:-1])[self.order])

    def pieces(self) -> Iterator[npt.NDArray[np.uint8]]:
        """The texts in order, some at a time, and a NUL at last, as no empty array can be mapped."""
        for begin in range(0, len(self.order), _GATHERED):
            some = self.order[begin : begin + _GATHERED]
            sizes = self.ends[some + 1] - self.ends[some]
            places = np.repeat(self.ends[some + 1] - np.cumsum(sizes), sizes) + np.arange(sizes.sum())
            yield self.data[places]
        yield np.zeros(1, np.uint8)


def made_of(entities: Iterable[Entity]) -> KnowledgeBase:
    """A small knowledge base in memory; raises ValueError for an id that stands twice.

    >>> made = made_of([Entity("8", ("晨星", "列车"), "", ()), Entity("7", ("晨星",), "", ())])
    >>> [made.id(entity) for entity in made.of_name(made.find(["晨星"])[0])]
    ['7', '8']
    """
    known = sorted(entities, key=lambda entity: entity.id.encode())
    if len({entity.id for entity in known}) < len(known):
        raise ValueError("an id stands twice")
    numbers = np.repeat(np.arange(len(known)), [len(entity.names) for entity in known])
    arrays = name_arrays([name for entity in known for name in entity.names], numbers)
    texts = (
        [entity.id for entity in known],
        [entity.description for entity in known],
        ["\n".join(entity.objects) for entity in known],
    )
    for place, of_entities in enumerate(texts):
        encoded = [text.encode() for text in of_entities]
        arrays[ENTITIES[2 * place]] = np.frombuffer(b"".join([*encoded, b"\0"]), np.uint8)
        arrays[ENTITIES[2 * place + 1]] = _ends(np.array(list(map(len, encoded))))
    return KnowledgeBase.of(arrays)


def _ends(sizes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
