"""The table of everything that can be asked: routes are made of it, and its description."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from monitor.check import Snapshot
from monitor.errors import StoreFailure
from monitor.web.answers import Answer
from monitor.web.answers.alerts import ReloadedAnswer
from monitor.web.api import alerts, results
from monitor.web.api.controls import STARTING, Controls
from monitor.web.api.endpoint import V1, Call, Endpoint, NoBody
from monitor.web.api.openapi import describe
from monitor.web.api.queries import Query
from monitor.web.api.serving import AnyEndpoint, routes_of
from monitor.web.api.suites import Suites
from monitor.web.asked import Asked
from monitor.web.bodies import Away, Refused
from monitor.web.plans import Plan

RELOAD = "/-/reload"
DOCUMENT = f"{V1}/openapi.json"


class DocumentAnswer(Answer):
    """The description of the API, in the form of OpenAPI 3.1."""

    model_config = ConfigDict(extra="allow")

    openapi: str
    info: dict[str, Any]
    servers: list[dict[str, Any]]
    paths: dict[str, Any]
    components: dict[str, Any]


class Api:
    """All that reads or moves the monitor through `controls`."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    @property
    def controls(self) -> Controls:
        """What it reads and moves."""
        return self._controls

    def endpoints(
        self, snapshot: Callable[[], Snapshot | None], plans: Callable[[], Mapping[str, Plan]]
    ) -> list[AnyEndpoint]:
        """`snapshot` is what was last published of the suites, `plans` what is configured of them, by name."""
        reload = Endpoint(
            method="POST",
            path=RELOAD,
            name="reload",
            summary="Read the configuration anew; 422 with the problems if it is refused, and the one before holds on.",
            query=Query,
            body=Asked,
            answer=ReloadedAnswer,
            work=self._reload,
        )
        controls, suites = self._controls, Suites(snapshot=snapshot, plans=plans)
        return [*suites.endpoints(controls), *results.endpoints(controls), *alerts.endpoints(controls), reload]

    async def _reload(self, call: Call[Query, Asked]) -> ReloadedAnswer:
        controls = self._controls
        if controls.reload is None or controls.operations is None:
            raise Away(STARTING)
        problems = [*await controls.reload()]
        with suppress(StoreFailure):  # what holds now holds, also while the database is away
            await run_in_threadpool(controls.operations().note_reload, by=call.body.by, is_refused=bool(problems))
        if problems:
            error = "the configuration was refused and the one before holds on; mend these and reload again"
            raise Refused(422, error, problems)
        return ReloadedAnswer(reloaded=True)


def api_routes(endpoints: Sequence[AnyEndpoint], *, prefix: str, has_token: bool) -> list[Route]:
    """The routes of all these, and of their description."""

    async def document(_: Call[Query, NoBody]) -> DocumentAnswer:
        return DocumentAnswer.model_validate(described)

    itself: AnyEndpoint = Endpoint(
        method="GET",
        path=DOCUMENT,
        name="document",
        summary="This description.",
        query=Query,
        body=NoBody,
        answer=DocumentAnswer,
        work=document,
    )
    table = [*endpoints, itself]
    described = describe(table, prefix=prefix, has_token=has_token)
    return routes_of(table)
