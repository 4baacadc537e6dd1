"""Values of options, and what a user reads where one is none."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.commands.options import needing, parse_size
from pipelines.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1), ("64", 64), ("64B", 64), ("64kB", 64_000), ("64KiB", 65_536), ("32MiB", 32 << 20),
        ("1.5MB", 1_500_000), ("2GB", 2_000_000_000), ("2 GiB", 2 << 30), (" 5 mib ", 5 << 20), ("0.5KiB", 512),
        ("1e3", 1000),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text, "--size") == size


@pytest.mark.parametrize(
    "text", ["", "MiB", "12 parsecs", "1TB", "32M", "0x10", "nan", "inf", "1e999", "1,5MB", "--", "5%", "KiB5"]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match=f"^--size {re.escape(text)}: not a size; write bytes, or 64kB, 32MiB, 1GiB$"):
        parse_size(text, "--size")


@pytest.mark.parametrize("text", ["0", "-1", "-3MiB", "0.9", "0.0001kB"])
def test_sizes_below_a_byte(text: str) -> None:
    with pytest.raises(UsageError, match=f"^--size {re.escape(text)}: must be at least one byte$"):
        parse_size(text, "--size")


@given(text=st.text())
def test_any_text_is_a_size_or_wrong_usage(text: str) -> None:
    try:
        assert parse_size(text, "--size") >= 1
    except UsageError as error:
        assert str(error).startswith(f"--size {text}: ")  # noqa: PT017  either outcome is right


def test_a_package_that_is_not_there_is_named_with_its_extra() -> None:
    message = r"^hanmill records needs the package no_such_package: pip install 'hanmill\[records\]'$"
    with pytest.raises(UsageError, match=message), needing("records", command="hanmill records"):
        import no_such_package  # noqa: F401


def test_other_errors_of_an_import_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), needing("records", command="hanmill records"):
        raise ZeroDivisionError
