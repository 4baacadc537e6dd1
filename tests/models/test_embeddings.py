"""Embeddings: what is added, where it is normalized, what is drawn; values are compared in `test_encoder`."""

import numpy as np
import pytest
from keras import ops

from models.embeddings import Embeddings
from tests.models.reference import array, randomize
from tests.models.strategies import small

TOKENS = np.array([[3, 9, 4, 0], [5, 3, 3, 39]], np.int32)


def built(**fields: int) -> Embeddings:
    embeddings = Embeddings(small(**fields), dtype=None)
    embeddings.build()
    randomize(embeddings)
    return embeddings


def test_a_projection_is_there_where_widths_differ() -> None:
    assert built().projection is None
    narrow = built(embedding_size=5)
    assert narrow.projection.kernel.shape == (5, 12)
    assert array(narrow(TOKENS, None)).shape == (2, 4, 12)


@pytest.mark.parametrize("segment_types", [1, 2, 3])
def test_segments_are_rows_of_their_table(segment_types: int) -> None:
    embeddings = built(segment_types=segment_types)
    segments = np.arange(8, dtype=np.int32).reshape(2, 4) % segment_types
    states = array(embeddings(TOKENS, ops.convert_to_tensor(segments)))
    summed = array(embeddings.token)[TOKENS] + array(embeddings.position)[:4] + array(embeddings.segment)[segments]
    assert np.allclose(states, array(embeddings.normalization(ops.convert_to_tensor(summed))), atol=1e-5)


def test_no_segments_are_segment_0() -> None:
    embeddings = built()
    zeros = ops.convert_to_tensor(np.zeros_like(TOKENS))
    assert np.allclose(array(embeddings(TOKENS, None)), array(embeddings(TOKENS, zeros)), atol=1e-6)
    ones = ops.convert_to_tensor(np.ones_like(TOKENS))
    assert not np.allclose(array(embeddings(TOKENS, None)), array(embeddings(TOKENS, ones)), atol=1e-2)


def test_the_place_of_a_token_counts() -> None:
    states = array(built()(TOKENS, None))
    assert not np.allclose(states[1, 1], states[1, 2], atol=1e-2)


def test_the_same_inputs_take_the_same_seeds() -> None:
    embeddings = built(dropout=0.5)  # type: ignore[arg-type]
    seed = ops.convert_to_tensor(np.array([3, 4], np.uint32))
    dropped = array(embeddings(TOKENS, None, seed=seed))
    assert np.array_equal(dropped, array(embeddings(TOKENS, None, seed=seed)))
    assert 0.2 < (dropped == 0).mean() < 0.8
    assert (array(embeddings(TOKENS, None)) != 0).all()
