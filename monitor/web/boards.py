"""What the pages of suites and intents show, read and put together. Never reads conversations, only counts them.

Every read is bounded, whatever is stored: see the constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.calibration import Standing
from monitor.check import CheckRecord, CheckStatus, IntentSummary, SuiteSnapshot
from monitor.incident import Incident
from monitor.rules.memory import Memory
from monitor.rules.policy import BaselinePolicy, RulesPolicy
from monitor.store import CheckPoint, point_of
from monitor.web.condition import Condition, condition, open_of
from monitor.web.plans import Plan
from monitor.web.records import Records
from monitor.web.reference import IntentRow, Reference, intent_rows, reference
from monitor.web.trend import Trend, TrendPoint, draw, interval, sparkline

TREND_CHECKS = 42
SPARK_CHECKS = 24
WORST_INTENTS = 10
DRAWN_INCIDENTS = 50
OLDER_EPOCHS = 3
"""Of so many epochs before the newest the baseline is drawn too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a running check is: conversations stored, and planned when it began; more may follow."""

    check_id: str
    finished: int
    planned: int
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One suite. Its numbers are those of `valid`, its newest valid check; `low` and `high` bound the mean (95 %).

    `points` are its checks, newest first. `intents` come worst first, `intents_left` more are not shown. `reference`:
    what the baseline says of this mean; `judge` None: none takes part. `is_read` False: the database was not asked.
    """

    snapshot: SuiteSnapshot
    condition: Condition
    incidents: tuple[Incident, ...]
    next_at: datetime | None
    valid: CheckPoint | None
    low: float | None
    high: float | None
    spark: str = ""
    points: tuple[CheckPoint, ...] = ()
    trend: Trend | None = None
    reference: Reference | None = None
    intents: tuple[IntentRow, ...] = ()
    intents_left: int = 0
    judge: Standing | None = None
    progress: Progress | None = None
    is_read: bool = True

    @property
    def suite(self) -> str:
        """Its name."""
        return self.snapshot.suite

    @property
    def drop(self) -> float | None:
        """How far the mean lies under its baseline; None where there is no baseline, or nothing fell."""
        if self.reference is None or self.valid is None or self.valid.mean is None:
            return None
        drop = self.reference.mean - self.valid.mean
        return drop if drop > 0.0 else None


