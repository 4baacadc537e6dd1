"""Whatever rows come, a model sees batches of few shapes, and each row gets its own answer."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.inference import InBatches

BATCH, LENGTHS, DESCRIPTION = 3, (4, 8, 10), 9


def shapes(length: int) -> dict[str, tuple[int, ...]]:
    return {"ids": (length,), "marks": (length, 2), "description": (DESCRIPTION,)}


def answers(inputs: Any) -> dict[str, Any]:
    """Outputs that tell what a row and its neighbours to the left are, and what was asked of it."""
    ids = inputs["ids"].astype(np.float32)
    asked = inputs["subjects"].sum(axis=1)[:, None] if "subjects" in inputs else 0
    sums = ids.cumsum(axis=1)
    return {"sums": sums + asked, "pairs": np.stack([ids, sums], axis=-1)}


def reference(ids: Any, subjects: Any) -> list[Any]:
    return [np.cumsum(row) + asked.sum() for row, asked in zip(ids, subjects, strict=True)]


@given(st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=10), min_size=1, max_size=8), st.randoms())
def test_each_row_gets_its_own_answer(rows: list[list[int]], random: Any) -> None:
    seen: list[tuple[int, ...]] = []

    def predict(inputs: Any) -> dict[str, Any]:
        seen.append(inputs["ids"].shape)
        assert len(inputs["subjects"]) == BATCH
        return answers(inputs)

    longest = max(map(len, rows))
    ids = np.array([row + [0] * (longest - len(row)) for row in rows], np.int32)
    subjects = np.array([[random.randrange(9), random.randrange(9)] for _ in rows], np.int32)
    made = InBatches(predict, BATCH, LENGTHS, shapes)({"ids": ids, "subjects": subjects})
    assert made["sums"].shape == (len(rows), longest)
    assert made["pairs"].shape == (len(rows), longest, 2)
    for number, (row, wanted) in enumerate(zip(rows, reference(ids, subjects), strict=True)):
        np.testing.assert_array_equal(made["sums"][number, : len(row)], wanted[: len(row)])
        np.testing.assert_array_equal(made["pairs"][number, : len(row), 0], row)
    assert set(seen) <= {(BATCH, length) for length in LENGTHS}
    assert len(seen) == -(-len(rows) // BATCH)


def test_rows_of_like_length_go_together() -> None:
    seen: list[int] = []

    def predict(inputs: Any) -> dict[str, Any]:
        seen.append(inputs["ids"].shape[1])
        return answers(inputs)

    lengths = [9, 3, 9, 3, 9, 3]
    ids = np.array([[1] * length + [0] * (9 - length) for length in lengths], np.int32)
    InBatches(predict, BATCH, LENGTHS, shapes)({"ids": ids})
    assert seen == [4, 10]


@given(st.integers(1, DESCRIPTION), st.integers(3, 10))
def test_what_is_by_token_is_not_guessed(characters: int, longest: int) -> None:
    """A description may be as long as the longest row is, and is not cut where a row is; an answer may be one a row."""

    def predict(inputs: Any) -> dict[str, Any]:
        length = inputs["ids"].shape[1]
        wanted = {**shapes(length), "description": (8 if characters <= 8 else DESCRIPTION,)}
        assert {name: of.shape[1:] for name, of in inputs.items()} == wanted
        return {"rows": inputs["description"].sum(axis=1) + inputs["marks"].sum(axis=(1, 2))}

    ids = np.array([[1] * 3 + [0] * (longest - 3), [1] * longest], np.int32)
    description = np.ones((2, characters), np.int32) * [[1], [2]]
    marks = np.ones((2, longest, 2), np.float32) * (ids != 0)[:, :, None]
    made = InBatches(predict, BATCH, LENGTHS, shapes)({"ids": ids, "marks": marks, "description": description})
    assert made["rows"].tolist() == [characters + 6, 2 * characters + 2 * longest]


def test_short_descriptions_cost_less() -> None:
    """Rows go by what they hold of both, and a batch is as long as its longest, whatever else was asked at once."""
    seen: list[tuple[int, int]] = []

    def predict(inputs: Any) -> dict[str, Any]:
        seen.append((inputs["ids"].shape[1], inputs["description"].shape[1]))
        return {"rows": inputs["description"].sum(axis=1)}

    sizes = [30, 2, 25, 0, 3, 32]
    ids = np.ones((len(sizes), 4), np.int32)
    description = (np.arange(32) < np.array(sizes)[:, None]).astype(np.int32)
    wide = InBatches(predict, BATCH, LENGTHS, lambda length: {"ids": (length,), "description": (32,)})
    assert wide({"ids": ids, "description": description})["rows"].tolist() == sizes
    assert seen == [(4, 8), (4, 32)]
