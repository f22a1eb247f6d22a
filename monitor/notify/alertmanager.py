"""Prometheus' Alertmanager, by its API v2 (`POST /api/v2/alerts`): who is told, and how, is routed and grouped there.

Labels are an alert's identity there, so they come from the configuration alone, and those of the opening stay to the
end, whatever the configuration has by then; only `severity` may rise, and then the lower one is ended in the same
request.

Alertmanager ends an alert by itself at its `endsAt`, or, posted without one, after its `resolve_timeout` (5 minutes).
An outbox posts once and not every minute, so a firing alert carries an `endsAt` a year ahead, and its end is the same
alert with the `endsAt` of that moment. Alertmanager keeps alerts in memory: each reminder posts the alert again, for
one that was started anew meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from monitor.http import HttpClient, HttpResponse
from monitor.incident import Alert
from monitor.machine import NotificationKind
from monitor.notify.classify import Clock, refused, utc_now
from monitor.notify.contract import ATTEMPT_SECONDS, DeliveryResult, Message, Needless, Ok
from monitor.notify.links import check_url, conversation_url, incident_url
from monitor.notify.posting import post
from monitor.notify.wording import measured, plain, score
from monitor.text import printable
from monitor.verdict import Severity

PATH: Final = "/api/v2/alerts"
ALERT_NAME: Final = "AssistantMonitor"
NOTICE_NAME: Final = "AssistantMonitorNotice"
FIRES_FOR: Final = timedelta(days=365)
NOTICE_FIRES_FOR: Final = timedelta(days=1)
"""A notice is about nothing that ends, and nobody resolves it."""
_LABEL_LIMIT = 255
_SUMMARY_LIMIT = 300
_REASON_LIMIT = 1000
_LINE_LIMIT = 300
_INTENTS_SENT = 5
_CONVERSATIONS_SENT = 3

Json = dict[str, object]


class Alertmanager:
    """Posts to the Alertmanager at `url` (its root). `labels` are added to every alert; `token` is a bearer's, secret.

    Closing `http` is its owner's.
    """

    supports_info: Final = False

    def __init__(
        self,
        http: HttpClient,
        *,
        url: str,
        token: str | None = None,
        labels: Mapping[str, str] | None = None,
        channel: str = "alertmanager",
        deadline_seconds: float = ATTEMPT_SECONDS,
        clock: Clock = utc_now,
    ) -> None:
        self.channel: Final = channel
        self._http = http
        self._url = url.rstrip("/") + PATH
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._labels = labels or {}
        self._deadline_seconds = deadline_seconds
        self._clock = clock

    async def send(self, message: Message) -> DeliveryResult:
        """One attempt within the deadline. The reference is the labels of the incident, as JSON. An acknowledgement is
        nothing that Alertmanager knows: Ok without a call.
        """
        if message.kind is NotificationKind.ACK:
            return Needless()
        body = json.dumps(alerts(message, self._labels), allow_nan=False, separators=(",", ":")).encode("ascii")
        answer = await post(self._http, self._url, body, deadline_seconds=self._deadline_seconds, headers=self._headers)
        if not isinstance(answer, HttpResponse):
            return answer
        if 200 <= answer.status < 300:
            return Ok(json.dumps(labels_of(message, self._labels)))
        return refused(answer.status, answer.headers.get("retry-after"), self._clock(), printable(answer.text()))


def alerts(message: Message, labels: Mapping[str, str]) -> list[Json]:
    """What to post: the alert as it stands, and the end of what it was told as before."""
    alert = message.alert
    if message.kind is NotificationKind.INFO:
        notice = {"alertname": NOTICE_NAME, "about": printable(message.dedup_key, _LABEL_LIMIT)}
        about = {**labels, **notice, **_place(alert)}
        return [_posted(alert, about, alert.severity, alert.at, alert.at + NOTICE_FIRES_FOR)]
    own = labels_of(message, labels)
    is_over = message.kind is NotificationKind.RESOLVE
    ends_at = alert.at if is_over else alert.at + FIRES_FOR
    first = _posted(alert, own, alert.severity, alert.opened_at, ends_at)
    if message.kind not in (NotificationKind.UPDATE, NotificationKind.RESOLVE):
        return [first]
    below = [severity for severity in Severity if severity.rank < alert.severity.rank]
    return [first, *(_posted(alert, own, severity, alert.opened_at, alert.at) for severity in below)]


def labels_of(message: Message, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of a message's incident, but for `severity`: those that its opening was told under."""
    return _told(message.opened_reference) or {
        **labels,
        "alertname": ALERT_NAME,
        **_place(message.opened or message.alert),
    }


def _told(reference: str | None) -> dict[str, str] | None:
    """The labels in a reference; None where the answer was lost, or was given to an earlier version."""
    try:
        told = json.loads(reference or "")
    except ValueError:
        return None
    return {str(name): str(value) for name, value in told.items()} if isinstance(told, dict) else None


def _place(alert: Alert) -> dict[str, str]:
    place = {"app": alert.app, "environment": alert.environment, "suite": alert.suite, "scope": alert.scope}
    return {name: printable(value, _LABEL_LIMIT) for name, value in place.items()}


def _posted(
    alert: Alert, labels: Mapping[str, str], severity: Severity, starts_at: datetime, ends_at: datetime
) -> Json:
    return {
        "labels": {**labels, "severity": severity.value},
        "annotations": _annotations(alert),
        "startsAt": starts_at.isoformat(),
        "endsAt": max(starts_at, ends_at).isoformat(),
        **({"generatorURL": url} if (url := incident_url(alert)) else {}),
    }


def _annotations(alert: Alert) -> dict[str, str]:
    """Texts for people. Templates show them in many places, so nothing in them may come alive. None is empty."""
    shown = {
        "summary": plain(alert.title, _SUMMARY_LIMIT),
        "description": plain(alert.reason, _REASON_LIMIT),
        "rule": plain(alert.rule, _LABEL_LIMIT),
        **{name.lower().replace(" ", "_"): value for name, value in measured(alert)},
        "worst_intents": "; ".join(_intents(alert)),
        "worst_conversations": "; ".join(_conversations(alert)),
        "epoch": plain(alert.epoch or "", _LABEL_LIMIT),
        "incident_id": plain(alert.incident_id, _LABEL_LIMIT),
        "check_url": check_url(alert) or "",
    }
    return {name: text for name, text in shown.items() if text}


def _intents(alert: Alert) -> Iterable[str]:
    for worst in alert.worst_intents[:_INTENTS_SENT]:
        yield f"{plain(worst.intent_id, _LABEL_LIMIT)} {score(worst.before)} → {score(worst.mean)}"


def _conversations(alert: Alert) -> Iterable[str]:
    for worst in alert.worst_conversations[:_CONVERSATIONS_SENT]:
        link = conversation_url(alert, worst.id) or plain(worst.id, _LABEL_LIMIT)
        yield f"{link} {score(worst.value)} {plain(worst.summary, _LINE_LIMIT)}"
