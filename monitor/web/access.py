"""Who may see the pages: the holder of the token, or, where there is none, this machine.

A browser trades the token for a cookie that proves it without carrying it. Without a token the pages answer only to
names of this machine, so that a foreign site cannot read them by pointing its own name at 127.0.0.1.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.web.bodies import FOR_PROGRAMS, refusal

COOKIE = "assistant-monitor"
SESSION = timedelta(hours=12)
FORM_BYTES = 4096
LOGIN = "/login"
STATIC = "/static/"
FOREIGN = "this server does not answer to that name"

_PAGE = re.compile(
    r"/(?:(?:checks|conversations)/[\w.-]+|(?:incidents|review)(?:/[\w.-]+)?|suites/[\w.-]+(?:/checks|/intents/[\w.-]+)?)?",
    re.ASCII,
)

_QUERY = re.compile(r"[\w.~%&=+:@/,-]{1,1000}", re.ASCII)


class Token:
    """The token as configured. Compares in constant time and issues cookies that end after `SESSION`."""

    def __init__(self, secret: str, clock: Callable[[], datetime]) -> None:
        if not secret.strip():
            raise ValueError("the token of the pages must not be empty")
        self._secret = secret.encode()
        self._clock = clock

    def matches(self, given: str) -> bool:
        """Whether this is the token."""
        return hmac.compare_digest(_digest(self._secret), _digest(given.encode(errors="surrogateescape")))

    def cookie(self) -> str:
        """A new session's cookie."""
        until = str(int((self._clock() + SESSION).timestamp()))
        return f"{until}.{self._sign(until)}"

    def accepts_cookie(self, cookie: str) -> bool:
        """Whether this cookie was issued under this token and has not ended."""
        until, _, signature = cookie.partition(".")
        if not hmac.compare_digest(self._sign(until).encode(), signature.encode(errors="surrogateescape")):
            return False
        return int(until) > self._clock().timestamp()

    def admits(self, request: Request) -> bool:
        """Whether the request carries the token or a good cookie."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.matches(credentials.strip()):
            return True
        return self.accepts_cookie(request.cookies.get(COOKIE, ""))

    def _sign(self, until: str) -> str:
        return hmac.new(self._secret, f"session until {until}".encode(errors="surrogateescape"), "sha256").hexdigest()


class RequireToken:
    """Lets through what carries the token; anything else gets `refuse`, except the login form and its style sheet, and
    what begins with one of `open_paths`.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: Token,
        refuse: Callable[[Request], Response],
        *,
        open_paths: tuple[str, ...] = (),
    ) -> None:
        self._app = app
        self._token = token
        self._refuse = refuse
        self._open_paths = (STATIC, *open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope, receive)
        # Not `request.url`: that is made from the Host header too, which the client writes.
        path = scope["path"]
        is_open = path == LOGIN or path.startswith(self._open_paths)
        respond = self._app if is_open or self._token.admits(request) else self._refuse(request)
        await respond(scope, receive, send)


class RequireLocalName:
    """Refuses requests whose Host header names neither this machine nor `base_url`."""

    def __init__(self, app: ASGIApp, base_url: str | None) -> None:
        self._app = app
        self._names = {"localhost", "127.0.0.1", "::1", urlsplit(base_url or "").hostname or "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if _host_name(Request(scope).headers.get("host", "")) in self._names:
            await self._app(scope, receive, send)
        else:
            is_for_programs = scope["path"].startswith(FOR_PROGRAMS)
            refused = refusal(421, FOREIGN) if is_for_programs else PlainTextResponse(f"{FOREIGN}.\n", status_code=421)
            await refused(scope, receive, send)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """What the login form says: a token, and the page that was asked for."""

    token: str
    next_page: str


async def read_sign_in(request: Request) -> SignIn:
    """The posted form; of what is no form nothing."""
    form = parse_qs((await _read(request, FORM_BYTES)).decode(errors="replace"))
    return SignIn(token=form.get("token", [""])[0], next_page=page_or_home(form.get("next", ["/"])[0]))


def signed_in(asked: SignIn, token: Token, *, prefix: str, secure: bool) -> Response:
    """On to the page that was asked for, with a cookie in place of the token."""
    response = RedirectResponse(prefix + asked.next_page, status_code=303)
    response.set_cookie(
        COOKIE,
        token.cookie(),
        max_age=int(SESSION.total_seconds()),
        path=f"{prefix}/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )
    return response


def page_or_home(address: str) -> str:
    """The path, with its query, if it is one of our pages, else the overview: a form must not send people elsewhere."""
    path, mark, query = address.partition("?")
    if not _PAGE.fullmatch(path):
        return "/"
    return f"{path}?{query}" if mark and _QUERY.fullmatch(query) else path


async def _read(request: Request, limit: int) -> bytes:
    """The body, or nothing at all if it is longer than `limit` or never ends."""
    body = b""
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                return b""
        return body
    return b""


def _digest(secret: bytes) -> bytes:
    """Equal lengths, so that a comparison does not tell the length of the token."""
    return hashlib.sha256(secret).digest()


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
