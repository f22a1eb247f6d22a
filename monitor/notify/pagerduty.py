"""PagerDuty's Events API v2: one POST per message; its dedup key makes a repeated one harmless.

An INFO (a dead letter of another channel) is a `trigger` under a key of its own, so it never touches the incident.
"""

from __future__ import annotations

import hashlib
from typing import Final

from monitor.errors import HttpFailure
from monitor.http import HttpClient, HttpResponse
from monitor.incident import Alert, WorstConversation, WorstIntent
from monitor.machine import NotificationKind
from monitor.notify.classify import Clock, refused, utc_now
from monitor.notify.contract import ATTEMPT_SECONDS, DeliveryResult, Message, Needless, Ok, Permanent, Retry
from monitor.notify.links import check_url, conversation_url, incident_url
from monitor.notify.wording import plain
from monitor.text import printable, without_surrogates

EVENTS_URL = "https://events.pagerduty.com/v2/enqueue"
CLIENT = "assistant-monitor"
KEY_LIMIT = 255
SUMMARY_LIMIT = 1024
_ID_LIMIT = 255
_REASON_LIMIT = 1000
_LINE_LIMIT = 300
_INTENTS_SENT = 20
_CONVERSATIONS_SENT = 3

_ACTIONS = {NotificationKind.RESOLVE: "resolve", NotificationKind.ACK: "acknowledge"}

Json = dict[str, object]


class PagerDuty:
    """Sends events to the service that `routing_key` (a secret) belongs to. Closing `http` is its owner's."""

    supports_info: Final = False

    def __init__(
        self,
        http: HttpClient,
        *,
        routing_key: str,
        channel: str = "pagerduty",
        url: str = EVENTS_URL,
        deadline_seconds: float = ATTEMPT_SECONDS,
        clock: Clock = utc_now,
    ) -> None:
        self.channel: Final = channel
        self._http = http
        self._routing_key = routing_key
        self._url = url
        self._deadline_seconds = deadline_seconds
        self._clock = clock

    async def send(self, message: Message) -> DeliveryResult:
        """One attempt within the deadline. The reference is the dedup key that PagerDuty knows the incident by."""
        if message.kind is NotificationKind.REMINDER:
            return Needless()  # PagerDuty reminds people by its own rules
        body = event(message, self._routing_key)
        try:
            answer = await self._http.request("POST", self._url, deadline_seconds=self._deadline_seconds, json=body)
        except HttpFailure as exc:
            # A redirect is never followed, and the address that redirects is ours to correct.
            return Permanent(exc.kind) if exc.kind == "redirected" else Retry(None, exc.kind)
        if answer.status == 202:
            return Ok(str(body["dedup_key"]))
        return refused(answer.status, answer.headers.get("retry-after"), self._clock(), _complaint(answer))


def event(message: Message, routing_key: str) -> Json:
    """The event as Events v2 wants it. Each text is bounded, which keeps the whole far below 512 KB."""
    known_by: Json = {"routing_key": routing_key, "dedup_key": short_key(message.dedup_key)}
    if message.kind in _ACTIONS:
        return {**known_by, "event_action": _ACTIONS[message.kind]}
    alert = message.alert
    source: Json = {"client": CLIENT, "client_url": alert.base_url} if alert.base_url else {"client": CLIENT}
    return {
        **known_by,
        **source,
        "event_action": "trigger",
        "payload": {
            "summary": plain(alert.title, SUMMARY_LIMIT) or "alert without a title",
            "severity": alert.severity.value,
            "source": printable(f"{alert.app}:{alert.environment}", _ID_LIMIT),
            "component": printable(alert.suite, _ID_LIMIT),
            "group": printable(alert.scope, _ID_LIMIT),
            "class": printable(alert.rule, _ID_LIMIT),
            "timestamp": alert.at.isoformat(),
            "custom_details": _details(message.kind, alert),
        },
        "links": _links(alert),
    }


def short_key(key: str) -> str:
    """The key itself, or its beginning and a hash of the whole: still one key per incident, in 255 characters."""
    key = without_surrogates(key)
    digest = hashlib.sha256(key.encode()).hexdigest()
    return key if len(key) <= KEY_LIMIT else f"{key[: KEY_LIMIT - len(digest) - 1]}:{digest}"


def _details(kind: NotificationKind, alert: Alert) -> Json:
    judge: Json = {"judge": alert.judge.value} if alert.judge else {}
    canaries: Json = {"canaries": alert.canaries.value} if alert.canaries else {}
    return {
        **judge,
        **canaries,
        "kind": kind.value,
        "reason": plain(alert.reason, _REASON_LIMIT),
        "average": alert.average,
        "interval": list(alert.interval) if alert.interval else None,
        "threshold": alert.threshold,
        "drop": alert.drop,
        "onset_at": alert.onset_at.isoformat() if alert.onset_at else None,
        "success_rate": alert.success_rate,
        "error_share": alert.error_share,
        "error_share_before": alert.error_share_before,
        "latency_seconds": alert.latency_seconds,
        "latency_seconds_before": alert.latency_seconds_before,
        "worst_intents": [_intent(worst) for worst in alert.worst_intents[:_INTENTS_SENT]],
        "worst_conversations": [_conversation(worst) for worst in alert.worst_conversations[:_CONVERSATIONS_SENT]],
        "opened_at": alert.opened_at.isoformat(),
        "incident_id": printable(alert.incident_id, _ID_LIMIT),
        "check_id": printable(alert.check_id or "", _ID_LIMIT),
        "epoch": printable(alert.epoch or "", _ID_LIMIT),
    }


def _intent(worst: WorstIntent) -> Json:
    return {"intent": printable(worst.intent_id, _ID_LIMIT), "before": worst.before, "now": worst.mean}


def _conversation(worst: WorstConversation) -> Json:
    return {
        "id": printable(worst.id, _ID_LIMIT),
        "intent": printable(worst.intent_id, _ID_LIMIT),
        "score": worst.value,
        "summary": plain(worst.summary, _LINE_LIMIT),
    }


def _links(alert: Alert) -> list[Json]:
    """Our own pages alone. PagerDuty shows them in this order."""
    pages = [("incident", incident_url(alert)), ("check", check_url(alert))]
    pages += [(w.intent_id, conversation_url(alert, w.id)) for w in alert.worst_conversations[:_CONVERSATIONS_SENT]]
    return [{"href": url, "text": printable(text, _ID_LIMIT)} for text, url in pages if url]


def _complaint(answer: HttpResponse) -> str:
    """What PagerDuty says is wrong with an event: `message` and `errors` of its JSON, bounded."""
    try:
        data = answer.json()
    except HttpFailure:
        return ""
    if not isinstance(data, dict):
        return ""
    errors = data.get("errors")
    return printable("; ".join(map(str, [data.get("message") or "", *(errors if isinstance(errors, list) else [])])))
