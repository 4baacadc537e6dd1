"""The job that builds knowledge bases: what it writes, bad lines, ids that stand twice, runs that go on."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.bench.knowledge_base import made_texts, write_entities
from pipelines.engines.local import Local
from pipelines.errors import BadRecordsError, InputError
from pipelines.knowledge_base import BuildKnowledgeBase
from pipelines.run import Outcome, run
from pipelines.storage.knowledge_base import knowledge_base_hash, open_knowledge_base
from pipelines.storage.manifest import SHARDS, verify
from tests.pipelines.command import dead_letters, hanmill, manifest
from tests.pipelines.made_records import write_lines
from transforms.knowledge_base import ARRAYS
from transforms.knowledge_base_building import made_of, read_entity
from transforms.tasks.entity_linking_candidates import Candidates

pytestmark = pytest.mark.usefixtures("unsynced")
ENTITIES = [
    {"subject_id": "12", "subject": "北京大学", "alias": ["北大"], "data": [{"predicate": "所在地", "object": "北京"}]},
    {"subject_id": "7", "subject": "北京", "alias": [], "data": []},
    {"subject_id": "8", "subject": "《北京》", "alias": ["BEIJING"], "data": [{"predicate": "类型", "object": "歌曲"}]},
]


def kb_data(folder: Path, *rows: Any, name: str = "kb_data") -> Path:
    return write_lines(folder / name, [*ENTITIES, *rows])


def build(out: Path, *inputs: Path, workers: int = 1, fresh: bool = False, **options: Any) -> Outcome:
    return run(BuildKnowledgeBase(tuple(map(str, inputs)), out, **options), engine=Local(workers), fresh=fresh)


def test_what_was_read_is_there(tmp_path: Path) -> None:
    outcome = build(tmp_path / "kb", kb_data(tmp_path))
    totals = outcome.manifest["totals"]
    assert {name: totals[name] for name in ("documents", "names", "candidates", "dead_letters")} == {
        "documents": 3,
        "names": 4,
        "candidates": 5,
        "dead_letters": 0,
    }
    base = open_knowledge_base(tmp_path / "kb")
    assert [base.id(entity) for entity in range(3)] == ["12", "7", "8"]
    assert [base.id(entity) for entity in Candidates(base).of("北京")] == ["7", "8"]
    assert base.description(base.entity("12")) == "名称：北京大学、北大\n所在地：北京"
    assert [base.objects_of(entity) for entity in range(3)] == [["北京"], [], ["歌曲"]]
    assert verify(tmp_path / "kb") == []


def test_it_is_as_if_made_in_memory(tmp_path: Path) -> None:
    source = tmp_path / "kb_data"
    write_entities(source, entities=300)
    build(tmp_path / "kb", source, workers=2, shard_bytes=40_000)
    made = open_knowledge_base(tmp_path / "kb")
    memory = made_of(map(read_entity, source.read_text("utf-8").splitlines()))
    for entity in range(300):
        assert made.id(entity) == memory.id(entity)
        assert made.description(entity) == memory.description(entity)
        assert made.objects_of(entity) == memory.objects_of(entity)
    texts = made_texts(entities=300, count=40)
    there, here = made.maximum_matches(texts), memory.maximum_matches(texts)
    assert len(here) > 40
    assert there.begins.tolist() == here.begins.tolist()
    assert [made.of_name(one).tolist() for one in there.names] == [memory.of_name(one).tolist() for one in here.names]


def test_shards_and_workers_do_not_change_a_byte(tmp_path: Path) -> None:
    """Nor where a run stopped; so the hash is that of what is in it."""
    source = tmp_path / "kb_data"
    write_entities(source, entities=60)
    build(tmp_path / "whole", source)
    build(tmp_path / "many", source, workers=2, shard_bytes=8_000)
    job = BuildKnowledgeBase((str(source),), tmp_path / "killed", shard_bytes=8_000)
    (tmp_path / "killed" / SHARDS).mkdir(parents=True)
    for shard in job.plan(workers=1).shards[::2]:
        job.map(shard)
    assert run(job, engine=Local(1)).run["shards"]["kept"] > 2
    for name in [*(part["name"] for part in manifest(tmp_path / "whole")["parts"]), "manifest.json"]:
        whole = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "many" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes() == whole
    moved = source.rename(tmp_path / "elsewhere")
    build(tmp_path / "moved", moved)
    assert knowledge_base_hash(tmp_path / "moved") == knowledge_base_hash(tmp_path / "whole")


def test_a_second_run_does_nothing_and_a_changed_input_is_read(tmp_path: Path) -> None:
    source = kb_data(tmp_path)
    build(tmp_path / "kb", source)
    before = knowledge_base_hash(tmp_path / "kb")
    assert build(tmp_path / "kb", source, workers=2).repeated
    kb_data(tmp_path, {"subject_id": "9", "subject": "上海"})
    assert not build(tmp_path / "kb", source).repeated
    assert knowledge_base_hash(tmp_path / "kb") != before
    assert len(open_knowledge_base(tmp_path / "kb")) == 4


def test_bad_lines_and_ids_that_stand_twice(tmp_path: Path) -> None:
    again = {"subject_id": "7", "subject": "南京"}
    source = kb_data(tmp_path, again, {"subject_id": "9"}, "甲", again)
    build(tmp_path / "kb", source, max_bad_records="60%")
    size = [len(line) + 1 for line in source.read_bytes().split(b"\n")]
    first = f"id '7' stands before: {source}, offset {size[0]:,}"
    assert dead_letters(tmp_path / "kb") == [
        {"source": str(source), "offset": sum(size[:3]), "reason": first},
        {"source": str(source), "offset": sum(size[:4]), "reason": "field 'subject' is missing"},
        {"source": str(source), "offset": sum(size[:5]), "reason": "not a JSON object but text"},
        {"source": str(source), "offset": sum(size[:6]), "reason": first},
    ]
    totals = manifest(tmp_path / "kb")["totals"]
    assert (totals["documents"], totals["dead_letters"]) == (3, 4)
    base = open_knowledge_base(tmp_path / "kb")
    assert base.description(base.entity("7")) == "名称：北京"
    with pytest.raises(BadRecordsError, match="4 of 7 records are bad"):
        build(tmp_path / "fresh", source)


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_nothing_is_no_knowledge_base(tmp_path: Path, content: str) -> None:
    """What was there before is left as it was."""
    build(tmp_path / "kb", kb_data(tmp_path))
    (tmp_path / "kb_data").write_text(content)
    for out in (tmp_path / "kb", tmp_path / "new"):
        with pytest.raises(InputError, match="kb_data: no entity in it"):
            build(out, tmp_path / "kb_data")
    assert verify(tmp_path / "kb") == []


def test_what_is_no_knowledge_base_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished knowledge base there: run hanmill kb build"):
        open_knowledge_base(tmp_path)


@pytest.mark.parametrize("name", [*ARRAYS, "gone"])
def test_damage_is_found_in_every_array(tmp_path: Path, name: str) -> None:
    """Arrays that are whole but for their numbers would give other predictions."""
    build(tmp_path / "kb", kb_data(tmp_path))
    path = tmp_path / "kb" / f"{'nodes' if name == 'gone' else name}.npy"
    content = path.read_bytes()
    path.unlink()
    if name != "gone":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=rf"{path}: missing or damaged: .* hanmill kb build --fresh"):
        open_knowledge_base(tmp_path / "kb")
    assert any(path.name in problem for problem in verify(tmp_path / "kb"))
    build(tmp_path / "kb", tmp_path / "kb_data", fresh=True)
    assert open_knowledge_base(tmp_path / "kb").find(["北京"]) >= 0


def test_the_command(tmp_path: Path) -> None:
    source, out = kb_data(tmp_path), tmp_path / "kb"
    ended = hanmill("kb", "build", source, "--out", out, "--workers", 1)
    assert (ended.code, ended.out.splitlines()[0]) == (0, "3 entities, 4 names")
    ended = hanmill("kb", "build", source, "--out", out, "--workers", 1)
    assert ended.out.splitlines() == [f"{out}: up to date, nothing to do", "3 entities, 4 names"]
    assert hanmill("verify", out).code == 0
    assert hanmill("kb", "build", tmp_path / "nowhere", "--out", out).code == 3
    assert hanmill("kb", "build", source, "--out", out, "--encoding", "utf-8").code == 3
    write_lines(source, [{}] * 3 + ENTITIES)
    ended = hanmill("kb", "build", source, "--out", out, "--workers", 1)
    assert (ended.code, "3 of 6 records are bad" in ended.err) == (4, True)
    assert hanmill("kb", "build", source, "--out", out, "--max-bad-records", "x").code == 2


@pytest.mark.slow
def test_four_hundred_thousand_entities(tmp_path: Path) -> None:
    source = tmp_path / "kb_data"
    write_entities(source, entities=400_000)
    outcome = build(tmp_path / "kb", source, workers=2)
    assert outcome.manifest["totals"]["documents"] == 400_000
    base = open_knowledge_base(tmp_path / "kb")
    lines = source.read_text("utf-8").splitlines()
    for line in lines[:: len(lines) // 50]:
        row = json.loads(line)
        entity = base.entity(row["subject_id"])
        assert base.description(entity) == read_entity(line).description
        assert entity in Candidates(base).of(row["subject"])
