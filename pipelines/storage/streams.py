"""Files as streams of bytes: local or by URL, decompressed, wide characters as UTF-8."""

import codecs
import io
import sys
from typing import IO, cast

import pyarrow as pa

from pipelines.storage.listing import Source
from pipelines.storage.paths import open_path


def open_source(source: Source) -> IO[bytes]:
    """Opens a source as a stream of decompressed bytes; UTF-16 and UTF-32 come as UTF-8, faults in them included."""
    file = open_path(source.path)
    if source.compression:
        codec = {"gz": "gzip", "zst": "zstd"}[source.compression]
        file = cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(file, "r"), codec))
    if source.wide:
        file = cast(IO[bytes], _Transcoder(file, source.encoding))
    return file


class _Transcoder(io.RawIOBase):
    """Re-encodes wide characters as UTF-8; what cannot be decoded becomes bytes that are not UTF-8."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file, self._encoding = file, encoding
        self._decoder: codecs.IncrementalDecoder | None = None

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def read(self, size: int = -1) -> bytes:
        while block := self._file.read(max(size, 4) if self._decoder is None else size):
            self._decoder = self._decoder or _wide_decoder(self._encoding, block)
            if text := self._decoder.decode(block):
                return text.encode("utf-8", "surrogatepass")
        if self._decoder is None:
            return b""
        try:
            return self._decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            self._decoder.reset()
            return b"\xff"


def _wide_decoder(encoding: str, head: bytes) -> codecs.IncrementalDecoder:
    """A decoder for what begins with `head`; without a byte order mark the order is the machine's, as in `decode`."""
    marks = {"utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)}
    if encoding in marks and not head.startswith(marks[encoding]):
        encoding = f"{encoding}-{sys.byteorder[0]}e"
    return codecs.getincrementaldecoder(encoding)("surrogatepass")
