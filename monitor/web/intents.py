"""What the page of one intent shows: how often it passes and how well, against its own baseline and rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.check import IntentSummary
from monitor.incident import Incident
from monitor.intent import Intent
from monitor.rules import intent as rule
from monitor.rules.memory import IntentMemory, Memory
from monitor.rules.policy import RulesPolicy
from monitor.store import CheckPoint, ConversationLine
from monitor.web.boards import TREND_CHECKS
from monitor.web.matrix import worst_first
from monitor.web.plans import Plan
from monitor.web.records import Records
from monitor.web.trend import Trend, TrendPoint, draw, wilson

RECENT_CHECKS = 10
SHOWN_CONVERSATIONS = 60
SHOWN_INCIDENTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One intent in one check."""

    point: CheckPoint
    summary: IntentSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentBoard:
    """One intent. `plan` None: it is not played any more; `newest` None: nothing was measured in the checks looked at.

    `passes` and `means` are drawn over these checks. `expected`: what its rule holds it against (None: the baseline is
    being taken, or it passes too seldom to be watched: `is_unwatched`). `mean_before` is its mean in the baseline.
    `conversations` are of the newest checks, worst first.
    """

    suite: str
    intent_id: str
    plan: Intent | None
    newest: Course | None
    low: float | None
    high: float | None
    passes: Trend | None
    means: Trend | None
    expected: rule.Expected | None
    is_unwatched: bool
    known: IntentMemory | None
    armed: int
    mean_before: float | None
    incidents: tuple[Incident, ...]
    conversations: tuple[ConversationLine, ...]
    checks_looked_at: int


def intent_board(
    records: Records, suite: str, intent_id: str, plan: Plan | None, *, now: datetime
) -> IntentBoard | None:
    """Read and put together; None where neither checks nor the configuration know it. Raises StoreFailure."""
    points = records.history(suite, limit=TREND_CHECKS)
    intents = records.intents_of([point.id for point in points], only=[intent_id])
    courses = [Course(point=point, summary=found) for point in points for found in intents.get(point.id, ())]
    planned = plan.intent(intent_id) if plan else None
    if not courses and planned is None:
        return None
    rules = plan.rules if plan else RulesPolicy()
    newest = courses[0] if courses else None
    memory = _memory(records, suite, newest)
    known = memory.intents.get(newest.summary.fingerprint) if memory and newest else None
    expected = rule.expected(known, rules)
    is_armed = known is not None and known.checks >= rules.baseline.armed
    mean_before = known.sums.mean if known and is_armed and known.sums.count else None
    incidents = _incidents(records, f"{suite}/{intent_id}", points, now)
    drawing = _Drawing(courses, incidents, now, holds_after=_holds_after(memory, rules) if is_armed else None)
    low, high = wilson(newest.summary.passed, newest.summary.valid) if newest else (None, None)
    recent = [course.point.id for course in courses[:RECENT_CHECKS]]
    lines = records.intent_lines(recent, intent_id, limit=10 * SHOWN_CONVERSATIONS)
    return IntentBoard(
        suite=suite,
        intent_id=intent_id,
        plan=planned,
        newest=newest,
        low=low,
        high=high,
        passes=drawing.passes(expected),
        means=drawing.means(mean_before),
        expected=expected,
        is_unwatched=known is not None and rule.passes_too_seldom(known, rules),
        known=known,
        armed=rules.baseline.armed,
        mean_before=mean_before,
        incidents=tuple(incidents),
        conversations=tuple(worst_first(lines)[:SHOWN_CONVERSATIONS]),
        checks_looked_at=len(recent),
    )


class _Drawing:
    """The two trends over the same checks. What the intent was before it was edited does not compare."""

    def __init__(
        self, courses: Sequence[Course], incidents: Sequence[Incident], now: datetime, *, holds_after: datetime | None
    ) -> None:
        self._courses = courses
        self._incidents = incidents
        self._now = now
        self._holds_after = holds_after
        self._current = self._epoch(courses[0]) if courses else ""

    def passes(self, expected: rule.Expected | None) -> Trend | None:
        points = [
            self._point(
                course,
                _share(course.summary),
                wilson(course.summary.passed, course.summary.valid),
                baseline=expected.p0 if expected else None,
                wanted=expected.middle if expected else None,
                note=f"{course.summary.passed} of {course.summary.valid}",
            )
            for course in reversed(self._courses)
        ]
        return draw(points, self._incidents, now=self._now, of="shares passed")

    def means(self, baseline: float | None) -> Trend | None:
        points = [
            self._point(course, course.summary.mean, (None, None), baseline=baseline, wanted=None)
            for course in reversed(self._courses)
        ]
        return draw(points, self._incidents, now=self._now, of="averages")

    def _point(
        self,
        course: Course,
        value: float | None,
        bounds: tuple[float, float] | tuple[None, None],
        *,
        baseline: float | None,
        wanted: float | None,
        note: str = "",
    ) -> TrendPoint:
        point = course.point
        holds = self._holds_after is not None and point.started_at > self._holds_after
        is_held = holds and self._epoch(course) == self._current
        return TrendPoint(
            check_id=point.id,
            at=point.started_at,
            epoch=self._epoch(course),
            status=point.status.value,
            value=value,
            low=bounds[0],
            high=bounds[1],
            baseline=baseline if is_held else None,
            wanted=wanted if is_held else None,
            note=note,
        )

    @staticmethod
    def _epoch(course: Course) -> str:
        return f"{course.point.epoch} {course.summary.fingerprint}"


def _share(summary: IntentSummary) -> float | None:
    return summary.passed / summary.valid if summary.valid else None


def _memory(records: Records, suite: str, newest: Course | None) -> Memory | None:
    stored = records.baseline(suite, newest.point.epoch) if newest else None
    return stored.memory if stored else None


def _holds_after(memory: Memory | None, rules: RulesPolicy) -> datetime | None:
    """When the baseline of the suite was armed; that of an edited intent later, which its epoch hides here."""
    spread = memory.spread if memory else ()
    return spread[rules.baseline.armed - 1].at if len(spread) >= rules.baseline.armed else None


def _incidents(records: Records, scope: str, points: Sequence[CheckPoint], now: datetime) -> list[Incident]:
    since = points[-1].started_at if points else now
    return [*records.incidents_since(since, scope=scope, limit=SHOWN_INCIDENTS)]
