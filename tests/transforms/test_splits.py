"""Splits and files: a function of an example's id, whatever else there is."""

import itertools
import math
from collections import Counter
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import any_text
from transforms.splits import Splits, check_name, parse_shares

SHARES = (("train", 0.9), ("dev", 0.05), ("test", 0.05))
IDS = [f"article {number}" for number in range(20_000)]
SIGMAS = 5  # two-sided significance 6e-7: ids are fixed, so this holds or it does not


def near(found: int, *, of: int, share: float) -> bool:
    return abs(found - of * share) <= SIGMAS * math.sqrt(of * share * (1 - share))


def split_of(splits: Splits, identifier: str) -> str:
    place = splits.place(identifier)
    (name,) = [name for name, files in splits.ranges.items() if place in files]
    return name


# --- membership ---


@pytest.mark.parametrize(
    ("identifier", "place"),
    [("", 14), ("中国", 13), ("article 45", 16), ("article 13", 18), ("article 6", 19)],
)
def test_a_place_is_the_same_in_every_version(identifier: str, place: int) -> None:
    # BLAKE2b's first 8 bytes, big-endian, over 2**64 fall into the shares; the next 8 into the split's files.
    digest = blake2b(f"hanmill\0{identifier}".encode(), digest_size=16).digest()
    drawn, second = (int.from_bytes(half, "big") / 2**64 for half in (digest[:8], digest[8:]))
    name = "train" if drawn < 0.9 else "dev" if drawn < 0.95 else "test"
    splits = Splits(SHARES, files=16)
    assert splits.place(identifier) == place == splits.ranges[name][int(second * len(splits.ranges[name]))]


@given(any_text(), st.integers(1, 300), st.integers(1, 300), st.booleans())
def test_a_split_follows_from_id_salt_and_shares_alone(identifier: str, files: int, more: int, named: bool) -> None:
    splits = Splits(SHARES, files=files, salt="a")
    others = Splits(SHARES, named=("extra",) if named else (), files=more, salt="a")
    assert split_of(splits, identifier) == split_of(others, identifier)
    assert splits.place(identifier) in splits.ranges[split_of(splits, identifier)]
    assert splits.place(identifier) == Splits(SHARES, files=files, salt="a").place(identifier)


def test_training_examples_stay_when_a_split_is_added_at_the_end() -> None:
    two, three = Splits((("train", 0.9), ("dev", 0.1))), Splits(SHARES)
    for identifier in IDS[:2000]:
        before, now = split_of(two, identifier), split_of(three, identifier)
        assert before == now or (before, now) == ("dev", "test")


def test_shares_are_met() -> None:
    for salt in ("hanmill", "", "other"):
        splits = Splits(SHARES, salt=salt)
        found = Counter(split_of(splits, identifier) for identifier in IDS)
        assert all(near(found[name], of=len(IDS), share=share) for name, share in SHARES)


def test_another_salt_draws_anew() -> None:
    one, other = Splits(SHARES, salt="a"), Splits(SHARES, salt="b")
    both = sum(split_of(one, identifier) == split_of(other, identifier) == "dev" for identifier in IDS)
    assert near(both, of=len(IDS), share=0.05 * 0.05)


def test_no_hash_falls_behind_the_last_share() -> None:
    for shares in (SHARES, tuple((f"s{number}", 0.1) for number in range(10))):
        assert Splits(shares)._drawn(1.0) == shares[-1][0]
        assert Splits(shares)._drawn(0.0) == shares[0][0]


# --- files ---


@pytest.mark.parametrize(("files", "others"), [(1, 1), (7, 1), (8, 1), (16, 2), (100, 12)])
def test_each_split_has_files_of_its_own(files: int, others: int) -> None:
    ranges = Splits(SHARES, named=("extra", "dev"), files=files).ranges
    assert list(ranges) == ["extra", "dev", "train", "test"]
    assert {name: len(numbers) for name, numbers in ranges.items()} == {
        "extra": others,
        "dev": others,
        "train": files,
        "test": others,
    }
    assert [number for numbers in ranges.values() for number in numbers] == list(range(files + 3 * others))


def test_files_are_balanced_within_every_split() -> None:
    splits = Splits((("train", 0.5), ("dev", 0.5)), files=16)
    found = Counter(splits.place(identifier) for identifier in IDS)
    for files in splits.ranges.values():
        of_split = sum(found[number] for number in files)
        assert all(near(found[number], of=of_split, share=1 / len(files)) for number in files)


@given(any_text(), st.integers(0, 1 << 40))
def test_keys_have_64_bits(identifier: str, number: int) -> None:
    key = Splits().key(identifier, number)
    assert 0 <= key < 1 << 64
    assert key != Splits().key(identifier, number + 1)
    assert key != Splits(salt="other").key(identifier, number)


def test_keys_shuffle_a_file() -> None:
    splits = Splits()
    inside = [identifier for identifier in IDS if splits.place(identifier) == 3]
    order = sorted(inside, key=lambda identifier: splits.key(identifier, 0))
    positions = {identifier: place for place, identifier in enumerate(order)}
    rises = sum(positions[one] < positions[other] for one, other in itertools.pairwise(inside))
    assert near(rises, of=len(inside) - 1, share=0.5)


# --- names ---


def test_named_splits_take_what_is_named_for_them() -> None:
    splits = Splits(SHARES, named=("dev", "extra"), files=16)
    for identifier in IDS[:200]:
        assert splits.place(identifier, split="extra") in splits.ranges["extra"]
        assert splits.place(identifier, split="dev") in splits.ranges["dev"]
    assert {splits.place(identifier, split="extra") for identifier in IDS[:200]} == set(splits.ranges["extra"])
    assert Splits(named=("dev",)).names == ("dev", "train")


@pytest.mark.parametrize("name", ["train", "Dev_2", "_x", "a1"])
def test_names_of_splits(name: str) -> None:
    assert check_name(name) == name
    assert parse_shares(f" {name}=1 ") == ((name, 1.0),)


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "训练", "a.b", "a/b", "²"])
def test_what_is_no_name_of_a_split(name: str) -> None:
    with pytest.raises(ValueError, match=r"is no name of a split: letters, digits and underscores, as train$"):
        check_name(name)


def test_shares_of_a_text() -> None:
    assert parse_shares("train=0.9, dev=0.05,test=.05") == SHARES
    for text in ("train", "train=", "train=many", "train=0.9;dev"):
        with pytest.raises(ValueError, match=r"write a split and its share, as train=0\.9$"):
            parse_shares(text)
    for text in ("", "train=1,", "=1"):
        with pytest.raises(ValueError, match="is no name of a split"):
            parse_shares(text)


@pytest.mark.parametrize(
    "shares",
    [
        (),
        (("train", 0.0), ("dev", 1.0)),
        (("train", -0.1), ("dev", 1.1)),
        (("train", 0.9),),
        (("train", 0.9), ("dev", 0.2)),
        (("train", math.nan),),
        (("train", 0.5), ("dev", math.nan)),
        (("train", math.inf),),
    ],
)
def test_bad_shares(shares: tuple[tuple[str, float], ...]) -> None:
    with pytest.raises(ValueError, match=r"^shares must be positive and add up to 1$"):
        Splits(shares)


def test_bad_splits() -> None:
    with pytest.raises(ValueError, match=r"^a split stands twice in train, dev, train$"):
        Splits((("train", 0.5), ("dev", 0.4), ("train", 0.1)))
    with pytest.raises(ValueError, match=r"^0 files: at least one$"):
        Splits(files=0)
    Splits(tuple((f"s{number}", 1 / 30) for number in range(30)))
