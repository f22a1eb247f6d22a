"""The web servers: metrics and health, and the pages with the API. They live as long as the process."""

from __future__ import annotations

from contextlib import AsyncExitStack

from starlette.types import ASGIApp

from monitor.bootstrap.in_force import InForce
from monitor.bootstrap.parts import utc_now
from monitor.bootstrap.planning import plans
from monitor.config.fields import Address
from monitor.metrics import Metrics
from monitor.pulse import Pulse
from monitor.store import Store
from monitor.web.api import Api, Controls
from monitor.web.health import Health
from monitor.web.operations import operations_app
from monitor.web.pages import pages_app
from monitor.web.reports import ToolCallReports
from monitor.web.server import WebServer


def open_listeners(
    in_force: InForce, stack: AsyncExitStack, store: Store, metrics: Metrics, pulse: Pulse, controls: Controls
) -> tuple[str | None, str | None]:
    """Start both, until the stack ends; their URLs, None where one is turned off. Raises MonitorError."""
    server = in_force.config.settings.server

    def health() -> Health:
        return Health(ok=pulse.is_beating, reason="ok" if pulse.is_beating else "the event loop makes no progress")

    def ready() -> Health:
        hindrance = pulse.hindrance() if pulse.is_ready else None
        return Health(ok=pulse.is_ready and hindrance is None, reason=hindrance or pulse.reason)

    metrics_app = operations_app(metrics, health, ready)
    return _listen(stack, metrics_app, server.metrics), _listen(
        stack, _pages(in_force, store, metrics, controls), server.pages
    )


def _pages(in_force: InForce, store: Store, metrics: Metrics, controls: Controls) -> ASGIApp:
    settings = in_force.config.settings

    def redact(text: str) -> str:
        return in_force.redactor.redact(text)

    return pages_app(
        store,
        lambda: metrics.snapshot,
        base_url=settings.public_url,
        token=settings.server.pages_token.reveal() if settings.server.pages_token else None,
        calibration_days=lambda: in_force.config.settings.scoring.calibration_days,
        reports=ToolCallReports(store.save_reported, redact, utc_now),
        api=Api(controls),
        plans=lambda: plans(in_force.config),
        has_badges=settings.server.badge,
    )


def _listen(stack: AsyncExitStack, app: ASGIApp, address: Address | None) -> str | None:
    if address is None:
        return None
    web = WebServer(app, host=address.host, port=address.port)
    web.start()
    stack.callback(web.stop)
    host, port = web.address
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
