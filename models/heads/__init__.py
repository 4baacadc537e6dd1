"""Encoders with a task on top: Keras models that `fit`, `predict` and `evaluate` take."""
