"""Loss and gradients of a model in training, on whichever backend runs: step by step, or compiled."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from tests.models.reference import array

Gradients = dict[str, npt.NDArray[np.float32]]
Mode = str

MODES = {"tensorflow": ("eager", "graph", "xla"), "jax": ("eager", "jit"), "torch": ("eager",)}[keras.backend.backend()]


Step = Callable[[], tuple[float, Gradients]]


def step_of(model: keras.layers.Layer, *inputs: Any, mode: Mode = "eager") -> Step:
    """Loss and gradients, each time anew: of the squares of all outputs, weighted so that no symmetry cancels."""
    backend = keras.backend.backend()
    run = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[backend](model, inputs, mode)

    def step() -> tuple[float, Gradients]:
        loss, gradients = run()
        named = zip(model.trainable_weights, gradients, strict=True)
        return float(loss), {weight.path: array(gradient) for weight, gradient in named}

    return step


def loss_and_gradients(model: keras.layers.Layer, *inputs: Any, mode: Mode = "eager") -> tuple[float, Gradients]:
    """Of one step of training."""
    return step_of(model, *inputs, mode=mode)()


def loss_of(outputs: Any) -> Any:
    outputs = ops.cast(outputs, "float32")
    pattern = ops.cos(ops.reshape(ops.arange(np.prod(outputs.shape[1:]), dtype="float32"), (1, *outputs.shape[1:])))
    return ops.sum(ops.square(outputs) * (1.5 + pattern))


def _tensorflow(model: keras.layers.Layer, inputs: Any, mode: Mode) -> Callable[[], Any]:
    import tensorflow as tf

    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(model(*inputs, training=True))
        weights = [weight.value for weight in model.trainable_weights]
        return loss, [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, weights)]

    return step if mode == "eager" else tf.function(step, jit_compile=mode == "xla")


def _jax(model: keras.layers.Layer, inputs: Any, mode: Mode) -> Callable[[], Any]:
    import jax

    gradient = jax.value_and_grad(stateless_loss(model, inputs), has_aux=True)
    run = gradient if mode == "eager" else jax.jit(gradient)

    def step() -> Any:
        trainable = [weight.value for weight in model.trainable_variables]
        others = [variable.value for variable in model.non_trainable_variables]
        (loss, updated), gradients = run(trainable, others)
        for variable, value in zip(model.non_trainable_variables, updated, strict=True):
            variable.assign(value)
        return loss, gradients

    return step


def stateless_loss(model: keras.layers.Layer, inputs: Any) -> Callable[[Any, Any], Any]:
    """For JAX: (trainable, others) to the loss and the others' new values."""

    def loss(trainable: Any, others: Any) -> Any:
        outputs, updated = model.stateless_call(trainable, others, *inputs, training=True)
        return loss_of(outputs), updated

    return loss


def _torch(model: keras.layers.Layer, inputs: Any, mode: Mode) -> Callable[[], Any]:
    def step() -> Any:
        model.zero_grad()
        loss = loss_of(model(*inputs, training=True))
        loss.backward()
        zeros = [np.zeros(weight.shape, np.float32) for weight in model.trainable_weights]
        found = [weight.value.grad for weight in model.trainable_weights]
        return loss.detach(), [zero if grad is None else grad for zero, grad in zip(zeros, found, strict=True)]

    return step
