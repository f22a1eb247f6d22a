"""The suites of the configuration: how each stands now, and how each of its intents does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from monitor.check import CheckStatus, IntentSummary, Snapshot, SuiteSnapshot
from monitor.incident import Incident
from monitor.operations import Operations
from monitor.store import CheckPoint
from monitor.web.answers.alerts import IncidentAnswer
from monitor.web.answers.results import (
    CheckAnswer,
    CheckedIntentAnswer,
    IntentAnswer,
    IntentPointAnswer,
    IntentsAnswer,
    SuiteAnswer,
    SuitesAnswer,
    SuiteStatus,
    VerdictAnswer,
)
from monitor.web.api.controls import STARTING, Controls
from monitor.web.api.endpoint import V1, Call, NoBody
from monitor.web.api.queries import IntentsQuery, Query
from monitor.web.api.serving import AnyEndpoint
from monitor.web.bodies import Away, Refused
from monitor.web.condition import NEW, condition, open_of
from monitor.web.plans import Plan

SUITES = f"{V1}/suites"
MOST_INCIDENTS = 1000
LOOKED_BACK = 42
"""So many of the newest checks tell since when a suite stands as it does."""
_VALID = (CheckStatus.HEALTHY, CheckStatus.DEGRADED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suites:
    """`snapshot` is what was last published of the suites; `plans` what is configured of them, by name."""

    snapshot: Callable[[], Snapshot | None]
    plans: Callable[[], Mapping[str, Plan]]

    def endpoints(self, controls: Controls) -> list[AnyEndpoint]:
        """All of them."""
        reads = controls.reads
        return [
            reads(SUITES, self._all, Query, SuitesAnswer, name="suites", summary="How each suite stands."),
            reads(f"{SUITES}/{{suite}}", self._one, Query, SuiteAnswer, name="suite", summary="How one suite stands."),
            reads(
                f"{SUITES}/{{suite}}/intents",
                self._intents,
                IntentsQuery,
                IntentsAnswer,
                name="intents",
                summary="The intents of one suite, the worst first, with their history.",
            ),
        ]

    def _all(self, _: Call[Query, NoBody], operations: Operations) -> SuitesAnswer:
        taken = self._taken()
        incidents = operations.store.incidents(open_only=True, limit=MOST_INCIDENTS)
        suites = [self._answer(suite, incidents, operations) for suite in taken.suites]
        return SuitesAnswer(taken_at=taken.taken_at, suites=suites)

    def _one(self, call: Call[Query, NoBody], operations: Operations) -> SuiteAnswer:
        suite = self._named(call.path["suite"])
        incidents = operations.store.incidents(open_only=True, limit=MOST_INCIDENTS)
        return self._answer(suite, incidents, operations)

    def _intents(self, call: Call[IntentsQuery, NoBody], operations: Operations) -> IntentsAnswer:
        suite = self._named(call.path["suite"])
        points = operations.store.history(suite.suite, limit=call.query.checks)
        found = operations.store.intents_of([point.id for point in points])
        played = {check_id: {intent.intent_id: intent for intent in intents} for check_id, intents in found.items()}
        newest = next((point for point in points if point.status in _VALID and point.id in played), None)
        intents = played[newest.id].values() if newest else ()
        return IntentsAnswer(
            suite=suite.suite,
            check_id=newest.id if newest else None,
            epoch=newest.epoch if newest else None,
            intents=[_intent(intent, points, played) for intent in sorted(intents, key=_badness)],
        )

    def _taken(self) -> Snapshot:
        taken = self.snapshot()
        if taken is None:
            raise Away(STARTING)
        return taken

    def _named(self, name: str) -> SuiteSnapshot:
        suites = self._taken().suites
        found = next((suite for suite in suites if suite.suite == name), None)
        if found is None:
            raise Refused(404, f"there is no such suite; there are: {', '.join(suite.suite for suite in suites)}")
        return found

    def _answer(self, suite: SuiteSnapshot, incidents: Sequence[Incident], operations: Operations) -> SuiteAnswer:
        now, plan = operations.now(), self.plans().get(suite.suite)
        state = condition(suite, operations.store.history(suite.suite, limit=LOOKED_BACK), now)
        watched = suite.watched
        return SuiteAnswer(
            suite=suite.suite,
            status=SuiteStatus.UNKNOWN if state.word == NEW else SuiteStatus(state.word),
            reasons=[*state.reasons],
            since=state.since,
            is_longer=state.is_longer,
            threshold=watched.threshold,
            is_paused=watched.is_paused,
            is_running=state.is_running,
            stale_after_seconds=watched.stale_after_seconds,
            watched_since=suite.watched_since,
            next_at=plan.next_slot(now) if plan and not suite.watched.is_paused else None,
            last=_check(suite.last),
            last_valid=_check(suite.last_valid),
            verdicts=[VerdictAnswer.model_validate(verdict) for verdict in suite.verdicts],
            incidents=[IncidentAnswer.model_validate(one) for one in open_of(suite.suite, incidents)],
        )


def _check(record: object | None) -> CheckAnswer | None:
    return None if record is None else CheckAnswer.model_validate(record)


def _intent(
    intent: IntentSummary, points: Sequence[CheckPoint], played: Mapping[str, Mapping[str, IntentSummary]]
) -> IntentAnswer:
    history = [
        IntentPointAnswer(
            check_id=point.id,
            started_at=point.started_at,
            epoch=point.epoch,
            fingerprint=then.fingerprint,
            mean=then.mean,
            valid=then.valid,
            passed=then.passed,
        )
        for point in points
        if (then := played.get(point.id, {}).get(intent.intent_id)) is not None
    ]
    return IntentAnswer(**dict(CheckedIntentAnswer.model_validate(intent)), history=history)


def _badness(intent: IntentSummary) -> tuple[bool, float, str]:
    """Lowest mean first, then those without one."""
    return intent.mean is None, intent.mean or 0.0, intent.intent_id
