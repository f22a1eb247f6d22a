"""Server-sent events, however they are cut and written."""

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.assistants.sse import event_data


async def read(*chunks: bytes) -> list[str]:
    async def source() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [data async for data in event_data(source())]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
        (b"data: a\r\rdata: b\r\r", ["a", "b"]),
        (b"data: first\ndata: second\n\n", ["first\nsecond"]),
        (b": keep-alive\n\ndata: a\n: comment\n\n", ["a"]),
        (b"event: message\nid: 7\nretry: 10\ndata: a\n\n", ["a"]),
        (b"data:a\n\ndata:  b\n\n", ["a", " b"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"data\n\n", [""]),
        (b"data: open at the end", ["open at the end"]),
        ("data: one\u2028line\n\n".encode(), ["one\u2028line"]),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
async def test_events_are_read_as_the_standard_says(stream: bytes, events: list[str]) -> None:
    assert await read(stream) == events


@given(st.lists(st.integers(0, 60), max_size=8))
async def test_where_the_chunks_are_cut_changes_nothing(cuts: list[int]) -> None:
    stream = "data: grüß dich\r\n\r\n: hm\r\ndata: zwei\rdata: drei\n\r\n\ndata: 🎉\n\n".encode()
    edges = [0, *sorted(cuts), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(edges)]
    assert await read(*chunks) == ["grüß dich", "zwei\ndrei", "🎉"]
