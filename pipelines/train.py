"""Train a task from its records: shuffled batches, Keras' own optimizer and loss, best weights, exact resumption."""

import contextlib
import itertools
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import keras

from models.encoder import config_of
from pipelines.batching import Arrays, Batches, Batching, lengths_of
from pipelines.console import tell
from pipelines.datasets import DataSet
from pipelines.environment import environment
from pipelines.errors import EngineError, InputError
from pipelines.storage.commit import lock, plain_errors
from pipelines.storage.knowledge_base import NAME
from pipelines.storage.manifest import check_configuration, retract
from pipelines.training.average import Average
from pipelines.training.folder import (
    BEST,
    CONFIG,
    clear,
    commit,
    damaged,
    describe_records,
    fingerprint,
    finished,
    keep_best,
    read_best,
)
from pipelines.training.linking import known_base, with_candidates
from pipelines.training.log import Log
from pipelines.training.matmul_rate import matmul_rate
from pipelines.training.memory import is_out_of_memory, out_of_memory, room_for_weights
from pipelines.training.model import build_model
from pipelines.training.optimizer import compile_model, make_deterministic, schedule_of, train_step
from pipelines.training.options import TrainOptions
from pipelines.training.progress import watch
from pipelines.training.speed import speed_of
from pipelines.training.state import STATE, load_state, save_state
from pipelines.training.tasks import TrainingTask, training_task
from transforms.splits import TRAIN

__all__ = ["BEST", "TrainOptions", "train"]
DEV = "dev"


@dataclass(slots=True)
class _Progress:
    """How far a run is; what `state.npz` keeps."""

    step: int = 0
    scored: int = 0  # the last step whose weights were scored
    best: dict[str, Any] = field(default_factory=dict)  # step and metric of the best weights
    position: dict[str, Any] | None = None
    seconds: float = 0.0


