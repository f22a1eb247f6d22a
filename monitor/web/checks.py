"""The page of one check: rounds by intents, outcomes, the spread of scores, and what changed since a healthy one."""

from __future__ import annotations

from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.calibration import Standing
from monitor.check import CheckRecord, CheckStatus
from monitor.store import CheckPoint
from monitor.verdict import OVERALL, Finding
from monitor.web import views
from monitor.web.boards import progress
from monitor.web.changes import Change, change
from monitor.web.matrix import cell, matrix, spread, worst_first
from monitor.web.records import Records
from monitor.web.rendering import Templates
from monitor.web.trend import interval

SHOWN_CONVERSATIONS = 50
SHOWN_INTENTS = 60
SHOWN_VERDICTS = 30
LOOKED_BACK = 100
"""So many checks before this one are looked at for a healthy one."""
_VALID = (CheckStatus.HEALTHY, CheckStatus.DEGRADED)


class CheckPages:
    """Synchronous, so Starlette runs it in its worker threads. `judge` says what is known of the judge of an epoch."""

    def __init__(self, records: Records, templates: Templates, judge: Callable[[str], Standing]) -> None:
        self._records = records
        self._templates = templates
        self._judge = judge

    def routes(self) -> list[Route]:
        """Where it is."""
        return [Route("/checks/{id}", self.check)]

    def check(self, request: Request) -> Response:
        """One check; with `?intents=all` every intent, not only the worst."""
        check = self._records.check(request.path_params["id"])
        if check is None:
            raise HTTPException(404)
        lines = self._records.lines(check.id)
        intents = views.worst_intents_first(check.summary)
        shown = len(intents) if request.query_params.get("intents") == "all" else SHOWN_INTENTS
        verdicts = self._records.verdicts(check.id)
        bad = [one for one in verdicts if one.scope.endswith(f"/{OVERALL}") or one.finding is Finding.BREACH]
        is_short = len(verdicts) > SHOWN_VERDICTS and shown == SHOWN_INTENTS
        names = [intent.intent_id for intent in intents] or sorted({line.intent_id for line in lines})
        summary = check.summary
        return self._templates.page(
            "check.html",
            check=check,
            interval=interval(summary.mean, summary.standard_error) if summary else (None, None),
            progress=progress(self._records, check),
            verdicts=bad if is_short else verdicts,
            verdicts_left=len(verdicts) - len(bad) if is_short else 0,
            intents=intents[:shown],
            intents_left=max(0, len(names) - shown),
            matrix=matrix(lines, names[:shown]),
            spread=spread(lines),
            change=self._change(check),
            fidelity=views.fidelity_measures(summary.fidelity if summary else None),
            conversations=[cell(line) for line in worst_first(lines)[:SHOWN_CONVERSATIONS]],
            left_out=max(0, len(lines) - SHOWN_CONVERSATIONS),
            judge=self._judge(check.epoch) if self._records.is_judged(check.id) else None,
        )

    def _change(self, check: CheckRecord) -> Change | None:
        """Against a check before it; None where there is none, or nothing to compare."""
        before = self._before(check) if check.summary else None
        if before is None or check.summary is None:
            return None
        return change(check.epoch, check.summary, before, self._records.intents_of([before.id]).get(before.id, ()))

    def _before(self, check: CheckRecord) -> CheckPoint | None:
        """The last healthy check of the same epoch, else the last valid one of it, else the last valid one."""
        points = self._records.history(check.suite, limit=LOOKED_BACK, before=check.id)
        valid = [point for point in points if point.status in _VALID]
        same = [point for point in valid if point.epoch == check.epoch]
        healthy = [point for point in same if point.status is CheckStatus.HEALTHY]
        return next(iter((*healthy[:1], *same[:1], *valid[:1])), None)
