"""What records cost: the whole command against a tokenizer alone, framing, messages, and reading them again."""

import functools
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.batching import Batches, Batching, lengths_of
from pipelines.bench.counting import interleave, print_timings, texts_of
from pipelines.datasets import DataSet
from pipelines.storage.manifest import RUN, read_json
from transforms.tasks.masked_language_model import MaskedLanguageModel
from transforms.tfrecord import decode_example, encode_example, frame, read_frames
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import WordPiece

TASK = "masked-language-model"
_DOCUMENTS_A_CALL = 64
_RECORDS, _RECORD_BYTES = 50_000, 1024
_IDS, _MESSAGES = 512, 2000
_BATCHES, _BATCH_SIZE, _STEPS = 100, 32, 5
# A process of its own: the library decides once how many threads it has.
_LIBRARY = f"""
import sys, time
from tokenizers import BertWordPieceTokenizer

tokenizer = BertWordPieceTokenizer(sys.argv[1])
texts = sys.stdin.buffer.read().decode().split("\\0")
begun = time.perf_counter()
for begin in range(0, len(texts), {_DOCUMENTS_A_CALL}):
    for encoding in tokenizer.encode_batch(texts[begin : begin + {_DOCUMENTS_A_CALL}]):
        encoding.ids, encoding.offsets
print(time.perf_counter() - begun)
"""


def bench_records(
    inputs: Sequence[str], *, vocabulary: Path, checkpoint: Path | None, rounds: int, workers: int
) -> None:
    """Prints medians and ratios of all four. `checkpoint`: an encoder whose training step reading is set against."""
    with tempfile.TemporaryDirectory() as folder:
        _bench_command(inputs, Path(folder), vocabulary=vocabulary, rounds=rounds, workers=workers)
        _bench_frames(rounds=rounds)
        _bench_examples(rounds=rounds)
        _bench_reader(Path(folder), checkpoint=checkpoint, rounds=rounds)


