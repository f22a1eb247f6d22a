"""Headers that every answer carries, error pages included: nothing foreign is loaded, framed, cached or told."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

_ALWAYS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer browsers hide from us that a form is our own
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

BADGES = "/badge/"
"""How paths of pictures begin that pages elsewhere may show, where they are turned on."""


class SecurityHeaders:
    """Wraps an application from outside, so that its error pages are covered too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_ALWAYS)
                if scope["path"].startswith(BADGES):
                    headers["cross-origin-resource-policy"] = "cross-origin"
                    headers["cache-control"] = "no-cache, no-store, must-revalidate"  # what proxies of pictures heed
            await send(message)

        await self._app(scope, receive, send_with_headers)
