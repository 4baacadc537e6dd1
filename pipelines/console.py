"""Lines on standard error, for a person or a log."""

import sys

SECONDS_BETWEEN_LINES = 10.0


def tell(text: str) -> None:
    """A plain line on standard error."""
    print(f"hanmill: {text}", file=sys.stderr, flush=True)


def count_of(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count_of(1, "worker"), count_of(2000, "worker")
    ('1 worker', '2,000 workers')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