def _bench_command(inputs: Sequence[str], out: Path, *, vocabulary: Path, rounds: int, workers: int) -> None:
    """The whole command, from process start to `_SUCCESS`, and tokenizers alone over the same texts in memory."""
    texts = texts_of(inputs)
    joined = b"\0".join(text.replace("\0", " ").encode() for text in texts)
    tokenizer = WordPiece(Vocabulary.read(vocabulary))

    def library() -> float:
        threads = {"TOKENIZERS_PARALLELISM": "true", "RAYON_NUM_THREADS": str(workers)}
        command = [sys.executable, "-c", _LIBRARY, str(vocabulary)]
        ended = subprocess.run(command, input=joined, env=os.environ | threads, stdout=subprocess.PIPE, check=True)
        return float(ended.stdout)

    def ours() -> None:
        for begin in range(0, len(texts), _DOCUMENTS_A_CALL):
            tokenizer.tokenize(texts[begin : begin + _DOCUMENTS_A_CALL])

    def records() -> float:
        command = [sys.executable, "-m", "pipelines.cli", "records", TASK, *inputs, "--vocab", str(vocabulary)]
        command += ["--out", str(out), "--workers", str(workers), "--fresh"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return float(read_json(out / RUN)["seconds"])

    contenders: dict[str, Callable[[], object]] = {
        f"encode_batch, {workers} threads": library,
        "hanmill's tokenizer, 1 core": ours,
        f"hanmill records, {workers} workers": records,
    }
    size = sum(len(text.encode()) for text in texts)
    title = f"{len(texts):,} documents, {size / 1e6:,.1f} MB of UTF-8"
    print_timings(interleave(contenders, rounds=rounds), size, title)


def _bench_frames(*, rounds: int) -> None:
    """Framing in memory, CRCs written and checked."""
    records = [os.urandom(_RECORD_BYTES) for _ in range(_RECORDS)]
    file = b"".join(frame(records))
    contenders: dict[str, Callable[[], object]] = {
        "frame": lambda: sum(map(len, frame(records))),
        "read_frames": lambda: sum(len(record) for _, record in read_frames(io.BytesIO(file), name="memory")),
    }
    size = _RECORDS * _RECORD_BYTES
    title = f"{_RECORDS:,} records of {_RECORD_BYTES:,} bytes, 1 core"
    print_timings(interleave(contenders, rounds=rounds), size, title)


def _bench_examples(*, rounds: int) -> None:
    """Messages of 512 ids, to and from NumPy arrays."""
    tf = _tensorflow()
    ids = np.random.default_rng(0).integers(0, 21128, _IDS)
    message = encode_example({"ids": ids})

    def encoded_by_tensorflow() -> bytes:
        feature = tf.train.Feature(int64_list=tf.train.Int64List(value=ids.tolist()))
        example = tf.train.Example(features=tf.train.Features(feature={"ids": feature}))
        return bytes(example.SerializeToString(deterministic=True))

    def decoded_by_tensorflow() -> Any:
        return np.array(tf.train.Example.FromString(message).features.feature["ids"].int64_list.value)

    contenders: dict[str, Callable[[], object]] = {
        "encode, tf.train.Example": encoded_by_tensorflow,
        "encode, hanmill": lambda: encode_example({"ids": ids}),
        "decode, tf.train.Example": decoded_by_tensorflow,
        "decode, hanmill": lambda: decode_example(message)["ids"],
    }
    many: dict[str, Callable[[], object]] = {
        name: functools.partial(_repeat, work) for name, work in contenders.items()
    }
    title = f"{_MESSAGES:,} messages of {_IDS} ids, 1 core"
    print_timings(interleave(many, rounds=rounds), _MESSAGES * len(message), title)


def _repeat(work: Callable[[], object]) -> None:
    for _ in range(_MESSAGES):
        work()


def _bench_reader(directory: Path, *, checkpoint: Path | None, rounds: int) -> None:
    """Shuffled batches, words masked, and `tf.data` that parses, shuffles and pads the same records, masks none."""
    tf = _tensorflow()
    data_set = DataSet.open(str(directory))
    task = data_set.task()
    assert isinstance(task, MaskedLanguageModel)
    batching = Batching(task.targets, task.shapes, _BATCH_SIZE, lengths_of(task.max_length))
    files = [f"{directory}/{name}" for name in data_set.files("train")]
    features = {"ids": tf.io.RaggedFeature(tf.int64), "words": tf.io.RaggedFeature(tf.int64)}

    def ours() -> None:
        with Batches(data_set, "train", batching) as batches:
            for _ in islice(batches, _BATCHES):
                pass

    def tf_data() -> None:
        records = tf.data.TFRecordDataset(files, num_parallel_reads=16).shuffle(8192).repeat()
        parsed = records.map(lambda record: tf.io.parse_single_example(record, features))
        for _ in parsed.padded_batch(_BATCH_SIZE).prefetch(4).take(_BATCHES):
            pass

    contenders: dict[str, Callable[[], object]] = {"tf.data": tf_data, "hanmill": ours}
    timings = interleave(contenders, rounds=rounds)
    examples = _BATCHES * _BATCH_SIZE
    whole = sum(part["bytes"] for part in data_set.manifest["parts"])
    size = whole * examples // data_set.manifest["splits"]["train"]
    print_timings(timings, size, f"{_BATCHES} batches of {_BATCH_SIZE}, the filling of the shuffle included")
    for timing in timings:
        print(f"  {timing.name:<8} {examples / timing.median:10,.0f} examples/s")
    if checkpoint is not None:
        print(f"  {'training':<8} {_training_rate(data_set, batching, checkpoint):10,.1f} examples/s")


def _training_rate(data_set: DataSet, batching: Batching, checkpoint: Path) -> float:
    """Examples a second that a masked language model on the encoder of a checkpoint is trained with."""
    import keras

    from models.checkpoints import load, open_checkpoint
    from models.encoder import Encoder
    from pipelines.training.tasks import training_task

    how, opened = training_task(TASK), open_checkpoint(checkpoint)
    model = how.model(Encoder(opened.config), data_set)
    load(model, opened, fresh_head=True)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.AdamW(1e-4), loss=loss, jit_compile=False)
    with Batches(data_set, "train", batching) as batches:
        longest = (batch for batch in batches if batch["ids"].shape[1] == batching.lengths[-1])
        triples = [how.triple(batch) for batch in islice(longest, _STEPS)]
    inputs, targets, weights = triples[0]
    model.train_on_batch(inputs, targets, sample_weight=weights)  # compiles the step
    begun = time.perf_counter()
    for inputs, targets, weights in triples:
        model.train_on_batch(inputs, targets, sample_weight=weights)
    return _STEPS * batching.batch_size / (time.perf_counter() - begun)


def _tensorflow() -> Any:
    """TensorFlow without what it tells at its import."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    return tensorflow
