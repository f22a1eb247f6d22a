"""A webhook of anybody's: one signed JSON body per message, in a schema that has a version.

The body of a message is the same at every attempt, and so is its idempotency key; only the signature's time moves.
Any 2xx means that the message was taken. `config/schema/webhook.v1.schema.json` is the schema.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from monitor.http import HttpClient, HttpResponse
from monitor.incident import Alert
from monitor.notify.classify import Clock, refused, utc_now
from monitor.notify.contract import ATTEMPT_SECONDS, DeliveryResult, Message, Ok
from monitor.notify.links import check_url, conversation_url, incident_url
from monitor.notify.posting import post
from monitor.notify.signature import HEADER, sign
from monitor.notify.wording import headline, plain
from monitor.text import printable

SCHEMA: Final = "assistant-monitor/webhook/v1"
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
_ID_LIMIT = 255
_TITLE_LIMIT = 300
_REASON_LIMIT = 1000
_SUMMARY_LIMIT = 300
_INTENTS_SENT = 20
_CONVERSATIONS_SENT = 3

Json = dict[str, object]


class Webhook:
    """Posts to `url` (which may be a secret), signed with `secret`. Closing `http` is its owner's."""

    supports_info: Final = True

    def __init__(
        self,
        http: HttpClient,
        *,
        url: str,
        secret: str,
        channel: str = "webhook",
        deadline_seconds: float = ATTEMPT_SECONDS,
        clock: Clock = utc_now,
    ) -> None:
        self.channel: Final = channel
        self._http = http
        self._url = url
        self._secret = secret
        self._deadline_seconds = deadline_seconds
        self._clock = clock

    async def send(self, message: Message) -> DeliveryResult:
        """One attempt within the deadline. The reference is the idempotency key."""
        key = idempotency_key(message)
        body = json.dumps(payload(message), allow_nan=False, separators=(",", ":")).encode("ascii")
        headers = {HEADER: sign(self._secret, body, int(self._clock().timestamp())), IDEMPOTENCY_HEADER: key}
        answer = await post(self._http, self._url, body, deadline_seconds=self._deadline_seconds, headers=headers)
        if not isinstance(answer, HttpResponse):
            return answer
        if 200 <= answer.status < 300:
            return Ok(key)
        return refused(answer.status, answer.headers.get("retry-after"), self._clock(), "")


def idempotency_key(message: Message) -> str:
    """The same for every attempt at a message, another for every other message (hex, 32 characters)."""
    alert = message.alert
    parts = [message.kind.value, message.dedup_key, alert.incident_id, alert.severity.value, alert.at.isoformat()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def payload(message: Message) -> Json:
    """The body. Ids are exact; what people or models wrote is shortened and can do nothing where it is shown."""
    alert = message.alert
    return {
        "schema": SCHEMA,
        "kind": message.kind.value,
        "idempotency_key": idempotency_key(message),
        "dedup_key": printable(message.dedup_key, _ID_LIMIT),
        "at": alert.at.isoformat(),
        "app": printable(alert.app, _ID_LIMIT),
        "environment": printable(alert.environment, _ID_LIMIT),
        "suite": printable(alert.suite, _ID_LIMIT),
        "scope": printable(alert.scope, _ID_LIMIT),
        "rule": printable(alert.rule, _ID_LIMIT),
        "severity": alert.severity.value,
        "headline": plain(headline(message.kind, alert), _TITLE_LIMIT),
        "title": plain(alert.title, _TITLE_LIMIT),
        "reason": plain(alert.reason, _REASON_LIMIT),
        "incident": {
            "id": printable(alert.incident_id, _ID_LIMIT),
            "opened_at": alert.opened_at.isoformat(),
            "acked_by": plain(alert.acked_by, _ID_LIMIT) if alert.acked_by else None,
            "url": incident_url(alert),
        },
        "check": {"id": printable(alert.check_id, _ID_LIMIT), "url": check_url(alert)} if alert.check_id else None,
        "evidence": _evidence(alert),
    }


def _evidence(alert: Alert) -> Json:
    """What was measured; null is what was not."""
    return {
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
        "epoch": plain(alert.epoch, _ID_LIMIT) if alert.epoch else None,
        "judge": alert.judge.value if alert.judge else None,
        "canaries": alert.canaries.value if alert.canaries else None,
        "worst_intents": [
            {"intent": printable(worst.intent_id, _ID_LIMIT), "before": worst.before, "now": worst.mean}
            for worst in alert.worst_intents[:_INTENTS_SENT]
        ],
        "worst_conversations": [
            {
                "id": printable(worst.id, _ID_LIMIT),
                "intent": printable(worst.intent_id, _ID_LIMIT),
                "score": worst.value,
                "summary": plain(worst.summary, _SUMMARY_LIMIT),
                "url": conversation_url(alert, worst.id),
            }
            for worst in alert.worst_conversations[:_CONVERSATIONS_SENT]
        ],
    }
