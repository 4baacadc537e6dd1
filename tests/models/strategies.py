"""Small encoders of every kind, and batches for them."""

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from models.encoder_config import ACTIVATIONS, SYNTHESIZERS, EncoderConfig

SMALL: dict[str, Any] = {"vocabulary_size": 40, "hidden": 12, "layers": 2, "heads": 3, "positions": 12}
MIXTURE = "+".join(("dot-product", *SYNTHESIZERS))
TALKING = {"attention": "talking-heads", "key_heads": 2, "heads": 3, "value_heads": 4, "mix_after_softmax": True}

# One of each kind, as keyword arguments to EncoderConfig.
VARIANTS: dict[str, dict[str, Any]] = {
    "bert": {},
    "albert": {"share_layers": True, "embedding_size": 5},
    "albert-unshared": {"embedding_size": 5},
    "key-size": {"key_size": 7},
    "talking-heads": {"attention": "talking-heads"},
    "talking-heads-of-each-number": TALKING,
    **{name: {"attention": name} for name in SYNTHESIZERS},
    "mixture": {"attention": MIXTURE, "key_size": 6},
}


def small(**fields: Any) -> EncoderConfig:
    return EncoderConfig(**{**SMALL, **fields})


@st.composite
def configs(draw: st.DrawFn) -> EncoderConfig:
    """Encoders of any kind whose sizes differ from each other where they may."""
    heads, positions = draw(st.integers(1, 3)), draw(st.sampled_from([4, 6, 9, 12]))
    fields: dict[str, Any] = {
        "vocabulary_size": draw(st.integers(2, 40)),
        "hidden": heads * draw(st.integers(1, 4)) * 2,
        "layers": draw(st.integers(1, 3)),
        "heads": heads,
        "head_size": draw(st.integers(0, 5)),
        "key_size": draw(st.integers(0, 5)),
        "intermediate": draw(st.integers(0, 9)),
        "embedding_size": draw(st.sampled_from([0, 3, 8])),
        "positions": positions,
        "segment_types": draw(st.integers(1, 3)),
        "share_layers": draw(st.booleans()),
        "activation": draw(st.sampled_from(ACTIVATIONS)),
        "synthesizer_rank": draw(st.integers(1, 4)),
        "layer_norm_epsilon": draw(st.sampled_from([1e-12, 1e-5])),
        "rematerialize": draw(st.booleans()),
    }
    kinds = st.lists(st.sampled_from(["dot-product", *SYNTHESIZERS]), min_size=1, max_size=3, unique=True)
    if draw(st.booleans()):
        fields["attention"] = "+".join(draw(kinds))
    else:
        fields |= {"attention": "talking-heads", "key_heads": draw(st.integers(0, 3))}
        if draw(st.booleans()):
            fields |= {"mix_after_softmax": True, "value_heads": draw(st.integers(0, 3))}
    return EncoderConfig(**fields)


@st.composite
def batches(
    draw: st.DrawFn, config: EncoderConfig
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Token ids, segment ids and a padding mask of any pattern that leaves a token in each text."""
    length = draw(st.sampled_from([1, config.positions]) | st.integers(1, config.positions))
    shape = (draw(st.integers(1, 3)), length)
    random = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    token_ids = random.integers(0, config.vocabulary_size, shape, np.int32)
    segment_ids = random.integers(0, config.segment_types, shape, np.int32)
    mask = random.random(shape) < draw(st.sampled_from([0.3, 0.8, 1.0]))
    mask[np.arange(shape[0]), random.integers(0, length, shape[0])] = True
    return token_ids, segment_ids, mask
