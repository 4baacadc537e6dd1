"""Texts and figures that all reports share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reports.figures import bars, shown


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\n", r"\n"), (" ", r"\x20"), ("  ", r"\x20\x20"), ("a b", "a b"), ("\u3000", r"\u3000"),
        ("\0\x1b", r"\x00\x1b"),
        ("\u202eabc", r"\u202eabc"), ("\ue000", r"\ue000"), ("\ud800", r"\ud800"), ("", ""), ("𠮷😀", "𠮷😀"),
        ("长" * 20, "长" * 20), ("长" * 21, "长" * 19 + "…"), ("\0" * 6, (r"\x00" * 6)[:19] + "…"),
    ],
)  # fmt: skip
def test_what_is_invisible_is_shown(text: str, seen: str) -> None:
    assert shown(text, length=20) == seen


@given(st.text(max_size=300))
def test_what_is_shown_is_short_and_visible(text: str) -> None:
    found = shown(text, length=30)
    assert len(found) <= 30
    assert found.isprintable()
    assert found.strip(" ") or not text


def test_bars_are_placed_by_rank() -> None:
    """Two names that are cut to the same text stay two bars."""
    plot = bars(["x" * 50, "x" * 51], [3, 4.0], width=100, titles=("name", "number"))
    data = plot.renderers[0].data_source.data
    assert (data["rank"], data["value"]) == ([1, 2], [3, 4.0])
    assert data["name"][0] == data["name"][1]
