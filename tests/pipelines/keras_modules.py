"""Modules that import Keras, for tests that skip where it is not installed."""

import importlib
from typing import Any

import pytest


def with_keras(name: str) -> Any:
    """The module, with TensorFlow, which takes seconds to import and warns."""
    pytest.importorskip("keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        return importlib.import_module(name)
