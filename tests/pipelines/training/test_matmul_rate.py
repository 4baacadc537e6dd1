"""The rate of matrix products."""

from tests.pipelines.keras_modules import with_keras


def test_it_is_measured_once() -> None:
    rate = with_keras("pipelines.training.matmul_rate").matmul_rate
    assert rate("float32") == rate("float32") > 1e8
