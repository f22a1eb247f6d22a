"""The pages for people: overview, one check, one conversation with its score, one incident.

Reads through `Records` in worker threads; shows what is stored and changes nothing. The API and the tool calls that are
reported come by the same listener, see `api` and `reports`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from monitor.calibration import Standing, standing
from monitor.check import CheckRecord, Snapshot, SuiteSnapshot
from monitor.errors import StoreFailure
from monitor.web import views
from monitor.web.access import LOGIN, RequireLocalName, RequireToken, Token, page_or_home, sign_in
from monitor.web.api import Api
from monitor.web.bodies import FOR_PROGRAMS, away, refusal
from monitor.web.headers import SecurityHeaders
from monitor.web.records import Records
from monitor.web.rendering import Templates
from monitor.web.reports import PATH, ToolCallReports

TREND_CHECKS = 42
RECENT_CHECKS = 6
SHOWN_CONVERSATIONS = 500
LATER_SCORES = 20


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
) -> ASGIApp:
    """The pages. `snapshot` gives what the overview shows of the suites; it is called in a worker thread.

    `base_url` is where people find the pages; its path is put before every link. With a `token` every page wants it;
    without one only requests to a name of this machine or of `base_url` are answered. Raises ValueError for an empty
    token. Where a judge took part it is told whether labels were held against its scores, at most `calibration_days`
    ago. `reports` takes the tool calls that are reported, where they can be, and `api` what operators want done.
    """
    templates = Templates(base_url, clock)

    def judge(epoch: str) -> Standing:
        return standing(records.calibration(epoch), epoch, clock(), days=calibration_days())

    pages = _Pages(records, snapshot, templates, judge)
    errors = _Errors(templates)
    routes = [
        Route("/", pages.overview),
        Route("/checks/{id}", pages.check),
        Route("/conversations/{id}", pages.conversation),
        Route("/incidents/{id}", pages.incident),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
    ]
    if reports is not None:
        routes.append(Route(PATH, reports.take, methods=["POST"]))
    if api is not None:
        routes += api.routes()
    handlers = {HTTPException: errors.http, StoreFailure: errors.store, Exception: errors.internal}
    if token is None:
        app = Starlette(routes=routes, exception_handlers=handlers)
        return SecurityHeaders(RequireLocalName(app, base_url))
    secret = Token(token, clock)
    gate = _Gate(secret, templates, is_https=(base_url or "").startswith("https:"))
    routes.append(Route(LOGIN, gate.login, methods=["GET", "POST"]))
    app = Starlette(routes=routes, exception_handlers=handlers)
    return SecurityHeaders(RequireToken(app, secret, gate.refuse))


class _Pages:
    """One method a page. They are synchronous, so Starlette runs them in its worker threads."""

    def __init__(
        self,
        records: Records,
        snapshot: Callable[[], Snapshot | None],
        templates: Templates,
        judge: Callable[[str], Standing],
    ) -> None:
        self._records = records
        self._snapshot = snapshot
        self._templates = templates
        self._judge = judge

    def overview(self, _: Request) -> Response:
        snapshot = self._snapshot()
        suites = snapshot.suites if snapshot else ()
        rows = [self._row(suite) for suite in suites]
        return self._templates.page(
            "overview.html",
            taken_at=snapshot.taken_at if snapshot else None,
            rows=rows,
            canaries=snapshot.canaries if snapshot else None,
            recent=RECENT_CHECKS,
            open_incidents=self._records.incidents(open_only=True),
        )

    def _row(self, suite: SuiteSnapshot) -> views.SuiteRow:
        return views.suite_row(suite, self._recent_checks(suite.suite), self._judge_of(suite.last_valid))

    def _judge_of(self, check: CheckRecord | None) -> Standing | None:
        """What is known of the judge of a check; None where none took part."""
        return self._judge(check.epoch) if check and self._records.is_judged(check.id) else None

    def _recent_checks(self, suite: str) -> Sequence[CheckRecord]:
        return self._records.checks(suite, limit=TREND_CHECKS, alerting_only=True)

    def check(self, request: Request) -> Response:
        check = self._records.check(request.path_params["id"])
        if check is None:
            raise HTTPException(404)
        conversations = views.worst_conversations_first(self._records.conversations(check.id))
        return self._templates.page(
            "check.html",
            check=check,
            verdicts=self._records.verdicts(check.id),
            intents=views.worst_intents_first(check.summary),
            fidelity=views.fidelity_measures(check.summary.fidelity if check.summary else None),
            conversations=conversations[:SHOWN_CONVERSATIONS],
            left_out=max(0, len(conversations) - SHOWN_CONVERSATIONS),
            judge=self._judge_of(check),
        )

    def conversation(self, request: Request) -> Response:
        conversation = self._records.conversation(request.path_params["id"])
        if conversation is None:
            raise HTTPException(404)
        components = views.components(conversation.score)
        marks = [mark for _, of_component in components for mark in of_component]
        return self._templates.page(
            "conversation.html",
            conversation=conversation,
            transcript=conversation.transcript,
            score=conversation.score,
            later=self._records.rescored(conversation.id)[:LATER_SCORES],
            components=components,
            messages=views.messages(conversation.transcript.turns, marks),
        )

    def incident(self, request: Request) -> Response:
        incident = self._records.incident(request.path_params["id"])
        if incident is None:
            raise HTTPException(404)
        timeline = views.timeline(incident, self._records.notifications(incident.id))
        return self._templates.page("incident.html", incident=incident, timeline=timeline)


class _Gate:
    """The login form, at its own address and in the place of any page that wants the token."""

    def __init__(self, token: Token, templates: Templates, *, is_https: bool) -> None:
        self._token = token
        self._templates = templates
        self._is_https = is_https

    async def login(self, request: Request) -> Response:
        if request.method != "POST":
            return self._form("/", 200)
        signed_in = await sign_in(request, self._token, prefix=self._templates.prefix, secure=self._is_https)
        return signed_in or self._form("/", 403)

    def refuse(self, request: Request) -> Response:
        response = (
            refusal(401, "send the token of the pages: Authorization: Bearer TOKEN")
            if _is_for_programs(request)
            else self._form(page_or_home(request.scope["path"]), 401)
        )
        response.headers["www-authenticate"] = "Bearer"
        return response

    def _form(self, next_page: str, status: int) -> Response:
        return self._templates.page("login.html", status=status, next_page=next_page, is_wrong=status == 403)


_IN_WORDS = {404: "there is no such path; README lists those of the API", 405: "not by this method; see Allow"}


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
        text = "There is no such page, or what it showed is past its retention." if exc.status_code == 404 else ""
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


def _is_for_programs(request: Request) -> bool:
    return bool(request.scope["path"].startswith(FOR_PROGRAMS))
