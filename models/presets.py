"""Encoders with names: the published sizes."""

from collections.abc import Mapping
from dataclasses import replace

from models.encoder_config import EncoderConfig


def _albert(config: EncoderConfig, *, shared: bool) -> EncoderConfig:
    return replace(config, share_layers=shared, dropout=0.0, attention_dropout=0.0)


_TINY = EncoderConfig(hidden=312, layers=4, heads=12, embedding_size=128)
_SMALL = EncoderConfig(hidden=384, layers=6, heads=12, embedding_size=128)
_BASE = EncoderConfig(embedding_size=128)

# All with the vocabulary of BERT-base Chinese. ALBERT: brightmart/albert_zh as bojone converted it. RoBERTa, RoBERTa+:
# ZhuiyiTechnology/pretrained-models, ALBERT's shapes with a block for each layer. BERT-small: Turc et al. 2019,
# arXiv:1908.08962, the shape of m3e-small.
PRESETS: Mapping[str, EncoderConfig] = {
    "bert-base": EncoderConfig(),
    "bert-small": EncoderConfig(hidden=512, layers=4, heads=8),
    "albert-tiny": _albert(_TINY, shared=True),
    "albert-small": _albert(_SMALL, shared=True),
    "albert-base": _albert(_BASE, shared=True),
    "albert-tiny-unshared": _albert(_TINY, shared=False),
    "albert-small-unshared": _albert(_SMALL, shared=False),
    "albert-base-unshared": _albert(_BASE, shared=False),
    "roberta-tiny": _TINY,
    "roberta-small": _SMALL,
    "roberta-plus-tiny": replace(_TINY, key_size=104),
    "roberta-plus-small": replace(_SMALL, key_size=128),
}
