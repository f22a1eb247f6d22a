"""The signed webhook against a loopback receiver that knows the secret."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from monitor.demo.receivers import WEBHOOK, WEBHOOK_SECRET, Answer, Receivers
from monitor.http import HttpClient
from monitor.incident import WorstConversation, WorstIntent
from monitor.machine import NotificationKind
from monitor.notify.contract import Message, Ok, Permanent, Retry
from monitor.notify.webhook import Webhook, idempotency_key, payload
from tests.notify.samples import KEY, MEASURED, OPENED_AT, make_alert, make_message

SCHEMA = Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "config" / "schema" / "webhook.v1.schema.json").read_text())
)


@asynccontextmanager
async def webhook(receivers: Receivers, seconds: float = 10.0, secret: str = WEBHOOK_SECRET) -> AsyncIterator[Webhook]:
    http = HttpClient()
    try:
        yield Webhook(http, url=receivers.webhook_url, secret=secret, deadline_seconds=seconds)
    finally:
        await http.aclose()


async def test_a_message_is_signed_and_has_its_key_in_a_header(receivers: Receivers) -> None:
    message = make_message()
    async with webhook(receivers) as channel:
        assert await channel.send(message) == Ok(idempotency_key(message))
    (received,) = receivers.received
    assert received.headers["idempotency-key"] == received.body["idempotency_key"] == idempotency_key(message)
    assert receivers.deliveries() == [{"channel": "webhook", "kind": "open", "dedup_key": KEY}]


async def test_a_wrong_secret_is_refused_for_good(receivers: Receivers) -> None:
    async with webhook(receivers, secret="another") as channel:
        assert await channel.send(make_message()) == Permanent("HTTP 401")


@pytest.mark.parametrize("kind", list(NotificationKind))
@pytest.mark.parametrize("changes", [{}, MEASURED, {"base_url": None, "check_id": None, "average": None}])
def test_every_body_satisfies_the_schema(kind: NotificationKind, changes: dict[str, object]) -> None:
    assert [error.message for error in SCHEMA.iter_errors(payload(make_message(kind, **changes)))] == []


def test_an_attempt_keeps_its_key_and_another_message_has_another() -> None:
    opened = make_message()
    others = [make_message(NotificationKind.RESOLVE), make_message(at=OPENED_AT + timedelta(hours=4))]
    assert idempotency_key(replace(opened, opened_reference="x")) == idempotency_key(opened)
    assert len({idempotency_key(message) for message in [opened, *others]}) == 3


@pytest.mark.parametrize("text", ["x" * 100_000, "<!channel> `a` https://evil|Approve @here" * 1000, "\0\ud800\u202e"])
def test_a_body_is_bounded_and_inert_whatever_is_said(text: str) -> None:
    alert = make_alert(
        **dict.fromkeys(["title", "reason", "epoch", "acked_by"], text),
        worst_intents=(WorstIntent(intent_id="i", mean=0.1, before=None),) * 100,
        worst_conversations=(WorstConversation(id="c", intent_id="i", value=0.1, summary=text),) * 100,
    )
    made = payload(Message(kind=NotificationKind.OPEN, alert=alert, dedup_key=KEY))
    assert SCHEMA.is_valid(made)
    assert len(json.dumps(made)) < 16_000
    assert "<!" not in json.dumps(made)
    assert "https://evil" not in str(made["reason"])


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_any_2xx_means_taken(receivers: Receivers, status: int) -> None:
    receivers.answer(WEBHOOK, Answer(status=status, body="" if status == 204 else "thanks", is_accepted=True))
    async with webhook(receivers) as channel:
        assert isinstance(await channel.send(make_message()), Ok)


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (Answer(status=503), Retry(None, "HTTP 503")),
        (Answer(status=429, headers={"Retry-After": "7"}), Retry(7.0, "HTTP 429")),
        (Answer(status=410), Permanent("HTTP 410")),
        (Answer(status=301, headers={"Location": "/other"}), Permanent("redirected")),
        (Answer(closes=True, is_accepted=True), Retry(None, "connection_failed")),
        (Answer(hangs=True), Retry(None, "deadline")),
        (Answer(drips=True), Retry(None, "deadline")),
    ],
)
async def test_answers_are_classified_within_the_deadline(
    receivers: Receivers, answer: Answer, result: Retry | Permanent
) -> None:
    receivers.answer(WEBHOOK, answer)
    async with webhook(receivers, seconds=0.5) as channel:
        assert await channel.send(make_message()) == result
