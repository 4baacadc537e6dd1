"""Train a task from its records: shuffled batches, Keras' own optimizer and loss, best weights, exact resumption."""

import contextlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

import keras
import numpy as np

from models.checkpoints import CheckpointError, check_vocabulary, load, open_checkpoint, save
from models.cost import training_flops
from models.encoder import Encoder
from models.encoder_config import EncoderConfig
from models.presets import PRESETS
from pipelines.batching import Arrays, Batches, Batching, lengths_of
from pipelines.datasets import VOCABULARY, DataSet
from pipelines.errors import EngineError, InputError, UsageError
from pipelines.progress import tell
from pipelines.storage.commit import lock, sync_folder, write_json
from pipelines.storage.manifest import check_configuration
from pipelines.training_state import STATE, load_state, save_state
from pipelines.training_tasks import TrainingTask, training_task
from transforms.splits import TRAIN

DEV = "dev"
CONFIG, METRICS, BEST, RUN = "config.json", "metrics.jsonl", "best", "run.json"
SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What a run is: its records, its encoder, and how it learns. `epochs` counts where `steps` is 0.

    `encoder`: the name of a preset, for a run without `init`; `changes`: fields of its config that are replaced.
    """

    records: str
    out: Path
    init: Path | None = None
    encoder: str = "roberta-tiny"
    changes: tuple[tuple[str, Any], ...] = ()
    epochs: float = 3.0
    steps: int = 0
    batch_size: int = 32
    learning_rate: float = 5e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    accumulate: int = 1
    precision: str = "float32"
    deterministic: bool = False
    seed: int = 0
    checkpoint_minutes: float = 10.0

    @property
    def configuration(self) -> dict[str, Any]:
        """As `config.json` has it; a run goes on only with the same."""
        values = asdict(self)
        del values["out"], values["checkpoint_minutes"]
        return {**values, "init": str(self.init) if self.init else None, "changes": dict(self.changes)}


@dataclass(slots=True)
class _Progress:
    """How far a run is; what `state.npz` keeps."""

    step: int = 0
    position: dict[str, Any] | None = None
    best: float = -1.0
    best_step: int = 0
    seconds: float = 0.0


def train(options: TrainOptions, *, task: str, fresh: bool = False) -> dict[str, Any]:
    """Trains to the end, going on where an earlier run of the same options stopped; returns what `run.json` tells.

    Raises UsageError, InputError for records or a checkpoint that do not fit, EngineError for a loss that is no number.
    """
    data_set = DataSet.open(options.records)
    if data_set.task_name != task:
        raise InputError(f"{options.records}: holds records for {data_set.task_name}, not for {task}")
    how = training_task(task)
    options.out.mkdir(parents=True, exist_ok=True)
    with lock(options.out):
        if fresh:
            _clear(options.out)
        check_configuration(options.out, options.configuration, name=CONFIG)
        return _Run(options, data_set, how).train()


def _clear(directory: Path) -> None:
    for name in (CONFIG, METRICS, STATE, RUN):
        (directory / name).unlink(missing_ok=True)
    rmtree(directory / BEST, ignore_errors=True)


class _Run:
    """A run in its folder."""

    def __init__(self, options: TrainOptions, data_set: DataSet, how: TrainingTask) -> None:
        self.options, self.data_set, self.how = options, data_set, how
        task: Any = data_set.task()
        if task.vocabulary.pad != 0:
            raise InputError(f"{options.records}/{VOCABULARY}: [PAD] must be the first token, as padding is zeros")
        keras.utils.set_random_seed(options.seed)
        if options.deterministic:
            _make_deterministic()
        keras.config.set_dtype_policy(options.precision)
        self.model = self._model(task)
        count = data_set.manifest["splits"].get(TRAIN, 0)
        if not count:
            raise InputError(f"{options.records}: no record in split {TRAIN}")
        self.steps_an_epoch = math.ceil(count / options.batch_size)
        self.steps = options.steps or math.ceil(options.epochs * self.steps_an_epoch)
        self.batching = Batching(
            task.targets, task.shapes, options.batch_size, lengths_of(task.max_length), options.seed
        )
        self.model.compile(
            optimizer=keras.optimizers.AdamW(
                _schedule(options, self.steps),
                weight_decay=options.weight_decay,
                global_clipnorm=1.0,
                gradient_accumulation_steps=options.accumulate if options.accumulate > 1 else None,
            ),
            loss=how.loss(),
            jit_compile="auto" if keras.backend.backend() != "tensorflow" else False,
        )
        self.model.optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self.model.optimizer.build(self.model.trainable_variables)
        self.progress = _Progress(**(load_state(options.out, self.model) or {}))
        _cut(options.out / METRICS, self.progress.step)

    def _model(self, task: Any) -> keras.Model:
        options, size = self.options, len(task.vocabulary)
        try:
            if options.init is None:
                if options.encoder not in PRESETS:
                    raise UsageError(f"--encoder {options.encoder}: one of {', '.join(PRESETS)}")
                config = PRESETS[options.encoder]
            else:
                checkpoint = open_checkpoint(options.init)
                check_vocabulary(checkpoint, size=size, sha256=task.vocabulary.sha256)
                config = checkpoint.config
            config = EncoderConfig.of({**asdict(config), **dict(options.changes), "vocabulary_size": size})
            if config.positions < task.max_length:
                raise InputError(
                    f"{options.records}: records of up to {task.max_length} tokens, the encoder takes "
                    f"{config.positions}: make them with --max-length {config.positions}"
                )
            model = self.how.model(Encoder(config), self.data_set)
            if options.init is not None:
                load(model, checkpoint, fresh_head=True)
        except CheckpointError as error:
            raise InputError(f"--init: {error}") from error
        except ValueError as error:
            raise UsageError(f"the encoder: {error}") from error
        return model

    def train(self) -> dict[str, Any]:
        options, progress = self.options, self.progress
        if progress.step:
            tell(f"goes on behind step {progress.step:,} of {self.steps:,}")
        else:
            parameters = self.model.count_params()
            tell(f"{parameters:,} parameters, {self.steps:,} steps of {options.batch_size} records")
        with (
            Batches(self.data_set, TRAIN, self.batching, position=progress.position) as batches,
            self._saved_at_the_end(),
            (options.out / METRICS).open("a", encoding="utf-8") as log,
        ):
            meter = _Meter(self.model, self.steps)
            while progress.step < self.steps:
                begun = time.perf_counter()
                batch = next(batches)
                inputs, targets, weights = self.how.triple(batch)
                loss = float(self.model.train_on_batch(inputs, targets, sample_weight=weights))
                self.model.reset_metrics()
                progress.step += 1
                progress.position = batches.position
                if not math.isfinite(loss):
                    raise EngineError(
                        f"step {progress.step}: the loss is {loss}: lower --learning-rate, or use --precision float32"
                    )
                progress.seconds += time.perf_counter() - begun
                row = {"step": progress.step, "split": TRAIN, "loss": loss, **meter.took(batch, begun)}
                log.write(json.dumps(row) + "\n")
                if meter.tell(row):
                    log.flush()
                if progress.step % self.steps_an_epoch == 0 or progress.step == self.steps:
                    log.write(json.dumps(self._evaluate()) + "\n")
                    log.flush()
                if meter.since_saved() > 60 * options.checkpoint_minutes:
                    save_state(options.out, self.model, asdict(progress))
                    meter.saved()
        return self._finish()

    @contextlib.contextmanager
    def _saved_at_the_end(self) -> Iterator[None]:
        """Saves where the run is, whatever ended it, but for a loss that is no number."""
        try:
            yield
        except EngineError:
            raise
        except BaseException:
            save_state(self.options.out, self.model, asdict(self.progress))
            raise
        save_state(self.options.out, self.model, asdict(self.progress))

    def _evaluate(self) -> dict[str, Any]:
        """Scores split `dev`, and keeps the weights if none were better before; without such a split, the last ones."""
        progress = self.progress
        row: dict[str, Any] = {"step": progress.step, "split": DEV}
        if self.data_set.manifest["splits"].get(DEV, 0):
            predict = self.model.predict_on_batch
            row |= self.how.evaluate(predict, self.data_set, DEV, batching=self.batching)
            told = ", ".join(f"{name} {row[name]:.4f}" for name in row if name not in ("step", "split"))
            tell(f"step {progress.step:,}: {told} on {DEV}")
        if row.get(self.how.metric, math.inf) > progress.best:
            progress.best, progress.best_step = float(row.get(self.how.metric, -1.0)), progress.step
            _keep(self.model, self.options, self.data_set)
        return row

    def _finish(self) -> dict[str, Any]:
        progress = self.progress
        told = {
            "task": self.data_set.task_name,
            "records": self.data_set.manifest["inputs"]["sha256"],
            "parameters": self.model.count_params(),
            "backend": keras.backend.backend(),
            "keras": keras.__version__,
            "steps": progress.step,
            "seconds": round(progress.seconds, 3),
            "best": {self.how.metric: progress.best, "step": progress.best_step},
        }
        write_json(self.options.out / RUN, told)
        return told


def _make_deterministic() -> None:
    """Has the same operations give the same bits; sums of several threads do not, however they are scheduled."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()
        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    elif keras.backend.backend() == "torch":
        import torch

        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(1)


