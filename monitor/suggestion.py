"""That a suite has become better than its baseline, told once: until it is taken anew, a fall back goes unseen.

Pure: what was decided goes in, the memory of having told and the messages come out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import NAMESPACE_OID, uuid5

from monitor.briefing import Ended, Surroundings
from monitor.incident import Alert
from monitor.machine import AlertPolicy, NotificationKind
from monitor.rules import regression
from monitor.rules.decide import Decision, Rise
from monitor.rules.memory import Memory
from monitor.store import NotificationDraft
from monitor.verdict import OVERALL, Severity

KEY = ":rebaseline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """What the rules remember then, what is told (empty: nothing is), and whom."""

    memory: Memory
    text: str = ""
    notifications: tuple[NotificationDraft, ...] = ()


def suggest_baseline(
    ended: Ended, decision: Decision, policy: AlertPolicy, surroundings: Surroundings, now: datetime
) -> Suggested:
    """One INFO for each channel that is told of such things.

    A rise is told once. While a silence or a maintenance window holds it is not, and waits for a check after that.
    """
    rise, memory = decision.rise, decision.memory
    if rise is None or memory.is_rise_told or policy.window(now) is not None:
        return Suggested(memory=memory)
    alert = _alert(ended, rise, surroundings, now)
    told_by = uuid5(NAMESPACE_OID, f"{alert.dedup_key}/{ended.check.id}").hex
    drafts = tuple(
        NotificationDraft(
            incident_id=told_by,
            scope=alert.scope,
            channel=channel,
            kind=NotificationKind.INFO,
            dedup_key=alert.dedup_key,
            alert=alert,
            at=now,
        )
        for channel in policy.channels(Severity.INFO)
    )
    return Suggested(memory=replace(memory, is_rise_told=True), text=alert.reason, notifications=drafts)


def suggestion(suite: str, rise: Rise) -> str:
    """What is told, in words."""
    since = f" since {rise.since:%Y-%m-%d %H:%M} UTC" if rise.since else ""
    return f"average {rise.mean:.3f}{since}, baseline {rise.reference:.3f}; run: assistant-monitor rebaseline {suite}"


def _alert(ended: Ended, rise: Rise, surroundings: Surroundings, now: datetime) -> Alert:
    check, summary = ended.check, ended.summary
    scope = f"{check.suite}/{OVERALL}"
    key = f"{surroundings.app}:{surroundings.environment}:{scope}{KEY}"
    return Alert(
        app=surroundings.app,
        environment=surroundings.environment,
        suite=check.suite,
        scope=scope,
        rule=regression.NAME,
        severity=Severity.INFO,
        dedup_key=key,
        incident_id="",  # there is no page of it to link to
        title=f"{check.suite}: answers are better than the baseline",
        reason=suggestion(check.suite, rise),
        average=summary.mean,
        threshold=ended.threshold,
        success_rate=summary.success_rate,
        check_id=check.id,
        epoch=check.epoch,
        opened_at=rise.since or now,
        at=now,
        base_url=surroundings.base_url,
    )
