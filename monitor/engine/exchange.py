"""One generation on behalf of one HTTP request: submitted, awaited or streamed, cancelled when the client is gone.

Knows nothing of parameters or of the model.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from monitor.engine.answers import Answer
from monitor.engine.generation import Generation, Piece
from monitor.engine.owner import Owner
from monitor.engine.refusal import Refusal

CLIENT_GONE = 499


class Mailbox:
    """Carries pieces from the engine's thread to the event loop that made it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces = asyncio.Queue[Piece | Refusal]()

    def deliver(self, _: Generation, piece: Piece | Refusal) -> None:
        """Called from the engine's thread."""
        # At shutdown the loop may be gone before the engine's last word.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def take(self) -> Piece:
        """The next piece. Raises Refusal when the generation failed."""
        piece = await self._pieces.get()
        if isinstance(piece, Refusal):
            raise piece
        return piece


async def answer_whole(
    request: Request, owner: Owner, generation: Generation, mail: Mailbox, answer: Answer
) -> Response:
    """The response once the generation has ended. Raises Refusal."""
    owner.submit(generation)
    piece = await _piece_or_gone(request, owner, generation, mail)
    return Response(status_code=CLIENT_GONE) if piece is None else JSONResponse(answer.whole(piece))


async def answer_stream(
    request: Request, owner: Owner, generation: Generation, mail: Mailbox, answer: Answer, *, with_usage: bool
) -> Response:
    """Server-sent events, begun with the first piece, so that an early failure has its own status. Raises Refusal."""
    owner.submit(generation)
    first = await _piece_or_gone(request, owner, generation, mail)
    if first is None:
        return Response(status_code=CLIENT_GONE)
    events = _events(first, owner, generation, mail, answer, with_usage)
    return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


async def _events(
    piece: Piece, owner: Owner, generation: Generation, mail: Mailbox, answer: Answer, with_usage: bool
) -> AsyncIterator[str]:
    ended = False
    try:
        yield _event(answer.chunk(piece))
        while piece.ending is None:
            piece = await mail.take()
            yield _event(answer.chunk(piece))
        ended = True
        if with_usage:
            yield _event(answer.usage_chunk(piece.ending))
    except Refusal as refusal:
        ended = True
        yield _event(refusal.body())
    finally:
        if not ended:
            owner.cancel(generation)
    yield "data: [DONE]\n\n"


def _event(content: dict[str, object]) -> str:
    return f"data: {json.dumps(content)}\n\n"


async def _piece_or_gone(request: Request, owner: Owner, generation: Generation, mail: Mailbox) -> Piece | None:
    """The next piece; None, with the generation cancelled, when the client left first."""
    piece = asyncio.create_task(mail.take())
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({piece, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not piece.done():
            owner.cancel(generation)
        return piece.result() if piece.done() else None
    except asyncio.CancelledError:
        owner.cancel(generation)
        raise
    finally:
        piece.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
