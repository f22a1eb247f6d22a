"""Decompressing a body in bounded pieces, so that a small chunk from a stranger cannot become a large one in memory.

Knows zlib's formats only: they are the ones whose output can be bounded before it exists. Knows nothing of HTTP.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PIECE_BYTES = 64 * 1024

_WINDOW_BITS = {"": None, "identity": None, "gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": 15}


class Inflater:
    """Undoes one content-encoding. Raises ValueError for an encoding it does not know and for broken data."""

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        if name not in _WINDOW_BITS:
            raise ValueError(f"content-encoding {encoding!r} was not offered")
        window_bits = _WINDOW_BITS[name]
        self._zlib = zlib.decompressobj(window_bits) if window_bits is not None else None
        self._may_be_raw = name == "deflate"
        self._began = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes decompress to, in pieces of 1 to PIECE_BYTES; an unencoded body passes as it is."""
        if self._zlib is None:
            yield from (data,) if data else ()
            return
        while True:
            piece = self._inflate(data)
            if piece:
                yield piece
            data = self._zlib.unconsumed_tail
            if self._zlib.eof or (not data and len(piece) < PIECE_BYTES):
                return

    def finish(self) -> None:
        """Say that no more bytes come. Raises ValueError when the compressed data is not complete."""
        if self._zlib is not None and self._began and not self._zlib.eof:
            raise ValueError("compressed body ends early")

    def _inflate(self, data: bytes) -> bytes:
        assert self._zlib is not None
        try:
            piece = self._zlib.decompress(data, PIECE_BYTES)
        except zlib.error as exc:
            if self._may_be_raw and not self._began:
                # "deflate" means zlib's format; some servers send the bare stream instead.
                self._zlib, self._may_be_raw = zlib.decompressobj(-zlib.MAX_WBITS), False
                return self._inflate(data)
            raise ValueError(f"compressed body is broken: {exc}") from exc
        self._began = self._began or bool(data)
        return piece
