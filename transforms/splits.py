"""Which split and which file an example belongs to: a function of its id and a salt, whatever else there is."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

TRAIN = "train"
TEST = "test"  # the split that may lack gold
TRAIN_FILES_A_FILE = 8


@dataclass(frozen=True)
class Splits:
    """Splits and their files. Raises ValueError for shares that are not positive or do not add up to 1.

    `shares`: split and share of the examples that were named for no split. `named`: splits that inputs were named for.
    `files`: of the split `train`; each other has an eighth as many, and one at least.

    >>> splits = Splits((("train", 0.9), ("dev", 0.1)), files=16)
    >>> splits.ranges
    {'train': range(0, 16), 'dev': range(16, 18)}
    >>> splits.place("an id"), splits.place("an id", split="dev")
    (9, 17)
    """

    shares: tuple[tuple[str, float], ...] = ((TRAIN, 1.0),)
    named: tuple[str, ...] = ()
    files: int = 16
    salt: str = "hanmill"

    def __post_init__(self) -> None:
        names = [name for name, _ in self.shares]
        if len(set(names)) != len(names):
            raise ValueError(f"a split stands twice in {', '.join(names)}")
        shares = [share for _, share in self.shares]
        if not (all(share > 0 for share in shares) and abs(sum(shares) - 1) <= 1e-9):  # nor is NaN a share
            raise ValueError("shares must be positive and add up to 1")
        if self.files < 1:
            raise ValueError(f"{self.files} files: at least one")

    @property
    def names(self) -> tuple[str, ...]:
        """All splits that get examples."""
        return tuple(dict.fromkeys([*self.named, *(name for name, _ in self.shares)]))

    @functools.cached_property
    def ranges(self) -> Mapping[str, range]:
        """The numbers of each split's files, among those of all."""
        found, begin = {}, 0
        for name in self.names:
            count = self.files if name == TRAIN else max(1, self.files // TRAIN_FILES_A_FILE)
            found[name] = range(begin, begin + count)
            begin += count
        return found

    def split(self, identifier: str, *, split: str = "") -> str:
        """The split of an example; `split`: the one that it was named for."""
        return split or self._drawn(_hashes(f"{self.salt}\0{identifier}")[0] / 2**64)

    def place(self, identifier: str, *, split: str = "") -> int:
        """The number of an example's file."""
        files = self.ranges[self.split(identifier, split=split)]
        return files[_hashes(f"{self.salt}\0{identifier}")[1] * len(files) >> 64]

    def key(self, identifier: str, number: int) -> int:
        """Where a record comes in its file: 64 bits. `number`: of the example's record."""
        return _hashes(f"{self.salt}\0{identifier}\0{number}")[0]

    def _drawn(self, drawn: float) -> str:
        top = 0.0
        for name, share in self.shares:
            top += share
            if drawn < top:
                return name
        return self.shares[-1][0]


def _hashes(text: str) -> tuple[int, int]:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")


def parse_shares(text: str) -> tuple[tuple[str, float], ...]:
    """The shares of `train=0.9,dev=0.05,test=0.05`; raises ValueError.

    >>> parse_shares("train=0.9,dev=0.1")
    (('train', 0.9), ('dev', 0.1))
    """
    shares = []
    for item in text.split(","):
        name, _, share = item.strip().partition("=")
        check_name(name)
        try:
            shares.append((name, float(share)))
        except ValueError:
            raise ValueError(f"{item!r}: write a split and its share, as train=0.9") from None
    return tuple(shares)


def check_name(name: str) -> str:
    """Returns the name of a split if it can be part of file names: letters, digits, underscores; raises ValueError."""
    if not (name.isascii() and name.replace("_", "a").isalnum()) or name[0].isdigit():
        raise ValueError(f"{name!r} is no name of a split: letters, digits and underscores, as train")
    return name
