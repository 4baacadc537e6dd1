"""TensorFlow reads what is written here, and is read here; the bytes of Examples are its own."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.tasks.task import TASKS
from transforms.tfrecord import PIECE_BYTES, Feature, decode_example, encode_example, encode_lists, frame, read_frames

integers = st.lists(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-3, 300), max_size=20)
floats = st.lists(st.floats(width=32), max_size=20)
texts = st.lists(st.binary(max_size=300), max_size=5)
features = st.dictionaries(
    st.text(max_size=8) | st.text("ab￥\U00020000", max_size=3),
    integers.map(lambda values: np.array(values, np.int64))
    | floats.map(lambda values: np.array(values, np.float32))
    | texts,
    max_size=8,
)


@pytest.fixture(scope="module")
def tf() -> Iterator[Any]:
    """TensorFlow, which takes seconds to import and warns of things of its own."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        patch.setenv("CUDA_VISIBLE_DEVICES", "-1")
        warnings.simplefilter("ignore")
        yield pytest.importorskip("tensorflow")


def example(tf: Any, values: dict[str, Feature]) -> Any:
    """As a user of TensorFlow makes it."""
    made = {}
    for name, value in values.items():
        if not isinstance(value, np.ndarray):
            made[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
        elif value.dtype == np.float32:
            made[name] = tf.train.Feature(float_list=tf.train.FloatList(value=value))
        else:
            made[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=value))
    return tf.train.Example(features=tf.train.Features(feature=made))


@given(values=features)
def test_examples_are_tensorflows_bytes(tf: Any, values: dict[str, Feature]) -> None:
    assert encode_example(values) == example(tf, values).SerializeToString(deterministic=True)


@pytest.mark.parametrize("task", TASKS)
def test_records_of_every_task_have_tensorflows_order(tf: Any, task: str) -> None:
    values: dict[str, Feature] = {name: [name.encode()] for name in TASKS[task].schema}
    assert encode_example(values) == example(tf, values).SerializeToString(deterministic=True)


@given(lists=st.lists(integers, max_size=5))
def test_lists_encoded_at_once_are_tensorflows_bytes(tf: Any, lists: list[list[int]]) -> None:
    values = np.array([number for numbers in lists for number in numbers], np.int64)
    encoded = encode_lists(values, np.cumsum([0, *map(len, lists)]))
    for numbers, feature in zip(lists, encoded, strict=True):
        expected = example(tf, {"ids": np.array(numbers, np.int64)})
        assert encode_example({"ids": feature}) == expected.SerializeToString(deterministic=True)


@given(values=features)
def test_examples_of_tensorflow_in_any_order_are_read(tf: Any, values: dict[str, Feature]) -> None:
    found = decode_example(example(tf, values).SerializeToString())
    assert found.keys() == values.keys()
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            assert np.asarray(found[name]).tobytes() == value.tobytes()
        else:
            assert found[name] == value


def test_a_feature_without_a_kind_is_an_empty_list(tf: Any) -> None:
    empty = tf.train.Example(features=tf.train.Features(feature={"a": tf.train.Feature()}))
    assert decode_example(empty.SerializeToString()) == {"a": []}
    assert decode_example(tf.train.Example().SerializeToString()) == {}


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """An Example with some bytes changed, put in or taken out."""
    data = bytearray(encode_example(draw(features)))
    tags = st.sampled_from([b"\n", b"\x12", b"\x1a", b"\x22", b"\x00"])
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 2))] = draw(tags | st.binary(max_size=2))
    return bytes(data)


@given(data=changed() | st.binary(max_size=40))
@hypothesis.example(data=encode_example({"a": np.array([0x7F801200], np.uint32).view(np.float32)}))
@settings(max_examples=500)
def test_what_tensorflow_reads_of_any_bytes_is_read_alike_or_refused(tf: Any, data: bytes) -> None:
    try:
        found = decode_example(data)
    except ValueError:
        return
    read = tf.train.Example.FromString(data).features.feature
    assert found.keys() == read.keys()
    for name, value in found.items():
        kind = read[name].WhichOneof("kind")
        expected = list(getattr(read[name], kind).value) if kind else []
        if isinstance(value, np.ndarray):
            # Both by way of Python's numbers, in which a signalling NaN becomes a quiet one.
            assert np.array(value.tolist(), value.dtype).tobytes() == np.array(expected, value.dtype).tobytes()
            assert kind == ("float_list" if value.dtype == np.float32 else "int64_list")
        else:
            assert (value, kind in (None, "bytes_list")) == (expected, True)


FILES: list[Sequence[bytes]] = [
    [],
    [b""],
    [b"one", b"", b"three" * 1000],
    [bytes(range(256)) * 4096 * 2 + b"x", b"behind"],
    [b"x" * 1000] * (2 * PIECE_BYTES // 1000),
]


@pytest.mark.parametrize("records", FILES, ids=["none", "empty", "small", "large", "many"])
def test_files_are_tensorflows_bytes_and_read_by_either(tf: Any, tmp_path: Path, records: Sequence[bytes]) -> None:
    ours, theirs = tmp_path / "ours.tfrecord", tmp_path / "theirs.tfrecord"
    ours.write_bytes(b"".join(frame(records)))
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for record in records:
            writer.write(record)
    assert ours.read_bytes() == theirs.read_bytes()
    assert list(tf.data.TFRecordDataset(str(ours)).as_numpy_iterator()) == list(records)
    with theirs.open("rb") as file:
        assert [record for _, record in read_frames(file, name=str(theirs))] == list(records)


def test_examples_are_parsed_by_tensorflow(tf: Any, tmp_path: Path) -> None:
    values: list[dict[str, Feature]] = [
        {"id": [b"7"], "ids": np.array([2, -9, 3]), "label": np.array([1]), "texts": ["中".encode(), b""]},
        {"id": ["八".encode()], "ids": np.array([], np.int64), "label": np.array([0]), "texts": []},
    ]
    path = tmp_path / "a.tfrecord"
    path.write_bytes(b"".join(frame(map(encode_example, values))))
    ragged, text = tf.io.RaggedFeature(tf.int64), tf.io.FixedLenFeature([], tf.string)
    described = {
        "id": text,
        "ids": ragged,
        "label": tf.io.FixedLenFeature([], tf.int64),
        "texts": tf.io.RaggedFeature(tf.string),
    }
    data_set = tf.data.TFRecordDataset(str(path)).map(lambda record: tf.io.parse_single_example(record, described))
    found = [
        {name: value.tolist() if hasattr(value, "tolist") else value for name, value in row.items()}
        for row in data_set.as_numpy_iterator()
    ]
    assert found == [
        {"id": b"7", "ids": [2, -9, 3], "label": 1, "texts": ["中".encode(), b""]},
        {"id": "八".encode(), "ids": [], "label": 0, "texts": []},
    ]
