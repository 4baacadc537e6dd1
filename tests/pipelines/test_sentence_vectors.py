"""Sentence vectors: the mean of one text's states, whatever else is in the batch; what cannot be read is told."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.engines.local import Local
from pipelines.errors import InputError, UsageError
from pipelines.isotropy import Isotropy
from pipelines.run import run
from transforms.vocabulary import SPECIAL_TOKENS, Vocabulary

pytestmark = pytest.mark.usefixtures("unsynced")

HAN = "北京上海大学人民中国"
VOCABULARY = Vocabulary((*SPECIAL_TOKENS, *HAN))
TEXTS = ["北京", "", "上海大学" * 9, "中国人民", "x", "大", *[HAN[:size] for size in range(1, 9)] * 10]


@pytest.fixture(scope="module")
def vectors() -> Any:
    """The module, with what Keras runs on, which takes seconds to import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        return pytest.importorskip("pipelines.sentence_vectors")


@pytest.fixture(scope="module")
def encoder(vectors: Any) -> Any:
    from models.encoder import Encoder
    from models.encoder_config import EncoderConfig

    config = EncoderConfig(vocabulary_size=len(VOCABULARY), hidden=12, layers=2, heads=3, positions=20)
    return Encoder(config)


@pytest.fixture(scope="module")
def checkpoint(encoder: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from models.checkpoints import save

    path = tmp_path_factory.mktemp("checkpoint")
    save(encoder, path)
    (path / "vocab.txt").write_bytes(VOCABULARY.content)
    return path


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_mean_of_the_states_of_each_text(vectors: Any, encoder: Any, checkpoint: Path, layer: int) -> None:
    found = vectors.sentence_vectors(checkpoint, TEXTS, layer=layer)
    assert (found.shape, found.dtype) == ((len(TEXTS), 12), np.float32)
    for text, vector in list(zip(TEXTS, found, strict=True))[:8]:
        middle = [VOCABULARY.ids.get(character, VOCABULARY.unknown) for character in text][:18]
        states = encoder(np.array([[VOCABULARY.cls, *middle, VOCABULARY.sep]]), layers=layer)
        np.testing.assert_allclose(vector, np.asarray(states)[0].mean(axis=0), atol=1e-5)


def test_layers_are_counted_from_the_embeddings(vectors: Any, checkpoint: Path) -> None:
    assert vectors.layer_of(checkpoint, None) == vectors.layer_of(checkpoint, 2) == 2
    assert vectors.layer_of(checkpoint, 0) == 0
    for layer in (-1, 3):
        with pytest.raises(UsageError, match=f"--layer {layer}: .* has 2 layers, and embeddings as layer 0"):
            vectors.layer_of(checkpoint, layer)


def test_what_is_no_checkpoint_with_a_vocabulary(vectors: Any, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint: it has neither"):
        vectors.layer_of(tmp_path, None)
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(InputError, match=r"vocab\.txt: No such file"):
        vectors.sentence_vectors(tmp_path, TEXTS, layer=0)
    (tmp_path / "vocab.txt").write_bytes(Vocabulary((*reversed(SPECIAL_TOKENS), *HAN)).content)
    with pytest.raises(InputError, match=r"vocab\.txt: not the vocabulary of the checkpoint"):
        vectors.sentence_vectors(tmp_path, TEXTS, layer=0)


def test_a_job_measures_them(vectors: Any, checkpoint: Path, tmp_path: Path) -> None:
    texts, out = tmp_path / "titles.tsv", tmp_path / "out"
    texts.write_text("".join(f"甲\t{text}\n" for text in TEXTS if text))
    job = Isotropy(str(checkpoint), out, texts=str(texts), layer=1)
    outcome = run(job, engine=Local(1))
    assert run(job, engine=Local(1)).repeated
    rows = pq.read_table(out / "isotropy.parquet").to_pylist()
    assert [row["count"] for row in rows] == [len(TEXTS) - 1] * 2
    assert outcome.manifest["configuration"]["layer"] == 1
    assert outcome.manifest["inputs"]["file"] == f"titles.tsv, layer 1 of {checkpoint.name}"
    with pytest.raises(InputError, match=r"holds a run with other options \(layer: 1, now 0\)"):
        run(Isotropy(str(checkpoint), out, texts=str(texts), layer=0), engine=Local(1))
    texts.write_bytes(texts.read_bytes() + "乙\t上海\n".encode())
    assert not run(job, engine=Local(1)).repeated
    assert pq.read_table(out / "isotropy.parquet")["count"].to_pylist() == [len(TEXTS)] * 2


def test_a_text_that_cannot_be_read_is_told(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_bytes("上海\n".encode() * 3 + b"\xff\xfe\xfd\n")
    job = Isotropy(str(checkpoint), tmp_path / "out", texts=str(tmp_path / "lines.txt"))
    with pytest.raises(InputError, match=r"lines\.txt: at 21: .*: mend or remove it"):
        run(job, engine=Local(1))
