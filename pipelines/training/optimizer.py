"""How weights change in a step: Keras' AdamW along a schedule, over one batch or several."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.batching import Arrays
from pipelines.training.options import TrainOptions
from pipelines.training.tasks import TrainingTask

Rate = Callable[[Any], Any]  # of a step, counted from 0

SCHEDULES: Mapping[str, Callable[[float, int], Rate]] = {
    "cosine": lambda peak, steps: keras.optimizers.schedules.CosineDecay(peak, steps),
    "linear": lambda peak, steps: keras.optimizers.schedules.PolynomialDecay(peak, steps, 0.0),
    "constant": lambda peak, steps: lambda step: ops.full_like(step, peak),
}


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Up to a peak over `warmup` steps, then along a schedule of Keras, which have no warm-up or one of their own.

    It is asked for batches, as Keras counts them, of which `batches` make a step.
    """

    def __init__(self, then: Rate, *, peak: float, warmup: int, batches: int = 1) -> None:
        self._then, self._peak, self._warmup, self._batches = then, peak, warmup, batches

    def __call__(self, batch: Any) -> Any:
        step = ops.cast(ops.floor_divide(batch, self._batches), "float32")
        up = self._peak * (step + 1) / (self._warmup + 1)
        return ops.where(step < self._warmup, up, self._then(ops.maximum(step - self._warmup, 0.0)))


def schedule_of(options: TrainOptions, *, steps: int) -> WarmUp:
    """The learning rate of a run: what `--schedule` names comes down to 0 at its end."""
    warmup = round(options.warmup * steps)
    then = SCHEDULES[options.schedule](options.learning_rate, max(1, steps - warmup))
    return WarmUp(then, peak=options.learning_rate, warmup=warmup, batches=options.accumulate)


class HeadRate(keras.optimizers.AdamW):
    """AdamW in which what is not the encoder learns with another rate, times that of the encoder.

    A head begins with random weights behind an encoder that knows much: at the encoder's rate it is the head that
    takes most of the steps (kexue.fm 7196 has it for a CRF). Weights decay at the encoder's rate.
    """

    def __init__(self, *options: Any, head_rate: float, **more: Any) -> None:
        super().__init__(*options, **more)
        self._head_rate = head_rate

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """The factor of each variable by its number: a backend may ask for a step of its own kind of variable."""
        super().build(variables)
        self._rates = tuple(1.0 if of_encoder(variable) else self._head_rate for variable in variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate = self._rates[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * rate)


def of_encoder(variable: keras.Variable) -> bool:
    """Whether a weight is one of the encoder's, and not of the head behind it."""
    return str(variable.path).startswith("encoder/")


def compile_model(model: keras.Model, how: TrainingTask, options: TrainOptions, *, steps: int) -> None:
    """Gives a model its optimizer and loss; the optimizer is built, so that a state can be put into it."""
    own = options.head_rate != 1 and any(map(of_encoder, model.trainable_variables))
    # Keras' own where it will do: on PyTorch it steps all weights at once.
    make = functools.partial(HeadRate, head_rate=options.head_rate) if own else keras.optimizers.AdamW
    optimizer = make(
        schedule_of(options, steps=steps),
        weight_decay=options.weight_decay,
        global_clipnorm=1.0,
        gradient_accumulation_steps=options.accumulate if options.accumulate > 1 else None,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer=optimizer,
        loss=how.loss(),
        jit_compile="auto" if keras.backend.backend() != "tensorflow" else False,
    )
    optimizer.build(model.trainable_variables)


def train_step(model: keras.Model, how: TrainingTask, batches: Sequence[Arrays], *, accumulate: int) -> float:
    """One step over all targets of the batches as if they were one batch; returns their mean loss.

    Keras takes the mean of `accumulate` gradients. So weights are divided by their sum over all the batches, not over
    one: batches weigh by their targets. Where there are fewer batches, as at the end of a run, the last one comes
    again and weighs nothing.
    """
    triples = [how.triple(batch) for batch in batches]
    factors = keras.tree.map_structure(_factor(accumulate), *(weights for *_, weights in triples))
    nothing = keras.tree.map_structure(lambda _: np.float32(0), factors)
    loss = 0.0
    for number in range(accumulate):
        inputs, targets, weights = triples[min(number, len(triples) - 1)]
        scaled = keras.tree.map_structure(np.multiply, weights, factors if number < len(triples) else nothing)
        loss += float(model.train_on_batch(inputs, targets, sample_weight=scaled, return_dict=True)["loss"])
        model.reset_metrics()
    return loss / accumulate


def _factor(accumulate: int) -> Callable[..., np.float32]:
    return lambda *weights: np.float32(accumulate / max(sum(float(np.sum(of)) for of in weights), 1e-9))


def make_deterministic() -> None:
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
