"""What machines ask a daemon: metrics, whether its loop makes progress, whether it is ready.

Shows no transcript and asks no database, so it may listen on any address without a token.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from monitor.metrics import Metrics
from monitor.web.headers import SecurityHeaders
from monitor.web.health import Health


def operations_app(metrics: Metrics, health: Callable[[], Health], ready: Callable[[], Health]) -> ASGIApp:
    """`/metrics`, `/healthz` and `/readyz`. The callables run on the web server's loop and must not block."""

    async def show_metrics(request: Request) -> Response:
        body, content_type = metrics.render(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    async def show_health(_: Request) -> Response:
        return _answer(health())

    async def show_ready(_: Request) -> Response:
        return _answer(ready())

    routes = [Route("/metrics", show_metrics), Route("/healthz", show_health), Route("/readyz", show_ready)]
    return SecurityHeaders(Starlette(routes=routes))


def _answer(health: Health) -> Response:
    body = {"ok": health.ok, "reason": health.reason, "details": dict(health.details)}
    return JSONResponse(body, status_code=200 if health.ok else 503)
