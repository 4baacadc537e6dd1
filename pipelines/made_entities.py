"""Entities made of mentions, as lines of CCKS2019's `kb_data`: they stand in for those that a knowledge base lacks."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import InputError
from pipelines.scores import read_with
from pipelines.storage.commit import write_bytes
from pipelines.storage.knowledge_base import open_knowledge_base
from transforms.tasks.json_input import write_lines
from transforms.tasks.scores.entity_linking import is_nil, read_gold

MADE = "made of mentions"


def write_made_entities(files: Sequence[Path], out: Path, *, knowledge_base: Path | None = None) -> tuple[int, int]:
    """Writes an entity for each id of the files' mentions, but for those that a knowledge base has; returns how many
    entities, and how many names.

    Their type says that they are made, nothing is known of them but what they are called, and nearly every name has one
    entity: linking against them proves nothing. Raises InputError that names file and line.
    """
    names: dict[str, dict[str, None]] = {}
    for file in files:
        for links in read_with(read_gold, file).values():
            for mention, _, entity in links:
                if not is_nil(entity):
                    names.setdefault(entity, {})[mention] = None
    if knowledge_base is not None:
        known = open_knowledge_base(knowledge_base)
        names = {entity: called for entity, called in names.items() if known.entity(entity) < 0}
    rows = [
        {"alias": aliases, "subject_id": entity, "subject": subject, "type": [MADE], "data": []}
        for entity, (subject, *aliases) in names.items()
    ]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(out, write_lines(rows))
    except OSError as error:
        raise InputError(f"{out}: {error.strerror or error}") from error
    return len(rows), sum(map(len, names.values()))
