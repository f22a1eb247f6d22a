"""A way to a database on the loopback interface that a test can cut: every connection reset, and none taken."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Forwards to a port of 127.0.0.1 while it is not cut. Its own port stays the same."""

    target: int
    port: int = 0
    cuts: int = 0
    _server: asyncio.Server | None = None
    _ways: set[asyncio.Task[None]] = field(default_factory=set)

    async def mend(self) -> None:
        """Take connections from now on."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Reset what is open and take no more, until `mend`."""
        if self._server:
            self.cuts += 1
            self._server.close()
            self._server = None
        for way in self._ways:
            way.cancel()

    async def aclose(self) -> None:
        """End for good."""
        self.cut()
        await asyncio.gather(*self._ways, return_exceptions=True)

    async def _serve(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        way = asyncio.current_task()
        assert way is not None
        self._ways.add(way)
        writers = [near_out]
        try:
            far_in, far_out = await asyncio.open_connection("127.0.0.1", self.target)
            writers.append(far_out)
            pipes = [asyncio.create_task(_pipe(near_in, far_out)), asyncio.create_task(_pipe(far_in, near_out))]
            try:
                await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pipe in pipes:
                    pipe.cancel()
                await asyncio.gather(*pipes, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._ways.discard(way)
            for writer in writers:
                writer.transport.abort()


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
