"""Lines on standard error, for a person or a log."""

import sys

SECONDS_BETWEEN_LINES = 10.0


def tell(text: str) -> None:
    """A plain line on standard error."""
    print(f"hanmill: {text}", file=sys.stderr, flush=True)
