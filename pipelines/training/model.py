"""The model of a training run, of what the options name; what does not fit is refused before anything is trained."""

from dataclasses import asdict
from typing import Any

import keras

from models.checkpoints import CheckpointError, check_vocabulary, load, open_checkpoint
from models.encoder import Encoder
from models.encoder_config import EncoderConfig
from models.presets import PRESETS
from pipelines.datasets import VOCABULARY, DataSet
from pipelines.errors import InputError, UsageError
from pipelines.training.options import TrainOptions
from pipelines.training.tasks import TrainingTask
from transforms.splits import TRAIN

_OPTIONS = {"share_layers": "unshared", "rematerialize": "remat", "attention_dropout": "dropout"}


def build_model(options: TrainOptions, how: TrainingTask, data_set: DataSet) -> keras.Model:
    """Encoder and head, with the weights of `--init` where it is given; or a task's model without an encoder.

    Raises UsageError for an encoder that cannot be, InputError for records or a checkpoint that do not fit.
    """
    task: Any = data_set.task()
    size = len(task.vocabulary)
    if task.vocabulary.pad != 0:
        raise InputError(f"{options.records}/{VOCABULARY}: [PAD] must be the first token, as padding is zeros")
    if not data_set.manifest["splits"].get(TRAIN, 0):
        raise InputError(f"{options.records}: no record in split {TRAIN}")
    if options.init is None and options.encoder is None:
        return _light_model(options, how, data_set)
    try:
        checkpoint = open_checkpoint(options.init) if options.init is not None else None
        if checkpoint is not None:
            check_vocabulary(checkpoint, size=size, sha256=task.vocabulary.sha256)
        elif options.encoder not in PRESETS:
            raise UsageError(f"--encoder {options.encoder}: one of {', '.join(PRESETS)}")
        config = PRESETS[str(options.encoder)] if checkpoint is None else checkpoint.config
        config = EncoderConfig.of({**asdict(config), **dict(options.changes), "vocabulary_size": size})
        if config.positions < task.max_length:
            raise InputError(
                f"{options.records}: records of up to {task.max_length} tokens, the encoder takes {config.positions}: "
                f"make them with --max-length {config.positions}"
            )
        model = how.model(Encoder(config), data_set)
        if checkpoint is not None:
            load(model, checkpoint, fresh_head=True)
    except CheckpointError as error:
        raise InputError(f"--init: {error}") from error
    except ValueError as error:
        raise UsageError(f"the encoder: {error}") from error
    return model


def _light_model(options: TrainOptions, how: TrainingTask, data_set: DataSet) -> keras.Model:
    if not how.light:
        raise UsageError(f"{data_set.task_name} needs an encoder: name one with --init CHECKPOINT or --encoder PRESET")
    if names := dict.fromkeys(f"--{_OPTIONS.get(name, name).replace('_', '-')}" for name, _ in options.changes):
        raise UsageError(
            f"{', '.join(names)}: without --init or --encoder {data_set.task_name} has a light model, and no encoder"
        )
    return how.model(None, data_set)