def train(options: TrainOptions, *, task: str, fresh: bool = False) -> dict[str, Any]:
    """Trains to the end, going on where an earlier run of the same options stopped; returns what `run.json` tells.

    What is missing or damaged of a finished run is restored. Nothing is written before it is known that records,
    checkpoint and encoder fit. Raises UsageError and InputError for what does not, cannot be written or be restored,
    EngineError for a loss that is no number and for too little memory.
    """
    data_set = DataSet.open(options.records)
    if data_set.task_name != task:
        raise InputError(f"{options.records}: holds records for {data_set.task_name}, not for {task}")
    how = training_task(task)
    known = known_base(data_set, options.knowledge_base)
    configuration = options.configuration(task=task, records=fingerprint(data_set))
    if known is not None:
        configuration[NAME] = known.sha256
    told = None if fresh else finished(options.out, configuration)
    wrong = damaged(options.out) if told is not None else []
    if told is not None and not wrong:
        tell(f"{options.out}: up to date, nothing to do")
        return dict(told)
    if known is not None:
        data_set = with_candidates(data_set, known)
    keras.utils.set_random_seed(options.seed)
    if options.deterministic:
        make_deterministic()
    keras.config.set_dtype_policy(options.precision)
    with room_for_weights():
        model = build_model(options, how, data_set)
    with plain_errors(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
        with lock(options.out):
            if fresh:
                clear(options.out)
            check_configuration(options.out, configuration, name=CONFIG)
            if told is None:
                retract(options.out)
            if told is None or any(not name.startswith(f"{BEST}/") for name in wrong):
                describe_records(options.out, data_set, known)
            with room_for_weights():
                run = _Run(options, data_set, how, model)
            if told is None:
                return run.train()
            run.restore(wrong)
            return dict(told)


class _Run:
    """A run in its folder."""

    def __init__(self, options: TrainOptions, data_set: DataSet, how: TrainingTask, model: keras.Model) -> None:
        self.options, self.data_set, self.how, self.model = options, data_set, how, model
        task: Any = data_set.task()
        self.batching = Batching(
            task.targets, task.shapes, options.batch_size, lengths_of(task.max_length), options.seed
        )
        of_epoch = math.ceil(data_set.manifest["splits"][TRAIN] / options.batch_size)
        least = options.least_steps * options.accumulate
        self.batches = options.steps * options.accumulate or max(math.ceil(options.epochs * of_epoch), least)
        self.steps = math.ceil(self.batches / options.accumulate)
        # A pass; of so few records that there are many passes, not each of them.
        self.steps_between_scores = max(1, of_epoch // options.accumulate, options.least_steps // 10)
        compile_model(model, how, options, steps=self.steps)
        self.schedule = schedule_of(options, steps=self.steps)
        self.average = Average(model, decay=options.ema) if options.ema else None
        self.parameters, self.config = model.count_params(), config_of(model)
        self.progress = _Progress(**(load_state(options.out, model, self.average) or {}))
        self.whole = True  # whether weights, optimizer and progress are of the same step

    def restore(self, wrong: Sequence[str]) -> None:
        """Makes the files of a finished run what they were; raises InputError where nothing tells that."""
        out = self.options.out
        if of_best := [name for name in wrong if name.startswith(f"{BEST}/")]:
            self._keep_best_again(of_best[0])
        if left := damaged(out):
            raise InputError(f"{out / left[0]}: missing or damaged, and cannot be restored: train anew with --fresh")
        tell(f"{out}: {', '.join(wrong)} was missing or damaged, and is restored")

    def _keep_best_again(self, lost: str) -> None:
        """Takes the best weights from the state; raises InputError if that is not of their step."""
        out, progress = self.options.out, self.progress
        if not progress.step or progress.best.get("step") != progress.step:
            raise InputError(
                f"{out / lost}: missing or damaged, and {STATE} has not the weights of the best step: train anew with "
                "--fresh"
            )
        with self._averaged():
            keep_best(out, self.model, self.data_set, progress.best)

    def _averaged(self) -> contextlib.AbstractContextManager[None]:
        return self.average.in_place() if self.average else contextlib.nullcontext()

    def train(self) -> dict[str, Any]:
        """To the end; whatever ends it sooner leaves the state of the last whole step."""
        options, progress = self.options, self.progress
        if best := read_best(options.out):
            progress.best = best
        elif progress.scored:
            self._keep_best_again(BEST)
        begun = datetime.now(UTC)
        if progress.step:
            tell(f"goes on behind step {progress.step:,} of {self.steps:,}")
        else:
            of = f"{options.batch_size} records" + (f" × {options.accumulate}" if options.accumulate > 1 else "")
            tell(f"{self.parameters:,} parameters, {self.steps:,} steps of {of}")
        precision = "float32" if options.precision == "float32" else "bfloat16"
        self.rate = matmul_rate(precision) if self.config is not None else 0.0
        self.log = Log(options.out, step=progress.step, scored=progress.scored)
        self.watch = watch(self.steps, done=progress.step)
        try:
            with Batches(self.data_set, TRAIN, self.batching, position=progress.position) as batches:
                self._follow(batches)
        finally:
            self.watch.close()
            if self.whole:
                self._save()
            self.log.close()
        return self._finish(begun)

    def _follow(self, batches: Batches) -> None:
        progress, saved = self.progress, time.monotonic()
        while True:
            due = progress.step == self.steps or progress.step % self.steps_between_scores == 0
            if due and progress.scored < progress.step:
                self._score()
            if time.monotonic() - saved > 60 * self.options.checkpoint_minutes:
                self._save()
                saved = time.monotonic()
            if progress.step == self.steps:
                return
            self._step(batches)

    def _step(self, batches: Batches) -> None:
        progress, options = self.progress, self.options
        begun = time.perf_counter()
        left = self.batches - progress.step * options.accumulate
        group: list[Arrays] = list(itertools.islice(batches, min(options.accumulate, left)))
        with _uninterrupted():
            self.whole, loss = False, None
            try:
                loss = train_step(self.model, self.how, group, accumulate=options.accumulate)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            if loss is None:  # told out here, where what the error's frames held is free again
                raise out_of_memory(progress.step + 1, options, self.config, group[0], parameters=self.parameters)
            progress.step += 1
            if not math.isfinite(loss):
                raise EngineError(
                    f"step {progress.step}: the loss is {loss}: lower --learning-rate, or use --precision float32"
                )
            if self.average:
                self.average.update(progress.step)
            progress.position = batches.position
            seconds = time.perf_counter() - begun
            progress.seconds += seconds
            rate = float(self.schedule((progress.step - 1) * options.accumulate))
            speed = speed_of(group, self.config, seconds=seconds, rate=self.rate)
            row = {"step": progress.step, "split": TRAIN, "loss": loss, "learning_rate": rate, **speed}
            self.log.write(row)
            self.whole = True
        if self.watch.step(row):
            self.log.flush()

    def _score(self) -> None:
        """Scores split `dev`, and keeps the weights if none were better before; without such a split, the last ones."""
        progress, metric = self.progress, self.how.metric
        row: dict[str, Any] = {"step": progress.step, "split": DEV}
        with self._averaged():
            if self.data_set.manifest["splits"].get(DEV, 0):
                begun = time.perf_counter()
                predict = self.model.predict_on_batch
                row |= self.how.evaluate(predict, self.data_set, DEV, batching=self.batching)
                row["seconds"] = round(time.perf_counter() - begun, 3)
            if row.get(metric, math.inf) > progress.best.get(metric, -math.inf) or not progress.best:
                progress.best = {name: row[name] for name in ("step", metric) if name in row}
                keep_best(self.options.out, self.model, self.data_set, progress.best)
        progress.scored = progress.step
        if metric in row:
            self.log.write(row)
            self.log.flush()
            self.watch.score(row)

    def _save(self) -> None:
        self.log.sync()
        save_state(self.options.out, self.model, asdict(self.progress), self.average)

    def _finish(self, begun: datetime) -> dict[str, Any]:
        progress, options = self.progress, self.options
        told = {
            "task": self.data_set.task_name,
            "inputs": {"records": options.records, "fingerprint": fingerprint(self.data_set)},
            "encoder": self.config and asdict(self.config),
            "parameters": self.parameters,
            "backend": keras.backend.backend(),
            "matmul_gflops": round(self.rate / 1e9, 1) or None,
            "steps": progress.step,
            "started": begun.isoformat(timespec="milliseconds"),
            "finished": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "seconds": round(progress.seconds, 3),
            "best": progress.best,
            "environment": environment(),
            "command": sys.argv,
        }
        commit(options.out, told)
        return told


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the end of the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    waiting = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, _: caught.append(number)) for number in waiting}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        raise KeyboardInterrupt
