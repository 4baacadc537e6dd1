"""What happens to data: pure functions and small values, without an engine and without TensorFlow."""
