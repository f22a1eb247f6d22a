"""One generation on behalf of one HTTP request: submitted, awaited or streamed, cancelled when the client is gone.

Knows nothing of parameters or of the model.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from monitor.engine.answers import Answer, together
from monitor.engine.generation import Generation, Job, Piece, Result, Scored, Scoring
from monitor.engine.owner import Owner
from monitor.engine.refusal import Refusal

CLIENT_GONE = 499


class Mailbox:
    """Carries pieces from the engine's thread to the event loop that made it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._results = asyncio.Queue[Result]()

    def deliver(self, _: Job, result: Result) -> None:
        """Called from the engine's thread."""
        # At shutdown the loop may be gone before the engine's last word.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._results.put_nowait, result)

    async def take(self) -> Piece | Scored:
        """What comes next. Raises Refusal when the request failed."""
        result = await self._results.get()
        if isinstance(result, Refusal):
            raise result
        return result


async def answer_whole(
    request: Request, owner: Owner, generation: Generation, mail: Mailbox, answer: Answer
) -> Response:
    """The response once the generation has ended. Raises Refusal."""
    owner.submit(generation)
    piece = await _result_or_gone(request, owner, generation, mail)
    return JSONResponse(answer.whole(piece)) if isinstance(piece, Piece) else Response(status_code=CLIENT_GONE)


async def answer_scores(
    request: Request, owner: Owner, scoring: Scoring, mail: Mailbox, answers: Sequence[Answer]
) -> Response:
    """The response once all continuations are scored; `answers` are in their order. Raises Refusal."""
    owner.submit(scoring)
    scored = await _result_or_gone(request, owner, scoring, mail)
    return JSONResponse(together(answers, scored)) if isinstance(scored, Scored) else Response(status_code=CLIENT_GONE)


async def answer_stream(
    request: Request, owner: Owner, generation: Generation, mail: Mailbox, answer: Answer, *, with_usage: bool
) -> Response:
    """Server-sent events, begun with the first piece, so that an early failure has its own status. Raises Refusal."""
    owner.submit(generation)
    first = await _result_or_gone(request, owner, generation, mail)
    if not isinstance(first, Piece):
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
            following = await mail.take()
            assert isinstance(following, Piece)
            piece = following
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


async def _result_or_gone(request: Request, owner: Owner, job: Job, mail: Mailbox) -> Piece | Scored | None:
    """What comes next; None, with the request cancelled, when the client left first."""
    result = asyncio.create_task(mail.take())
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({result, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not result.done():
            owner.cancel(job)
        return result.result() if result.done() else None
    except asyncio.CancelledError:
        owner.cancel(job)
        raise
    finally:
        result.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
