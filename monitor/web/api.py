"""The API for operators and their tools: incidents, silences, maintenance, baselines, the record of deeds, reload.

It does through `Operations` what the command line does. Knows neither tokens nor other machines' names: `access` keeps
the door, and `bodies` keeps foreign sites' posts out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.errors import NotThere, OverAlready, StaleWrite, StoreFailure
from monitor.operations import Operations
from monitor.web.asked import Acknowledged, Asked, B, Rebaselined, Resolved, Silenced, flag, limit
from monitor.web.bodies import Refused, away, read_body, refusal
from monitor.web.documents import (
    Document,
    audit_document,
    baseline_document,
    incident_document,
    maintenance_document,
    notification_document,
    silence_document,
)

V1 = "/api/v1"
RELOAD = "/-/reload"
STARTING = "the monitor is starting"
LATEST_START = timedelta(days=366)

Read = Callable[[Request, Operations], Document]


@dataclass(slots=True, kw_only=True)
class Controls:
    """What the API moves. It is called from the web server's thread, and filled in while the daemon starts.

    `operations` gives those of the configuration in force. `changed` is called after each change, so that messages go
    out at once. `reload` reads the configuration anew and gives the problems for which it was refused: none if it
    holds.
    """

    operations: Callable[[], Operations] | None = None
    changed: Callable[[], None] = lambda: None
    reload: Callable[[], Awaitable[Sequence[str]]] | None = None


class Api:
    """One method for what each route reads or does; they run in worker threads, one transaction or several each."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    def routes(self) -> list[Route]:
        """Where it all is."""
        return [
            Route(f"{V1}/incidents", self._reads(self._incidents)),
            Route(f"{V1}/incidents/{{id}}", self._reads(self._incident)),
            Route(f"{V1}/incidents/{{id}}/ack", self._does(Acknowledged, self._ack), methods=["POST"]),
            Route(f"{V1}/incidents/{{id}}/resolve", self._does(Resolved, self._resolve), methods=["POST"]),
            Route(f"{V1}/silences", self._reads(self._silences), methods=["GET"]),
            Route(f"{V1}/silences", self._does(Silenced, self._silence, status=201), methods=["POST"]),
            Route(f"{V1}/silences/{{id}}/expire", self._does(Asked, self._expire), methods=["POST"]),
            Route(f"{V1}/maintenance", self._reads(self._maintenance)),
            Route(f"{V1}/suites/{{suite}}/rebaseline", self._does(Rebaselined, self._rebaseline), methods=["POST"]),
            Route(f"{V1}/audit", self._reads(self._audit)),
            Route(RELOAD, self._reload, methods=["POST"]),
        ]

    def _incidents(self, request: Request, operations: Operations) -> Document:
        wanted, most = flag(request, "open"), limit(request)
        found = operations.store.incidents(open_only=wanted is True, limit=most)
        shown = [one for one in found if wanted is not False or one.closed_at is not None]
        return {"incidents": [incident_document(one) for one in shown]}

    def _incident(self, request: Request, operations: Operations) -> Document:
        incident = operations.store.incident(request.path_params["id"])
        if incident is None:
            raise Refused(404, f"there is no such incident; GET {V1}/incidents lists those that there are")
        told = operations.store.notifications(incident.id)
        return incident_document(incident) | {"notifications": [notification_document(message) for message in told]}

    def _ack(self, request: Request, operations: Operations, asked: Acknowledged) -> Document:
        lasting = timedelta(seconds=asked.lasting_seconds)
        return incident_document(operations.acknowledge(request.path_params["id"], by=asked.by, lasting=lasting))

    def _resolve(self, request: Request, operations: Operations, asked: Resolved) -> Document:
        return incident_document(operations.resolve(request.path_params["id"], by=asked.by, reason=asked.reason))

    def _silences(self, request: Request, operations: Operations) -> Document:
        lasting_at = None if flag(request, "all") else operations.now()
        found = operations.store.silences(lasting_at=lasting_at, limit=limit(request))
        return {"silences": [silence_document(one) for one in found]}

    def _silence(self, _: Request, operations: Operations, asked: Silenced) -> Document:
        now = operations.now()
        starts_at = asked.starts_at or now
        if starts_at > now + LATEST_START:
            raise Refused(400, f"starts_at: is more than a year away; write {asked.EXAMPLE}")
        ends_at = starts_at + timedelta(seconds=asked.lasting_seconds)
        if ends_at <= now:
            raise Refused(400, "starts_at: the silence would be over already; leave it out to begin now")
        return silence_document(
            operations.silence(asked.pattern, by=asked.by, reason=asked.reason, starts_at=starts_at, ends_at=ends_at)
        )

    def _expire(self, request: Request, operations: Operations, asked: Asked) -> Document:
        return silence_document(operations.expire(request.path_params["id"], by=asked.by))

    def _maintenance(self, _: Request, operations: Operations) -> Document:
        now = operations.now()
        return {"maintenance": [maintenance_document(planned, now) for planned in operations.maintenance]}

    def _rebaseline(self, request: Request, operations: Operations, asked: Rebaselined) -> Document:
        suite = request.path_params["suite"]
        return baseline_document(operations.rebaseline(suite, by=asked.by, reason=asked.reason))

    def _audit(self, request: Request, operations: Operations) -> Document:
        return {"audit": [audit_document(entry) for entry in operations.store.audit(limit=limit(request))]}

    async def _reload(self, request: Request) -> Response:
        try:
            asked = await read_body(request, Asked, Asked.EXAMPLE, may_be_empty=True)
        except Refused as refused:
            return refusal(refused.status, refused.error)
        if self._controls.reload is None or self._controls.operations is None:
            return away(STARTING)
        problems = [*await self._controls.reload()]
        with suppress(StoreFailure):  # what holds now holds, also while the database is away
            await run_in_threadpool(self._controls.operations().note_reload, by=asked.by, is_refused=bool(problems))
        if problems:
            error = "the configuration was refused and the one before holds on; mend these and reload again"
            return JSONResponse({"error": error, "problems": problems}, status_code=422)
        return JSONResponse({"reloaded": True})

    def _reads(self, read: Read) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            return await self._answer(partial(read, request))

        return answer

    def _does(
        self, kind: type[B], do: Callable[[Request, Operations, B], Document], *, status: int = 200
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                asked = await read_body(request, kind, kind.EXAMPLE, may_be_empty=True)
            except Refused as refused:
                return refusal(refused.status, refused.error)
            response = await self._answer(lambda operations: do(request, operations, asked), status)
            if response.status_code == status:
                self._controls.changed()
            return response

        return answer

    async def _answer(self, work: Callable[[Operations], Document], status: int = 200) -> Response:
        if self._controls.operations is None:
            return away(STARTING)
        try:
            done: dict[str, Any] = await run_in_threadpool(work, self._controls.operations())
        except (Refused, NotThere, StoreFailure) as exc:
            return _refusal(exc)
        return JSONResponse(done, status_code=status)


def _refusal(exc: Exception) -> Response:
    """What a failure is to whoever asked."""
    match exc:
        case Refused(status=status, error=error):
            return refusal(status, error)
        case OverAlready():
            return refusal(409, str(exc))
        case NotThere():
            return refusal(404, str(exc))
        case StaleWrite():
            return refusal(409, "it moved on again and again meanwhile; ask once more")
        case _:
            return away()
