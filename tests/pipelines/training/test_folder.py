"""The folder of a run: the best weights are there whatever was killed, and records are known by their content."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.datasets import DataSet
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
