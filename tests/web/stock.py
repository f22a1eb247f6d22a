"""A store with one of everything, and the application over it with all of the API."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from starlette.types import ASGIApp

from monitor.audit import AuditEntry
from monitor.briefing import Surroundings
from monitor.canary import AlarmRule, CanaryAlarm, CanaryRun, CanaryScore
from monitor.check import CheckStatus, Rescored, Watched
from monitor.closing import overall_scope
from monitor.incident import Incident
from monitor.labelling import PersonLabel, Sample
from monitor.machine import AlertPolicy, AlertState, Breach, NotificationKind, Phase
from monitor.maintenance import Again, Maintenance
from monitor.operations import Operations
from monitor.rules.memory import Memory
from monitor.rules.policy import RulesPolicy
from monitor.schedule import Cron
from monitor.store import AlertChanges, Baseline, Closing, NotificationDraft, Store
from monitor.suppression import Silence
from monitor.transcript import EndReason
from monitor.web.api import Api, Controls
from monitor.web.pages import pages_app
from monitor.web.reports import ToolCallReports
from tests.web.examples import (
    ALERT,
    CHECK,
    INCIDENT,
    SCORE,
    SUMMARY,
    T0,
    USERS,
    VERDICT,
    conversation,
)

HOME = Surroundings(app="app", environment="prod", base_url=None)
LOUD = AlertPolicy.everywhere("slack")
NIGHTLY = Maintenance(
    name="nightly", scopes=("shop/*",), when=Again(cron=Cron("0 2 * * *"), lasting=timedelta(hours=2))
)
CANARIES = CanaryRun(
    id="r1",
    at=T0,
    epoch="e1",
    fingerprint="f",
    scored=1,
    not_scored=1,
    auc=0.9,
    mean_good=0.9,
    mean_bad=None,
    flips=None,
    is_sick=True,
    alarms=(CanaryAlarm(rule=AlarmRule.AUC, reason="the AUC is 0.900, and 0.95 is the least", ids=("parrot",)),),
    results=(CanaryScore(id="parrot", kind="judge", is_good=False, value=0.7, passed=True),),
)
LABEL = PersonLabel(
    id="l1",
    conversation_id="c3",
    at=T0,
    by="zoe",
    passed=False,
    value=0.25,
    reason="the judge was right to leave",
    sample=Sample.CHOSEN,
    probability=None,
    score=None,
    score_passed=None,
    epoch="e1",
)
FIRING = AlertState(
    scope=INCIDENT.scope,
    phase=Phase.FIRING,
    since=INCIDENT.opened_at,
    incident_id=INCIDENT.id,
    breaches=(Breach(rule="mean", severity=INCIDENT.severity, reason=INCIDENT.reason, since=INCIDENT.opened_at),),
    severity=INCIDENT.severity,
    channels=("slack",),
    version=1,
)
OVER = replace(
    INCIDENT, id="i0", scope="shop/unwell", opened_at=T0, closed_at=T0 + timedelta(minutes=1), close_reason="recovered"
)


def stock(store: Store) -> None:
    """Put one of everything into it: suite shop, check k1, conversations c1, c2, c3, label l1, incidents i0, i1,
    silence s1.
    """
    store.open_check(replace(CHECK, status=CheckStatus.RUNNING, finished_at=None, summary=None), None)
    for number, end in enumerate([EndReason.USER_ENDED, EndReason.HTTP_STATUS, EndReason.JUDGE], start=1):
        score = replace(SCORE, value=None, reason="the judge was away") if end is EndReason.JUDGE else SCORE
        store.save_conversation(conversation(f"c{number}", end=end, score=score), None)
    draft = NotificationDraft(
        incident_id=INCIDENT.id,
        scope=INCIDENT.scope,
        channel="slack",
        kind=NotificationKind.OPEN,
        dedup_key=INCIDENT.dedup_key,
        alert=ALERT,
        at=INCIDENT.opened_at,
    )
    summary = replace(SUMMARY, fidelity=USERS)
    store.close_check(
        Closing(
            check=replace(CHECK, summary=summary),
            verdicts=(VERDICT,),
            states=(FIRING,),
            opened=(INCIDENT, _opened(OVER)),
            notifications=(draft,),
        )
    )
    store.change_alerts(AlertChanges(closed=(OVER,)))
    store.append_rescored(
        Rescored(id="s", conversation_id="c1", epoch="e2", fingerprint="f", at=T0, score=replace(SCORE, value=None))
    )
    store.rebaseline(Baseline(suite="shop", epoch="e1", version=1, at=T0, memory=Memory()), AlertChanges())
    quiet = Silence(
        id="s1", scope_pattern="shop/*", created_by="ann", reason="release", starts_at=T0, ends_at=T0 + timedelta(1)
    )
    store.add_silence(quiet, AuditEntry(at=T0, actor="ann", action="silence.add", subject="s1"))
    store.save_canary_run(CANARIES)
    store.save_label(LABEL)


def _opened(incident: Incident) -> Incident:
    return replace(incident, closed_at=None, close_reason="")


class Stocked:
    """The application over a store; `at` is what its clock shows."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.at = T0 + timedelta(minutes=5)
        self.problems: list[str] = []

    def now(self) -> datetime:
        return self.at

    def operations(self) -> Operations:
        """What can be done to it."""
        return Operations(
            store=self.store,
            policy_of=lambda _: LOUD,
            rules_of=lambda scope: RulesPolicy() if scope == overall_scope("shop") else None,
            surroundings=HOME,
            now=self.now,
            maintenance=[NIGHTLY],
        )

    def app(self, token: str | None = None, *, base_url: str | None = None) -> ASGIApp:
        """All of the API, and the pages."""

        async def reload() -> list[str]:
            return self.problems

        controls = Controls(operations=self.operations, reload=reload)
        return pages_app(
            self.store,
            lambda: self.store.snapshot({"shop": Watched(threshold=0.7)}, now=self.at),
            base_url=base_url,
            token=token,
            clock=self.now,
            reports=ToolCallReports(self.store.save_reported, lambda text: text, self.now),
            api=Api(controls),
        )
