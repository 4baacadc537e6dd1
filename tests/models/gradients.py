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


def loss_and_gradients(
    model: keras.layers.Layer, *inputs: Any, mode: Mode = "eager", training: bool = True
) -> tuple[float, Gradients]:
    """Of the sum of squared outputs, weighted by a fixed pattern so that no symmetry cancels."""
    backend = keras.backend.backend()
    run = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[backend]
    loss, gradients = run(model, inputs, mode, training)
    return float(loss), {
        weight.path: np.asarray(array(gradient))
        for weight, gradient in zip(model.trainable_weights, gradients, strict=True)
    }


def loss_of(outputs: Any) -> Any:
    outputs = ops.cast(outputs, "float32")
    pattern = ops.cos(ops.reshape(ops.arange(np.prod(outputs.shape[1:]), dtype="float32"), (1, *outputs.shape[1:])))
    return ops.sum(ops.square(outputs) * (1.5 + pattern))


def _tensorflow(model: keras.layers.Layer, inputs: Any, mode: Mode, training: bool) -> Any:
    import tensorflow as tf

    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(model(*inputs, training=training))
        weights = [weight.value for weight in model.trainable_weights]
        return loss, [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, weights)]

    run: Callable[[], Any] = step if mode == "eager" else tf.function(step, jit_compile=mode == "xla")
    return run()


def _jax(model: keras.layers.Layer, inputs: Any, mode: Mode, training: bool) -> Any:
    import jax

    run = jax.value_and_grad(stateless_loss(model, inputs, training), has_aux=True)
    trainable = [weight.value for weight in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]
    (loss, updated), gradients = (run if mode == "eager" else jax.jit(run))(trainable, others)
    for variable, value in zip(model.non_trainable_variables, updated, strict=True):
        variable.assign(value)
    return loss, gradients


def stateless_loss(model: keras.layers.Layer, inputs: Any, training: bool) -> Callable[[Any, Any], Any]:
    """For JAX: (trainable, others) to the loss and the others' new values."""

    def loss(trainable: Any, others: Any) -> Any:
        outputs, updated = model.stateless_call(trainable, others, *inputs, training=training)
        return loss_of(outputs), updated

    return loss


def _torch(model: keras.layers.Layer, inputs: Any, mode: Mode, training: bool) -> Any:
    model.zero_grad()
    loss = loss_of(model(*inputs, training=training))
    loss.backward()
    zeros = [np.zeros(weight.shape, np.float32) for weight in model.trainable_weights]
    found = [weight.value.grad for weight in model.trainable_weights]
    return loss.detach(), [zero if grad is None else grad for zero, grad in zip(zeros, found, strict=True)]
