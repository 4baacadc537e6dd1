"""The folder of a run: the best weights are there whatever was killed, and records are known by their content."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.datasets import DataSet
from pipelines.storage.manifest import verify
from tests.pipelines.keras_modules import with_keras
from tests.pipelines.made_models import SIZES
from tests.pipelines.made_records import data_set


@pytest.fixture(scope="module")
def folder() -> Any:
    return with_keras("pipelines.training.folder")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return data_set(tmp_path_factory.mktemp("records"), 20)


@pytest.fixture(scope="module")
def encoder(folder: Any) -> Any:
    from models.encoder import Encoder
    from models.encoder_config import EncoderConfig

    return Encoder(EncoderConfig(vocabulary_size=30, **SIZES))


@pytest.mark.parametrize("killed_at", [1, 2])
def test_best_weights_survive_a_kill_between_their_renames(
    folder: Any, records: DataSet, encoder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    """Before the old ones are moved away, and before the new ones have their name."""
    assert folder.read_best(tmp_path) == {}
    folder.keep_best(tmp_path, encoder, records, {"step": 1, "accuracy": 0.5})
    rename, calls = Path.rename, 0

    def killed(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == killed_at:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            folder.keep_best(tmp_path, encoder, records, {"step": 2, "accuracy": 0.75})
    assert folder.read_best(tmp_path) == {"step": 1, "accuracy": 0.5}
    assert (tmp_path / "best/weights.safetensors").exists()
    folder.keep_best(tmp_path, encoder, records, {"step": 3, "accuracy": 0.75})
    assert folder.read_best(tmp_path) == {"step": 3, "accuracy": 0.75}
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_a_fingerprint_is_of_content_and_not_of_a_place(folder: Any, records: DataSet, tmp_path: Path) -> None:
    (tmp_path / "moved").symlink_to(records.directory)
    assert folder.fingerprint(DataSet.open(str(tmp_path / "moved"))) == folder.fingerprint(records)
    assert folder.fingerprint(data_set(tmp_path / "other", 21)) != folder.fingerprint(records)


def test_what_tells_of_the_records_is_copied(folder: Any, records: DataSet, tmp_path: Path) -> None:
    folder.describe_records(tmp_path, records)
    copied = {path.name: path.read_bytes() for path in (tmp_path / "records").iterdir()}
    assert copied.keys() >= {"vocab.txt", "features.json", "label.labels.txt", "manifest.json"}
    assert all((Path(records.directory) / name).read_bytes() == content for name, content in copied.items())
    assert json.loads(copied["manifest.json"]) == records.manifest


@pytest.fixture
def committed(folder: Any, records: DataSet, encoder: Any, tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text('{"seed": 0}')
    folder.describe_records(tmp_path, records)
    folder.keep_best(tmp_path, encoder, records, {"step": 3})
    folder.commit(tmp_path, {"task": "text-classification", "steps": 3, "best": {"step": 3}})
    return tmp_path


def test_a_run_is_committed_with_all_that_predictions_need(folder: Any, committed: Path) -> None:
    assert verify(committed) == folder.damaged(committed) == []
    parts = json.loads((committed / "manifest.json").read_text())["parts"]
    lying = {str(path.relative_to(committed)) for name in ("best", "records") for path in (committed / name).iterdir()}
    assert {part["name"] for part in parts} == {"config.json", *lying}
    assert folder.finished(committed, {"seed": 0})["steps"] == 3
    assert folder.finished(committed, {"seed": 1}) is None
    weights = committed / "best/weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (committed / "records/vocab.txt").unlink()
    assert folder.damaged(committed) == ["best/weights.safetensors", "records/vocab.txt"]
    assert len(verify(committed)) == 2


def test_what_is_cleared_is_no_longer_finished(folder: Any, committed: Path) -> None:
    (committed / "notes.txt").touch()
    folder.clear(committed)
    assert [path.name for path in committed.iterdir()] == ["notes.txt"]
