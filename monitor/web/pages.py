"""The pages for people put together, with the door before them and the pages for what went wrong.

They read through `Records` in worker threads; what they change goes through `Operations`. The API and the tool calls
that are reported come by the same listener, see `api` and `reports`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from monitor.calibration import Standing, standing
from monitor.check import Snapshot
from monitor.errors import StoreFailure
from monitor.web.access import LOGIN, RequireLocalName, RequireToken, Token, page_or_home, read_sign_in, signed_in
from monitor.web.api import DOCUMENT, AnyEndpoint, Api, api_routes
from monitor.web.badge import Badges
from monitor.web.boards import Boards
from monitor.web.bodies import FOR_PROGRAMS, away, refusal
from monitor.web.checks import CheckPages
from monitor.web.conversations import ConversationPages
from monitor.web.headers import BADGES, SecurityHeaders
from monitor.web.incidents import IncidentPages
from monitor.web.plans import Plan
from monitor.web.records import Records
from monitor.web.rendering import Templates
from monitor.web.reports import ToolCallReports
from monitor.web.review import ReviewPages
from monitor.web.suites import SuitePages

ErrorPage = Callable[[Request, Exception], Response]


def _now() -> datetime:
    return datetime.now(UTC)


def pages_app(
    records: Records,
    snapshot: Callable[[], Snapshot | None],
    *,
    base_url: str | None = None,
    token: str | None = None,
    clock: Callable[[], datetime] = _now,
    calibration_days: Callable[[], int] = lambda: 90,
    reports: ToolCallReports | None = None,
    api: Api | None = None,
    plans: Callable[[], Mapping[str, Plan]] = dict,
    has_badges: bool = False,
) -> ASGIApp:
    """The pages. `snapshot` gives what the overview shows of the suites; it is called in a worker thread.

    `base_url` is where people find the pages; its path is put before every link. With a `token` every page wants it;
    without one only requests to a name of this machine or of `base_url` are answered. Raises ValueError for an empty
    token. Where a judge took part it is told whether labels were held against its scores, at most `calibration_days`
    ago. `reports` takes the tool calls that are reported, where they can be, and `api` what operators want done.
    `plans` gives what is configured of each suite. With `has_badges` everybody may see how a suite stands as a picture,
    without a token.
    """
    templates = Templates(base_url, clock)

    def judge(epoch: str) -> Standing:
        return standing(records.calibration(epoch), epoch, clock(), days=calibration_days())

    suites = SuitePages(records, snapshot, Boards(records, plans, judge), templates, clock)
    errors = _Errors(templates)
    routes = [
        *suites.routes(),
        *CheckPages(records, templates, judge).routes(),
        *ConversationPages(records, templates, plans).routes(),
        *IncidentPages(records, templates, clock, api.controls if api else None).routes(),
        *ReviewPages(records, templates, clock, plans).routes(),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
    ]
    endpoints: list[AnyEndpoint] = [] if reports is None else [reports.endpoint()]
    if api is not None:
        endpoints += api.endpoints(snapshot, plans)
    if endpoints:
        routes += api_routes(endpoints, prefix=templates.prefix, has_token=token is not None)
    if has_badges:
        routes.append(Badges(snapshot, clock).route())
    handlers = {HTTPException: errors.http, StoreFailure: errors.store, Exception: errors.internal}
    if token is None:
        return SecurityHeaders(RequireLocalName(_application(routes, handlers), base_url))
    secret = Token(token, clock)
    gate = _Gate(secret, templates, is_https=(base_url or "").startswith("https:"))
    routes.append(Route(LOGIN, gate.login, methods=["GET", "POST"]))
    app = _application(routes, handlers)
    return SecurityHeaders(RequireToken(app, secret, gate.refuse, open_paths=(BADGES,) if has_badges else ()))


def _application(routes: Sequence[BaseRoute], handlers: Mapping[type[Exception], ErrorPage]) -> Starlette:
    app = Starlette(routes=routes, exception_handlers=handlers)
    # A redirect would be made of the Host header, which the client writes, and miss the path of `base_url`.
    app.router.redirect_slashes = False
    return app


class _Gate:
    """The login form, at its own address and in the place of any page that wants the token."""

    def __init__(self, token: Token, templates: Templates, *, is_https: bool) -> None:
        self._token = token
        self._templates = templates
        self._is_https = is_https

    async def login(self, request: Request) -> Response:
        if request.method != "POST":
            return self._form("/", 200)
        asked = await read_sign_in(request)
        if not self._token.matches(asked.token):
            return self._form(asked.next_page, 403)
        return signed_in(asked, self._token, prefix=self._templates.prefix, secure=self._is_https)

    def refuse(self, request: Request) -> Response:
        response = (
            refusal(401, "send the token of the pages: Authorization: Bearer TOKEN")
            if _is_for_programs(request)
            else self._form(page_or_home(_asked(request)), 401)
        )
        response.headers["www-authenticate"] = "Bearer"
        return response

    def _form(self, next_page: str, status: int) -> Response:
        return self._templates.page("login.html", status=status, next_page=next_page, is_wrong=status == 403)


_ON_PAGES = {404: "There is no such page, or what it showed is past its retention."}
_IN_WORDS = {404: f"there is no such path; {DOCUMENT} lists those of the API", 405: "not by this method; see Allow"}


class _Errors:
    """Pages for what went wrong. They tell what to do, never what is inside."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def http(self, request: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)
        if _is_for_programs(request):
            response = refusal(exc.status_code, _IN_WORDS.get(exc.status_code, HTTPStatus(exc.status_code).phrase))
            response.headers.update(exc.headers or {})
            return response
        text = _ON_PAGES.get(exc.status_code, exc.detail if exc.detail != HTTPStatus(exc.status_code).phrase else "")
        response = self._page(exc.status_code, HTTPStatus(exc.status_code).phrase, text)
        response.headers.update(exc.headers or {})
        return response

    def store(self, request: Request, _: Exception) -> Response:
        if _is_for_programs(request):
            return away()
        text = "These pages come back with it. /metrics and /healthz answer meanwhile."
        response = self._page(503, "The database is away", text)
        response.headers["retry-after"] = "30"
        return response

    def internal(self, request: Request, _: Exception) -> Response:
        if _is_for_programs(request):
            return refusal(500, "something broke in the monitor; its log says what")
        return self._page(500, "Something broke in the monitor", "The log says what; other pages may still work.")

    def _page(self, status: int, title: str, text: str) -> Response:
        return self._templates.page("error.html", status=status, code=status, title=title, text=text)


def _asked(request: Request) -> str:
    """The path and the query that were asked for; not `request.url`, which is made from the Host header too."""
    query = request.scope["query_string"].decode("latin-1")
    return f"{request.scope['path']}?{query}" if query else str(request.scope["path"])


def _is_for_programs(request: Request) -> bool:
    return bool(request.scope["path"].startswith(FOR_PROGRAMS))
