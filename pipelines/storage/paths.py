"""Local paths and fsspec URLs, opened alike."""

from typing import IO, cast


def open_path(path: str) -> IO[bytes]:
    """Opens a local path or an fsspec URL for reading."""
    if "://" in path:
        import fsspec

        return cast(IO[bytes], fsspec.open(path, "rb").open())
    return open(path, "rb")
