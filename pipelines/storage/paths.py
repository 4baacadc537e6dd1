"""Local paths and fsspec URLs, opened alike; names of any encoding as text."""

import functools
import os
from typing import IO, cast


def open_path(path: str) -> IO[bytes]:
    """Opens a local path or an fsspec URL for reading."""
    if "://" in path:
        import fsspec

        return cast(IO[bytes], fsspec.open(path, "rb").open())
    return open(path, "rb")


@functools.lru_cache(maxsize=1024)  # one text for all files of a folder, which are many
def label_of(name: str) -> str:
    """A file's or folder's name as a label, which must be text whatever bytes the name is made of."""
    return readable(os.fsencode(name))


def readable(name: bytes) -> str:
    """A name of unknown encoding: UTF-8, else GB18030 as on old Chinese systems.

    >>> readable("新闻".encode()), readable("新闻".encode("gb18030"))
    ('新闻', '新闻')
    """
    for encoding in ("utf-8", "gb18030"):
        try:
            return name.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name.decode("latin-1")
