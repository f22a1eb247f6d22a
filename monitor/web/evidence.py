"""What shows that something was wrong: as it was told, or, where nobody was told, as the check that found it has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.canary import CanaryState
from monitor.check import CheckRecord
from monitor.incident import Incident, Notification, WorstConversation, WorstIntent
from monitor.machine import NotificationKind
from monitor.store import ConversationLine
from monitor.web.records import Records
from monitor.web.trend import interval

WORST = 3
_OF_OPENING = {NotificationKind.OPEN, NotificationKind.UPDATE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """As `incident.Alert` has it; `told` False: it was made of the check, for nobody was told. None: not measured."""

    told: bool
    check_id: str | None
    epoch: str | None
    average: float | None
    low: float | None
    high: float | None
    threshold: float | None
    drop: float | None = None
    onset_at: datetime | None = None
    error_share: float | None = None
    error_share_before: float | None = None
    latency_seconds: float | None = None
    latency_seconds_before: float | None = None
    canaries: CanaryState | None = None
    worst_intents: tuple[WorstIntent, ...] = ()
    worst_conversations: tuple[WorstConversation, ...] = ()


def proof(incident: Incident, told: Sequence[Notification], records: Records) -> Proof | None:
    """By the newest message that told of the opening or that it grew worse; else by the check that opened it."""
    openings = [message for message in told if message.kind in _OF_OPENING and message.alert.check_id is not None]
    if openings:
        return _of_message(openings[-1])
    check = records.check(incident.opened_by_check) if incident.opened_by_check else None
    return _of_check(check, records.lines(check.id)) if check and check.summary else None


def _of_message(message: Notification) -> Proof:
    alert = message.alert
    low, high = alert.interval or (None, None)
    names = ("check_id", "epoch", "average", "threshold", "drop", "onset_at", "canaries")
    deltas = ("error_share", "error_share_before", "latency_seconds", "latency_seconds_before")
    worst = ("worst_intents", "worst_conversations")
    return Proof(told=True, low=low, high=high, **{name: getattr(alert, name) for name in (*names, *deltas, *worst)})


def _of_check(check: CheckRecord, lines: Sequence[ConversationLine]) -> Proof:
    summary = check.summary
    assert summary is not None, "it has ended"
    low, high = interval(summary.mean, summary.standard_error)
    intents = sorted((i.mean, i.intent_id) for i in summary.intents if i.mean is not None)[:WORST]
    talks = sorted((line.value, line.id, line.intent_id) for line in lines if line.value is not None)[:WORST]
    return Proof(
        told=False,
        check_id=check.id,
        epoch=check.epoch,
        average=summary.mean,
        low=low,
        high=high,
        threshold=None,
        error_share=summary.error_count / summary.planned if summary.planned else None,
        latency_seconds=summary.latency_seconds,
        worst_intents=tuple(WorstIntent(intent_id=i, mean=mean, before=None) for mean, i in intents),
        worst_conversations=tuple(
            WorstConversation(id=id_, intent_id=intent_id, value=value, summary="") for value, id_, intent_id in talks
        ),
    )