def _schedule(options: TrainOptions, steps: int) -> Any:
    """Up to the learning rate over a share of the steps, then down to 0 along a cosine."""
    warmup = max(1, round(options.warmup * steps))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=options.learning_rate, warmup_steps=warmup
    )


def _keep(model: keras.Model, options: TrainOptions, data_set: DataSet) -> None:
    """Puts the weights in place of the best so far, with the vocabulary and the labels that they need."""
    best, made = options.out / BEST, options.out / f".{BEST}"
    rmtree(made, ignore_errors=True)
    save(model, made)
    with data_set.open_file(VOCABULARY) as file:
        (made / VOCABULARY).write_bytes(file.read())
    write_json(made / "labels.json", data_set.manifest["labels"])
    rmtree(best, ignore_errors=True)
    made.rename(best)
    sync_folder(options.out)


def _cut(path: Path, step: int) -> None:
    """Removes what was logged behind the step that a run goes on from."""
    if path.exists():
        rows = [line for line in path.read_text("utf-8").splitlines() if json.loads(line)["step"] <= step]
        path.write_text("".join(f"{line}\n" for line in rows), "utf-8")


class _Meter:
    """Tokens a second, and the share of the processor's rate that goes into the model."""

    def __init__(self, model: keras.Model, steps: int) -> None:
        self._config, self._steps = model.encoder.config, steps
        self._told = self._saved = time.monotonic()

    def took(self, batch: Arrays, begun: float) -> dict[str, float]:
        seconds, lengths = time.perf_counter() - begun, np.count_nonzero(batch["ids"], axis=1)
        tokens = int(lengths.sum())
        guesses = int(batch["weights"].sum()) if "weights" in batch else 0
        length = float((lengths**2).sum() / max(tokens, 1))
        flops = training_flops(self._config, tokens=tokens, length=length, predictions=guesses)
        return {"tokens_per_second": round(tokens / seconds, 1), "gflops": round(flops / seconds / 1e9, 2)}

    def tell(self, row: dict[str, Any]) -> bool:
        """A line from time to time; whether it was time."""
        due = time.monotonic() - self._told > SECONDS_BETWEEN_LINES or row["step"] in (1, self._steps)
        if due:
            self._told = time.monotonic()
            speed = f"{row['tokens_per_second']:,.0f} tokens/s, {row['gflops']:,.1f} GFLOP/s"
            tell(f"step {row['step']:,} of {self._steps:,}: loss {row['loss']:.4f}, {speed}")
        return due

    def since_saved(self) -> float:
        return time.monotonic() - self._saved

    def saved(self) -> None:
        self._saved = time.monotonic()