class Boards:
    """Puts them together. `plans` gives what is configured, `judge` what is known of the judge of an epoch."""

    def __init__(
        self, records: Records, plans: Callable[[], Mapping[str, Plan]], judge: Callable[[str], Standing]
    ) -> None:
        self._records = records
        self._plans = plans
        self._judge = judge

    def known(self, snapshot: SuiteSnapshot, incidents: Sequence[Incident], now: datetime) -> Board:
        """What is known without the database."""
        intents = _intents(snapshot)
        rows = intent_rows(intents, None, RulesPolicy().baseline)[:WORST_INTENTS]
        board = self._board(snapshot, (), incidents, now)
        return replace(board, intents=tuple(rows), intents_left=len(intents) - len(rows), is_read=False)

    def brief(self, snapshot: SuiteSnapshot, incidents: Sequence[Incident], now: datetime) -> Board:
        """One of many suites: its numbers and the course of its mean. Raises StoreFailure."""
        points = self._records.history(snapshot.suite, limit=SPARK_CHECKS)
        valid = snapshot.last_valid
        memory = self._memory(snapshot.suite, valid.epoch) if valid else None
        found = reference(memory, _intents(snapshot), self.rules(snapshot.suite).baseline)
        means = [p.mean for p in reversed(points) if valid and p.epoch == valid.epoch and p.mean is not None]
        board = self._board(snapshot, points, incidents, now)
        return replace(
            board, reference=found, spark=sparkline(means, *_around(means)), progress=self._progress(snapshot)
        )

    def full(
        self, snapshot: SuiteSnapshot, incidents: Sequence[Incident], now: datetime, *, shown_intents: int | None
    ) -> Board:
        """One suite with its trend and its worst intents (None: all). Raises StoreFailure."""
        points = self._records.history(snapshot.suite, limit=TREND_CHECKS)
        valid, policy = snapshot.last_valid, self.rules(snapshot.suite).baseline
        newest = _newest_of_epochs(points)
        memories = {epoch: self._memory(snapshot.suite, epoch) for epoch in newest}
        references = self._references(newest, memories, policy)
        memory = memories.get(valid.epoch) or self._memory(snapshot.suite, valid.epoch) if valid else None
        ranked = intent_rows(_intents(snapshot), memory, policy)
        shown = ranked[:shown_intents]
        return replace(
            self._board(snapshot, points, incidents, now),
            trend=_trend(snapshot, points, references, self._incidents_beside(snapshot.suite, points), now),
            reference=reference(memory, _intents(snapshot), policy),
            intents=tuple(self._with_sparks(shown, points, valid)),
            intents_left=len(ranked) - len(shown),
            judge=self._judge_of(valid),
            progress=self._progress(snapshot),
        )

    def rules(self, suite: str) -> RulesPolicy:
        """The rules in force; those by default where the suite is not configured."""
        plan = self._plans().get(suite)
        return plan.rules if plan else RulesPolicy()

    def plan(self, suite: str) -> Plan | None:
        """What is configured of it."""
        return self._plans().get(suite)

    def _board(
        self, snapshot: SuiteSnapshot, points: Sequence[CheckPoint], incidents: Sequence[Incident], now: datetime
    ) -> Board:
        plan = self._plans().get(snapshot.suite)
        valid = point_of(snapshot.last_valid) if snapshot.last_valid else None
        low, high = interval(valid.mean, valid.standard_error) if valid else (None, None)
        return Board(
            snapshot=snapshot,
            condition=condition(snapshot, points, now),
            incidents=tuple(open_of(snapshot.suite, incidents)),
            next_at=plan.next_slot(now) if plan and not snapshot.watched.is_paused else None,
            valid=valid,
            low=low,
            high=high,
            points=tuple(points),
        )

    def _memory(self, suite: str, epoch: str) -> Memory | None:
        stored = self._records.baseline(suite, epoch)
        return stored.memory if stored else None

    def _references(
        self, newest: Mapping[str, CheckPoint], memories: Mapping[str, Memory | None], policy: BaselinePolicy
    ) -> dict[str, Reference]:
        """What the baselines say of the intents of the newest check of each epoch, by epoch."""
        intents = self._records.intents_of([point.id for point in newest.values()])
        found = {e: reference(memories[e], intents.get(point.id, ()), policy) for e, point in newest.items()}
        return {epoch: known for epoch, known in found.items() if known is not None}

    def _incidents_beside(self, suite: str, points: Sequence[CheckPoint]) -> Sequence[Incident]:
        """Those that were open in the time of these checks."""
        if not points:
            return ()
        return self._records.incidents_since(points[-1].started_at, suite=suite, limit=DRAWN_INCIDENTS)

    def _with_sparks(
        self, rows: Sequence[IntentRow], points: Iterable[CheckPoint], valid: CheckRecord | None
    ) -> list[IntentRow]:
        """With the course of each intent, as far as it was the same in the same epoch."""
        if valid is None or not rows:
            return [*rows]
        ids = [point.id for point in points if point.epoch == valid.epoch and point.mean is not None][:SPARK_CHECKS]
        intents = self._records.intents_of(ids, only=[row.summary.intent_id for row in rows])
        courses: dict[tuple[str, str], list[float | None]] = {}
        for check_id in reversed(ids):
            for intent in intents.get(check_id, ()):
                courses.setdefault((intent.intent_id, intent.fingerprint), []).append(intent.mean)
        sparks = {key: sparkline(course) for key, course in courses.items()}
        return [replace(row, spark=sparks.get((row.summary.intent_id, row.summary.fingerprint), "")) for row in rows]

    def _judge_of(self, check: CheckRecord | None) -> Standing | None:
        return self._judge(check.epoch) if check and self._records.is_judged(check.id) else None

    def _progress(self, snapshot: SuiteSnapshot) -> Progress | None:
        last = snapshot.last
        return progress(self._records, last) if last else None


def progress(records: Records, check: CheckRecord) -> Progress | None:
    """How far a check is; None unless it runs. Raises StoreFailure."""
    if check.status is not CheckStatus.RUNNING:
        return None
    finished = records.finished(check.id)
    return Progress(check_id=check.id, finished=finished, planned=check.planned, started_at=check.started_at)


def _trend(
    snapshot: SuiteSnapshot,
    points: Sequence[CheckPoint],
    references: Mapping[str, Reference],
    incidents: Iterable[Incident],
    now: datetime,
) -> Trend | None:
    ended = [point for point in reversed(points) if point.finished_at is not None]
    drawn = [_trend_point(point, references.get(point.epoch), snapshot.watched.threshold) for point in ended]
    return draw(drawn, incidents, now=now, of="averages")


def _trend_point(point: CheckPoint, known: Reference | None, threshold: float) -> TrendPoint:
    low, high = interval(point.mean, point.standard_error)
    return TrendPoint(
        check_id=point.id,
        at=point.started_at,
        epoch=point.epoch,
        status=point.status.value,
        value=point.mean,
        low=low,
        high=high,
        baseline=known.mean if known and point.started_at > known.holds_after else None,
        wanted=threshold,
    )


def _around(means: Sequence[float]) -> tuple[float, float]:
    """Bounds in which a fall is seen and noise stays small."""
    return max(0.0, min(means, default=0.0) - 0.1), min(1.0, max(means, default=1.0) + 0.1)


def _newest_of_epochs(points: Iterable[CheckPoint]) -> dict[str, CheckPoint]:
    """The newest check that was measured in each of the newest epochs, by epoch."""
    newest: dict[str, CheckPoint] = {}
    for point in points:
        if point.mean is not None:
            newest.setdefault(point.epoch, point)
    return dict([*newest.items()][: OLDER_EPOCHS + 1])


def _intents(snapshot: SuiteSnapshot) -> tuple[IntentSummary, ...]:
    valid = snapshot.last_valid
    return valid.summary.intents if valid and valid.summary else ()
