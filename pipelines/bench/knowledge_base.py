"""What a knowledge base costs: building it from made entities in the real format, and finding candidates in texts."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipelines.bench.counting import interleave
from pipelines.storage.knowledge_base import open_knowledge_base
from pipelines.storage.manifest import RUN, read_json, read_manifest
from transforms.tasks.entity_linking_candidates import Candidates

_HAN = (0x4E00, 0x5E00)  # 4,096 characters
_FIRST_ID = 10_001
_FACTS = ("摘要", "外文名", "中文名", "性别", "职业", "代表作品", "所属地区", "义项描述")
_BLOCK = 4096
_TEXTS, _TEXTS_AT_ONCE, _CHARACTERS = 4096, 64, 22  # the mean length of CCKS2019's texts


def bench_knowledge_base(*, entities: int, workers: int, rounds: int) -> None:
    """Prints time, memory and size of a build, and milliseconds a text for matches and candidates of its names."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "kb_data", Path(folder) / "kb"
        write_entities(source, entities=entities)
        command = [sys.executable, "-m", "pipelines.cli", "kb", "build", str(source), "--out", str(out)]
        seconds, largest, together = watched([*command, "--workers", str(workers)])
        manifest, run = read_manifest(out), read_json(out / RUN)
        made, totals = sum(part["bytes"] for part in manifest["parts"]), manifest["totals"]
        print(f"{totals['documents']:,} entities, {totals['names']:,} names, {source.stat().st_size / 1e6:,.0f} MB")
        memory = f"all processes together {together / 1024:,.0f} MiB, the largest {largest / 1024:,.0f} MiB"
        print(f"  build, {workers} workers: {seconds:.1f} s; {memory}")
        print(f"  files: {made / 1e6:,.0f} MB")
        print("  " + ", ".join(f"{stage} {taken:.1f} s" for stage, taken in run["stages"].items()))
        _bench_candidates(out, entities=entities, rounds=rounds)


def watched(command: Sequence[str]) -> tuple[float, int, int]:
    """Seconds of a command, and kilobytes that its largest process and all of them together ever held in memory.

    Of a page that several processes hold each has its share (PSS), and the sum counts it once. Workers are children of
    a server that outlives them: they are found by their session while they run.
    """
    begun = time.perf_counter()
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) as running:
        largest = together = 0
        while running.poll() is None:
            held = [_share(place) for place in Path("/proc").glob("[0-9]*") if _session(place) == running.pid]
            largest, together = max(largest, *held, 0), max(together, sum(held))
            time.sleep(0.05)
    if running.returncode:
        raise RuntimeError(f"{' '.join(command)}: ended with exit code {running.returncode}")
    return time.perf_counter() - begun, largest, together


def _session(place: Path) -> int:
    try:
        return os.getsid(int(place.name))
    except ProcessLookupError:
        return -1


def _share(place: Path) -> int:
    with contextlib.suppress(OSError):
        for line in (place / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _bench_candidates(directory: Path, *, entities: int, rounds: int) -> None:
    candidates = Candidates(open_knowledge_base(directory))
    texts = made_texts(entities=entities, count=_TEXTS)

    def seconds(at_once: int) -> float:
        begun = time.process_time()
        for begin in range(0, len(texts), at_once):
            _count(candidates, texts[begin : begin + at_once])
        return time.process_time() - begun

    found = _count(candidates, texts) / len(texts)
    print(f"  candidates of texts of {_CHARACTERS} characters, {found:.1f} each, CPU time:")
    contenders: dict[str, Callable[[], object]] = {
        "one at a time": lambda: seconds(1),
        f"{_TEXTS_AT_ONCE} at once": lambda: seconds(_TEXTS_AT_ONCE),
    }
    for timing in interleave(contenders, rounds=rounds):
        print(f"  {timing.name:<16} {1e3 * timing.median / len(texts):8.3f} ms a text")


def _count(candidates: Candidates, texts: Sequence[str]) -> int:
    """How many entities the names in texts may stand for."""
    found = candidates.matches(texts)
    spans = zip(found.rows.tolist(), found.begins.tolist(), found.ends.tolist(), strict=True)
    return sum(len(candidates.of(texts[row][begin:end])) for row, begin, end in spans)


def write_entities(path: Path, *, entities: int, seed: int = 0) -> None:
    """Writes entities as `kb_data` has them: 0.9 kB each, names of 2 to 5 characters, some of many entities."""
    with path.open("w", encoding="utf-8") as file:
        for begin in range(0, entities, _BLOCK):
            random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, begin])))
            count = min(_BLOCK, entities - begin)
            numbers = begin + np.arange(count)
            # Every third name is one of few, so that names have several entities.
            shared = random.random((2, count)) < 0.3
            few = max(1, entities // 20)
            own = numbers + entities * np.array([[0], [1]])
            subject, alias = np.where(shared, random.integers(0, few, (2, count)), own)
            words = random.integers(*_HAN, (count, 240)).astype("<u4")
            lines = []
            for place in range(count):
                said = words[place].tobytes().decode("utf-32-le")
                cuts = [said[at : at + 12 if number else at + 150] for number, at in enumerate(range(0, 88, 11))]
                row = {
                    "alias": [_name(int(subject[place])), _name(int(alias[place]))],
                    "subject_id": str(_FIRST_ID + begin + place),
                    "subject": _name(int(subject[place])),
                    "type": ["Thing"],
                    "data": [{"predicate": name, "object": cut} for name, cut in zip(_FACTS, cuts, strict=True)],
                }
                lines.append(json.dumps(row, ensure_ascii=False))
            file.write("\n".join(lines) + "\n")


def made_texts(*, entities: int, count: int, seed: int = 0) -> list[str]:
    """Texts in which every other run of characters is a name of `write_entities`."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 1 << 32])))
    texts = []
    for _ in range(count):
        text = ""
        while len(text) < _CHARACTERS:
            text += _name(int(random.integers(0, entities))) + chr(int(random.integers(*_HAN)))
        texts.append(text[:_CHARACTERS])
    return texts


def _name(number: int) -> str:
    """A name of 2 to 5 characters, for each number another."""
    mixed = number * 0x9E3779B97F4A7C15 % (1 << 64)
    places = range(2 + (mixed >> 60) % 4)
    return "".join(chr(_HAN[0] + (mixed >> 12 * place) % (_HAN[1] - _HAN[0])) for place in places)
