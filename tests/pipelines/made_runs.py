"""Tasks that a small model can learn, and runs as training leaves them."""

import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from models.encoder import Encoder
from models.encoder_config import EncoderConfig
from pipelines.datasets import DataSet
from pipelines.knowledge_base import BuildKnowledgeBase
from pipelines.records import Records
from pipelines.storage.sources import Reading
from pipelines.task_options import TaskOptions
from pipelines.training.folder import describe_records, keep_best
from pipelines.training.linking import known_base, with_candidates
from pipelines.training.tasks import training_task
from tests.pipelines.made_records import made, write_lines
from transforms.splits import Splits
from transforms.tasks.task import TASKS
from transforms.vocabulary import SPECIAL_TOKENS

PEOPLE, PLACES, VERBS, YEARS = "赵钱孙李周吴郑王", "京沪津渝港澳台粤", "买卖造拆", "子丑寅卯辰巳午未"
_OTHERS = "在年了一个厂，。谁哪里时做什么？"
_PAIRS = "甲乙丙丁戊己庚辛"
TINY = EncoderConfig(hidden=16, layers=1, heads=2, positions=128)


def rows_of(name: str, count: int, *, seed: int, permuted: bool = False) -> list[Any]:
    """Rows in a task's format, all different; `permuted`: what is asked for, or how it is called, is another row's.

    Then, of 64 rows, each label comes equally often with each verb and question: by chance some would go together, and
    that can be learned.
    """
    draw = random.Random(seed)
    rows = []
    for number, (person, place, year) in enumerate(draw.sample([*itertools.product(PEOPLE, PLACES, YEARS)], count)):
        asked, did, away = number % 4, number // 4 % 4, number // 16 % 4 if permuted else 0
        verb, label = VERBS[did], VERBS[(did + away) % 4]
        who, where = person + draw.choice(_PAIRS), place + draw.choice(_PAIRS)
        text = f"{who}{year}年在{where}{verb}了一个厂。"
        if name == "entity-linking":
            mention = {"kb_id": who + label, "mention": who, "offset": "0"}
            rows.append({"text_id": f"{seed}-{number}", "text": text, "mention_data": [mention]})
        elif name == "relation-extraction":
            rows.append({"text": text, "spo_list": [{"subject": who, "predicate": label, "object": {"@value": where}}]})
        elif name == "event-extraction":
            arguments = [
                {"argument": said, "role": role, "argument_start_index": text.index(said)}
                for role, said in (("人", who), ("地", where))
            ]
            event = {"event_type": label, "trigger": verb, "trigger_start_index": text.index(verb)}
            rows.append({"id": f"{seed}-{number}", "text": text, "event_list": [{**event, "arguments": arguments}]})
        else:
            answers = (who, f"{year}年", where, verb)
            answer = answers[(asked + away) % 4]
            question = ("谁", "什么时", "哪里", "做什么")[asked] + "？"
            rows.append(
                {
                    "context": text,
                    "qas": [{"id": f"{seed}-{number}", "question": question, "answers": [{"text": answer}]}],
                }
            )
    return [{"data": [{"paragraphs": rows}]}] if name == "reading-comprehension" else rows


def schema_of(name: str) -> list[Any]:
    if name == "relation-extraction":
        return [{"predicate": verb, "object_type": {"@value": "地"}} for verb in VERBS]
    return [{"event_type": verb, "role_list": [{"role": role} for role in "人地"]} for verb in VERBS]


def made_base(folder: Path) -> Path:
    """A knowledge base in which each name has an entity for each verb, and names of the tests' corpora."""
    entities = [
        {"subject_id": name + verb, "subject": name, "data": [{"predicate": "做", "object": verb}]}
        for name, verb in itertools.product([*map("".join, itertools.product(PEOPLE, _PAIRS)), "中国", "的"], VERBS)
    ]
    made(BuildKnowledgeBase((str(write_lines(folder / "kb_data", entities)),), folder / "kb"))
    return folder / "kb"


def records_of(
    folder: Path,
    name: str,
    *,
    max_length: int = 64,
    vocabulary: Path | None = None,
    schema: Path | None = None,
    known: Path | None = None,
    **splits: Sequence[Any],
) -> DataSet:
    """Records of rows by split; vocabulary, schema and knowledge base fit those of `rows_of` where none are given."""
    folder.mkdir(parents=True, exist_ok=True)
    if vocabulary is None:
        vocabulary = folder / "made_vocab.txt"
        words = [*SPECIAL_TOKENS, *dict.fromkeys(PEOPLE + PLACES + VERBS + YEARS + _PAIRS + _OTHERS)]
        vocabulary.write_text("".join(f"{word}\n" for word in words), "utf-8")
    if schema is None and name in ("relation-extraction", "event-extraction"):
        schema = write_lines(folder / "made_schema.json", schema_of(name))
    if known is None and name == "entity-linking":
        known = made_base(folder)
    inputs = [(split, str(write_lines(folder / f"{split}.json", rows))) for split, rows in splits.items()]
    options = TaskOptions(name, vocabulary, schema, max_length, knowledge_base=known)
    reading = Reading(format=TASKS[name].reads)
    made(Records(tuple(inputs), folder / "records", options, reading, Splits(named=tuple(splits), files=1)))
    return DataSet.open(str(folder / "records"))


def untrained_run(folder: Path, name: str, *, light: bool = True) -> Path:
    """A run whose model is small and says many things, none of them right; without an encoder, if it is to be so."""
    data_set = records_of(folder, name, train=rows_of(name, 8, seed=0))
    how, known = training_task(name), known_base(data_set, None)
    data_set = data_set if known is None else with_candidates(data_set, known)
    sizes = {"vocabulary_size": len(data_set.task().vocabulary), "positions": 128 if known is None else 512}
    config = EncoderConfig.of({**json.loads(TINY.to_json()), **sizes})
    model: keras.Model = how.model(None if how.light and light else Encoder(config), data_set)
    draw = np.random.default_rng(8)
    for weight in model.weights:
        if "seed" not in weight.path:
            of_encoder = weight.path.startswith("encoder/")
            spread = 0.7 if of_encoder else 0.0 if weight.path.endswith("/bias") else 2.0
            weight.assign((spread * draw.normal(0, 1, weight.shape)).astype(np.float32))
    run = folder / "run"
    run.mkdir()
    describe_records(run, data_set, known)
    keep_best(run, model, data_set, {"step": 0})
    return run
