"""A service on the loopback interface that is pinged, and answers or fails as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Pinged:
    """`statuses` are answered in order, then 200 for ever; None: nothing until the client leaves."""

    url: str
    statuses: list[int | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@asynccontextmanager
async def pinged(*statuses: int | None) -> AsyncIterator[Pinged]:
    """Serve until the end of the block."""
    service = Pinged(url="", statuses=list(statuses))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        service.paths.append(head.split()[1].decode())
        status = service.statuses.pop(0) if service.statuses else 200
        if status is None:
            await reader.read()
        else:
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ping/3fd1c0de-secret"
    try:
        yield service
    finally:
        server.close()
