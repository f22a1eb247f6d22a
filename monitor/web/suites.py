"""The pages on how suites stand: overview, one suite, its checks, one intent, and the list of incidents.

The overview is shown without the database too, as far as the newest snapshot knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.check import Snapshot, SuiteSnapshot
from monitor.errors import StoreFailure
from monitor.incident import Incident
from monitor.web.boards import WORST_INTENTS, Board, Boards
from monitor.web.condition import loudest_first, suite_of
from monitor.web.intents import intent_board
from monitor.web.records import Records
from monitor.web.rendering import Templates

FULL_SUITES = 3
"""Up to so many suites stand on the overview with their trends and intents; more stand there in brief."""
PAGE = 50
MOST_INCIDENTS = 200
RETRY = {"retry-after": "30"}


class SuitePages:
    """One method a page. They are synchronous, so Starlette runs them in its worker threads."""

    def __init__(
        self,
        records: Records,
        snapshot: Callable[[], Snapshot | None],
        boards: Boards,
        templates: Templates,
        clock: Callable[[], datetime],
    ) -> None:
        self._records = records
        self._snapshot = snapshot
        self._boards = boards
        self._templates = templates
        self._clock = clock

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/", self.overview),
            Route("/suites/{suite}", self.suite),
            Route("/suites/{suite}/checks", self.checks),
            Route("/suites/{suite}/intents/{intent}", self.intent),
            Route("/incidents", self.incidents),
        ]

    def overview(self, _: Request) -> Response:
        """What is wrong, and how each suite stands; 503 where only the snapshot is known."""
        snapshot = self._snapshot()
        suites = snapshot.suites if snapshot else ()
        try:
            incidents, boards = self._read(suites)
        except StoreFailure:
            incidents, boards = [], [self._boards.known(suite, [], self._clock()) for suite in suites]
            return self._overview(snapshot, incidents, boards, is_away=True)
        return self._overview(snapshot, incidents, boards, is_away=False)

    def _overview(
        self, snapshot: Snapshot | None, incidents: Sequence[Incident], boards: Sequence[Board], *, is_away: bool
    ) -> Response:
        response = self._templates.page(
            "overview.html",
            status=503 if is_away else 200,
            snapshot=snapshot,
            is_away=is_away,
            boards=sorted(boards, key=_urgency),
            is_brief=len(boards) > FULL_SUITES,
            open_incidents=loudest_first([one for one in incidents if one.closed_at is None]),
        )
        response.headers.update(RETRY if is_away else {})
        return response

    def _read(self, suites: Sequence[SuiteSnapshot]) -> tuple[Sequence[Incident], list[Board]]:
        now = self._clock()
        incidents = self._records.incidents_since(now, limit=MOST_INCIDENTS)
        if len(suites) > FULL_SUITES:
            return incidents, [self._boards.brief(suite, incidents, now) for suite in suites]
        return incidents, [self._boards.full(suite, incidents, now, shown_intents=WORST_INTENTS) for suite in suites]

    def suite(self, request: Request) -> Response:
        """One suite with all its intents."""
        found = self._find(request.path_params["suite"])
        now = self._clock()
        incidents = self._records.incidents_since(now, limit=MOST_INCIDENTS)
        board = self._boards.full(found, incidents, now, shown_intents=None)
        return self._templates.page("suite.html", board=board)

    def checks(self, request: Request) -> Response:
        """The checks of a suite, page by page, those made by hand too. One that is not watched any more has its own."""
        suite, before = request.path_params["suite"], request.query_params.get("before")
        found = self._records.history(suite, limit=PAGE + 1, before=before, alerting_only=False, with_studies=True)
        if not found and self._suite(suite) is None:
            raise HTTPException(404)
        return self._templates.page(
            "checks.html",
            suite=suite,
            is_watched=self._suite(suite) is not None,
            checks=found[:PAGE],
            is_first=before is None,
            older=found[PAGE - 1].id if len(found) > PAGE else None,
        )

    def intent(self, request: Request) -> Response:
        """One intent of a suite."""
        suite, intent = request.path_params["suite"], request.path_params["intent"]
        board = intent_board(self._records, suite, intent, self._boards.plan(suite), now=self._clock())
        if board is None:
            raise HTTPException(404)
        return self._templates.page("intent.html", board=board)

    def incidents(self, request: Request) -> Response:
        """Incidents, newest first, page by page."""
        state, before = request.query_params.get("state", "all"), request.query_params.get("before")
        if state not in ("all", "open", "closed"):
            raise HTTPException(400)
        is_open = None if state == "all" else state == "open"
        found = self._records.incidents_before(is_open=is_open, before=before, limit=PAGE + 1)
        return self._templates.page(
            "incidents.html",
            state=state,
            incidents=found[:PAGE],
            suites={one.id: suite_of(one) for one in found},
            is_first=before is None,
            older=found[PAGE - 1].id if len(found) > PAGE else None,
        )

    def _find(self, name: str) -> SuiteSnapshot:
        found = self._suite(name)
        if found is None:
            raise HTTPException(404)
        return found

    def _suite(self, name: str) -> SuiteSnapshot | None:
        snapshot = self._snapshot()
        return next((suite for suite in snapshot.suites if suite.suite == name), None) if snapshot else None


def _urgency(board: Board) -> tuple[bool, int, float, str]:
    """Worst first: what is open and how it stands, then the deepest fall, then the name."""
    is_calm, rank = board.condition.rank(len(board.incidents))
    return is_calm, rank, -(board.drop or 0.0), board.suite
