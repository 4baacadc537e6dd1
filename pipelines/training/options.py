"""What a training run is told."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What a run is: its records, its encoder, and how it learns. `epochs` counts where `steps` is 0, but there are at
    least so many steps as `least_steps` says.

    `encoder`: the name of a preset, for a run without `init`; without both a task's own light model is trained, if it
    has one. `changes`: fields of the encoder's config that are replaced. `knowledge_base`: of entity linking, where it
    does not lie where the records say.
    `head_rate`: the learning rate of what is not the encoder, times that of the encoder.
    `accumulate`: batches whose gradients make one step. `ema`: the decay of averaged weights; 0 is none.
    """

    records: str
    out: Path
    init: Path | None = None
    encoder: str | None = "roberta-tiny"
    changes: tuple[tuple[str, Any], ...] = ()
    knowledge_base: Path | None = None
    epochs: float = 3.0
    steps: int = 0
    least_steps: int = 0
    batch_size: int = 32
    learning_rate: float = 5e-5
    head_rate: float = 1.0
    schedule: str = "cosine"
    warmup: float = 0.1
    weight_decay: float = 0.01
    accumulate: int = 1
    ema: float = 0.0
    precision: str = "float32"
    deterministic: bool = False
    seed: int = 0
    checkpoint_minutes: float = 10.0

    def configuration(self, *, task: str, records: str) -> dict[str, Any]:
        """As `config.json` has it; a run goes on only with the same. `records`: their fingerprint."""
        values = asdict(self)
        for name in ("out", "checkpoint_minutes", "knowledge_base"):
            del values[name]
        init = str(self.init) if self.init else None
        return {**values, "task": task, "records": records, "init": init, "changes": dict(self.changes)}


# Of a head with random weights behind an encoder that was trained before; few records want more passes for it than many
# (arXiv:2006.04884).
NEW_HEAD: Mapping[str, Any] = {"head_rate": 20.0, "least_steps": 300}
# Of a light model, which begins with random weights and has few of them (kexue.fm 6919).
LIGHT: Mapping[str, Any] = {"encoder": None, "epochs": 20.0, "learning_rate": 1e-3}
