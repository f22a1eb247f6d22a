"""Server-sent events out of bytes, as the HTML standard reads them. Knows nothing of what the events say."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import AsyncIterable, AsyncIterator, Iterator

# Not str.splitlines: it would also split at U+2028 and others, which may stand inside JSON.
_LINE_END = re.compile("\r\n|\n|\r")


async def event_data(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """The data of each event: its `data` lines joined by newlines. Other fields and comments are skipped.

    Chunks may cut lines and characters anywhere. Unlike the standard, data still open at the end of the stream is
    given out, because servers leave out the last blank line; the reader of the data must tell whether it is whole.
    """
    lines = _Lines()
    data: list[str] = []
    async for chunk in chunks:
        for line in lines.feed(chunk):
            if line:
                data.extend(_data(line))
            elif data:
                yield "\n".join(data)
                data.clear()
    data.extend(_data(lines.rest()))
    if data:
        yield "\n".join(data)


def _data(line: str) -> Iterator[str]:
    name, _, value = line.partition(":")
    if name == "data":
        yield value.removeprefix(" ")


class _Lines:
    """Cuts a stream of UTF-8 into lines that end with LF, CR or CRLF, wherever the chunks are cut."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8-sig")("replace")
        self._open: list[str] = []
        self._ended_with_cr = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        text = self._decoder.decode(chunk)
        if not text:
            return
        if self._ended_with_cr:
            text = text.removeprefix("\n")
        self._ended_with_cr = text.endswith("\r") if text else False
        *whole, rest = _LINE_END.split(text)
        for line in whole:
            yield "".join([*self._open, line])
            self._open.clear()
        self._open.append(rest)

    def rest(self) -> str:
        """What came after the last line end."""
        return "".join([*self._open, self._decoder.decode(b"", final=True)])
