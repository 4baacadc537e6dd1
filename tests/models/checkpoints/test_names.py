"""Names of all weights, one to one; whole checkpoints are compared in `test_google` and `test_huggingface`."""

import pytest

from models.checkpoints.names import NAMES, Family, Layout, family_of
from models.encoder import Encoder
from models.heads.masked_language_model import MaskedLanguageModel
from tests.models.checkpoints.written import google_arrays, huggingface_arrays
from tests.models.strategies import small

FIELDS = {"bert": {}, "albert": {"share_layers": True, "embedding_size": 5}}


def written(layout: Layout, family: Family) -> set[str]:
    google = google_arrays(family, optimizer=False)
    return set(google if layout == "google" else huggingface_arrays(google, family, prefix=False))


@pytest.mark.parametrize(("layout", "family"), NAMES)
def test_each_weight_has_one_name_and_each_name_a_weight(layout: Layout, family: Family) -> None:
    model = MaskedLanguageModel(Encoder(small(**FIELDS[family])))
    names = {weight.path: NAMES[layout, family].name_of(weight.path) for weight in model.weights}
    assert len(set(names.values())) == len(names)
    rest = {name for name in written(layout, family) if "pooler" not in name and "seq_relationship" not in name}
    assert set(names.values()) == rest
    for path, name in names.items():
        assert name is not None
        assert NAMES[layout, family].is_encoder(name) == path.startswith("encoder/")


@pytest.mark.parametrize(("layout", "family"), NAMES)
def test_the_family_is_seen_by_the_names(layout: Layout, family: Family) -> None:
    assert family_of(written(layout, family), layout=layout) == family
    assert family_of(["model.layers.0.mlp.up_proj.weight"], layout=layout) is None


@pytest.mark.parametrize(("layout", "family"), NAMES)
@pytest.mark.parametrize(
    "weight",
    ["text_classification/classes/kernel", "encoder/block_0/attention/mix_before/kernel", "encoder/block_0/output/x"],
)
def test_weights_of_ours_alone_have_no_name(layout: Layout, family: Family, weight: str) -> None:
    assert NAMES[layout, family].name_of(weight) is None


@pytest.mark.parametrize("slot", ["adam_m", "adam_v", "lamb_m", "lamb_v", "Adam", "Adam_1"])
def test_optimizers_are_not_the_encoder(slot: str) -> None:
    name = "bert/encoder/layer_0/output/dense/kernel"
    assert NAMES["google", "bert"].is_encoder(name)
    assert not NAMES["google", "bert"].is_encoder(f"{name}/{slot}")
    assert not NAMES["huggingface", "bert"].is_encoder("embeddings.position_ids")
