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


def build_model(options: TrainOptions, how: TrainingTask, data_set: DataSet) -> keras.Model:
    """Encoder and head, with the weights of `--init` where it is given.

    Raises UsageError for an encoder that cannot be, InputError for records or a checkpoint that do not fit.
    """
    task: Any = data_set.task()
    size = len(task.vocabulary)
    if task.vocabulary.pad != 0:
        raise InputError(f"{options.records}/{VOCABULARY}: [PAD] must be the first token, as padding is zeros")
    if not data_set.manifest["splits"].get(TRAIN, 0):
        raise InputError(f"{options.records}: no record in split {TRAIN}")
    try:
        checkpoint = open_checkpoint(options.init) if options.init is not None else None
        if checkpoint is not None:
            check_vocabulary(checkpoint, size=size, sha256=task.vocabulary.sha256)
        elif options.encoder not in PRESETS:
            raise UsageError(f"--encoder {options.encoder}: one of {', '.join(PRESETS)}")
        config = PRESETS[options.encoder] if checkpoint is None else checkpoint.config
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
