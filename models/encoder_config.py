"""What an encoder is made of: sizes, attention, sharing, dropout; checked, and read from and written to JSON."""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

SYNTHESIZERS = (
    "synthesizer-dense",
    "synthesizer-random",
    "synthesizer-fixed-random",
    "synthesizer-factorized-dense",
    "synthesizer-factorized-random",
)
ATTENTIONS = ("dot-product", "talking-heads", *SYNTHESIZERS)
ACTIVATIONS = ("gelu-tanh", "gelu-erf")

_DERIVED = ("head_size", "key_size", "intermediate", "embedding_size", "key_heads", "value_heads")
_RATES = ("dropout", "attention_dropout")


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """One encoder of the BERT family. Sizes that are 0 take the value that follows from the others.

    vocabulary_size, positions, segment_types: rows of the three embedding tables; `positions` is the longest input.
    hidden, layers, intermediate: width H, blocks, width of the feed-forward layer; 0 is 4 · H.
    heads, head_size, key_size: h heads, whose values have width s (0: H / h), whose queries and keys have width k
    (0: s) as RoBERTa+ has it (kexue.fm 7325, arXiv:2002.07028).
    embedding_size: width E of the tables; 0 is H. A smaller one is projected to H, as in ALBERT (arXiv:1909.11942).
    share_layers: one block for all layers (ALBERT), else a block each (BERT; ALBERT unshared, kexue.fm 7187).
    attention: one of `ATTENTIONS`, or several joined by `+`, without talking-heads: a mixture with learned weights.
    key_heads, value_heads, mix_after_softmax: talking-heads (arXiv:2003.02436): logits of h_k heads (0: h) are mixed
    into h before the softmax; the weights of h heads into h_v (0: h) after it, if `mix_after_softmax`.
    synthesizer_rank: width of the two factors of synthesizer-factorized-random (arXiv:2005.00743).
    activation: gelu in its tanh form (Google's) or exact, by the error function (Hugging Face's "gelu").
    dropout, attention_dropout: of hidden states, and of attention weights.
    layer_norm_epsilon: added to variances.
    rematerialize: a block's inner states are computed again in the backward pass and not kept (kexue.fm 7367).

    Raises ValueError that names the field.

    >>> config = EncoderConfig(hidden=312, layers=4, heads=12, key_size=104)
    >>> config.head_size, config.key_size, config.intermediate
    (26, 104, 1248)
    >>> EncoderConfig(attention="talking-head")
    Traceback (most recent call last):
    ValueError: attention: 'talking-head' is not known: did you mean 'talking-heads'?
    """

    vocabulary_size: int = 21128
    hidden: int = 768
    layers: int = 12
    heads: int = 12
    head_size: int = 0
    key_size: int = 0
    intermediate: int = 0
    embedding_size: int = 0
    positions: int = 512
    segment_types: int = 2
    share_layers: bool = False
    attention: str = "dot-product"
    key_heads: int = 0
    value_heads: int = 0
    mix_after_softmax: bool = False
    synthesizer_rank: int = 8
    activation: str = "gelu-tanh"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    layer_norm_epsilon: float = 1e-12
    rematerialize: bool = False

    def __post_init__(self) -> None:
        self._check_types()
        derived = {
            "head_size": self.hidden // self.heads,
            "key_size": self.head_size or self.hidden // self.heads,
            "intermediate": 4 * self.hidden,
            "embedding_size": self.hidden,
            "key_heads": self.heads,
            "value_heads": self.heads,
        }
        if not self.head_size and self.hidden % self.heads:
            raise ValueError(f"head_size: give it, as {self.heads} heads do not divide hidden {self.hidden}")
        for name, value in derived.items():
            object.__setattr__(self, name, getattr(self, name) or value)
        self._check_attention()

    def _check_types(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is float and type(value) is int:
                object.__setattr__(self, field.name, value := float(value))
            if type(value) is not field.type:
                raise ValueError(f"{field.name}: {value!r} is not {_TYPES[field.type]}")
            least = 0 if field.name in _DERIVED else 1
            if field.type is int and value < least:
                raise ValueError(f"{field.name}: {value} is less than {least}")
        for name in _RATES:
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not a rate from 0 to below 1")
        if not 0 < self.layer_norm_epsilon < 1:
            raise ValueError(f"layer_norm_epsilon: {self.layer_norm_epsilon} is not between 0 and 1")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation: {unknown(self.activation, ACTIVATIONS)}")

    def _check_attention(self) -> None:
        for part in self.mixed:
            if part not in ATTENTIONS:
                raise ValueError(f"attention: {unknown(part, ATTENTIONS)}")
        if len(set(self.mixed)) < len(self.mixed):
            raise ValueError(f"attention: {self.attention} names a kind twice: name each once")
        if self.attention != "talking-heads":
            if "talking-heads" in self.mixed:
                raise ValueError(f"attention: {self.attention}: talking-heads is not mixed with others")
            for name in ("key_heads", "value_heads"):
                if getattr(self, name) != self.heads:
                    raise ValueError(f"{name}: {getattr(self, name)} differs from heads: needs attention talking-heads")
            if self.mix_after_softmax:
                raise ValueError(f"mix_after_softmax: needs attention talking-heads, and this is {self.attention}")
        if self.value_heads != self.heads and not self.mix_after_softmax:
            raise ValueError(f"value_heads: {self.value_heads} differs from heads: needs mix_after_softmax")
        if "synthesizer-factorized-dense" in self.mixed and self.positions > 3 and self.factors[0] == 1:
            raise ValueError(f"positions: {self.positions} is prime and cannot be factorized: take one with divisors")

    @property
    def mixed(self) -> tuple[str, ...]:
        """The kinds of attention that are mixed; one, where there is no mixture."""
        return tuple(self.attention.split("+"))

    @property
    def factors(self) -> tuple[int, int]:
        """The two most equal factors of `positions`, for synthesizer-factorized-dense.

        >>> EncoderConfig(positions=512).factors
        (16, 32)
        """
        least = next(number for number in range(int(self.positions**0.5), 0, -1) if self.positions % number == 0)
        return least, self.positions // least

    def to_json(self) -> str:
        """All fields, one a line; `from_json` is the inverse."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> "EncoderConfig":
        """Raises ValueError for what is not a JSON object of these fields.

        >>> EncoderConfig.from_json('{"hiden": 312}')
        Traceback (most recent call last):
        ValueError: 'hiden' is not known: did you mean 'hidden'?
        """
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"expected a JSON object of fields, and this is {text[:40]!r}")
        return EncoderConfig.of(values)

    @staticmethod
    def of(values: Mapping[str, Any]) -> "EncoderConfig":
        """A config from fields by name; raises ValueError that names an unknown one and the nearest valid name."""
        names = [field.name for field in fields(EncoderConfig)]
        for name in values:
            if name not in names:
                raise ValueError(unknown(name, names))
        return EncoderConfig(**values)


_TYPES: Mapping[Any, str] = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}


def unknown(name: str, known: Iterable[str]) -> str:
    """The message for a name that is not known: the nearest that is, else all that are."""
    nearest = difflib.get_close_matches(name, list(known), n=1)
    return f"{name!r} is not known: " + (f"did you mean {nearest[0]!r}?" if nearest else f"one of {', '.join(known)}")
