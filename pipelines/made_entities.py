"""Entities made of mentions, which stand in for those that a knowledge base lacks."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines.errors import InputError
from pipelines.scores import read_with
from pipelines.storage.commit import write_bytes
from pipelines.storage.knowledge_base import open_knowledge_base
from transforms.knowledge_base import KnowledgeBase, is_nil
from transforms.knowledge_base_building import Entity, made_of
from transforms.tasks.entity_linking_candidates import gold_links
from transforms.tasks.json_input import write_lines
from transforms.tasks.record import Record
from transforms.tasks.scores.entity_linking import read_gold

MADE = "made of mentions"


def made_knowledge_base(records: Iterable[Record]) -> KnowledgeBase:
    """A knowledge base of nothing but the mentions of records, each with its id: trivial to link against.

    It tells what decoding can do where each name and entity is known, and nothing of a model.
    """
    called = _called(link for record in records for link in gold_links(record))
    return made_of(Entity(one, names, one, ()) for one, names in called.items())


def write_made_entities(files: Sequence[Path], out: Path, *, knowledge_base: Path | None = None) -> tuple[int, int]:
    """Writes lines of CCKS2019's `kb_data`; returns how many entities, and how many names.

    There is one for each id of the files' mentions, but for those that a knowledge base has.

    Their type says that they are made, nothing is known of them but what they are called, and nearly every name has one
    entity: linking against them proves nothing. Raises InputError that names file and line.
    """
    rows = (links for file in files for links in read_with(read_gold, file).values())
    called = _called((mention, entity) for links in rows for mention, _, entity in links if not is_nil(entity))
    if knowledge_base is not None:
        known = open_knowledge_base(knowledge_base)
        called = {entity: names for entity, names in called.items() if known.entity(entity) < 0}
    lines = [
        {"alias": aliases, "subject_id": entity, "subject": subject, "type": [MADE], "data": []}
        for entity, (subject, *aliases) in called.items()
    ]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(out, write_lines(lines))
    except OSError as error:
        raise InputError(f"{out}: {error.strerror or error}") from error
    return len(lines), sum(map(len, called.values()))


def _called(links: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """All names of each id, of pairs of both."""
    names: dict[str, dict[str, None]] = {}
    for name, identifier in links:
        names.setdefault(identifier, {})[name] = None
    return {identifier: tuple(called) for identifier, called in names.items()}
