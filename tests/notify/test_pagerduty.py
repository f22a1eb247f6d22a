"""Events v2: what is sent, and what the answers mean."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.calibration import Standing
from monitor.demo.receiver_rules import pagerduty_errors
from monitor.demo.receivers import PAGERDUTY, Answer, Receivers
from monitor.http import HttpClient
from monitor.incident import WorstConversation, WorstIntent
from monitor.machine import NotificationKind
from monitor.notify.contract import DeliveryResult, Message, Needless, Ok, Permanent, Retry
from monitor.notify.pagerduty import PagerDuty, event, short_key
from monitor.verdict import Severity
from tests.notify.samples import ALERT, KEY, MEASURED, make_alert, make_message

TEXTS = ["app", "environment", "suite", "scope", "rule", "title", "reason", "incident_id", "check_id", "epoch"]


@asynccontextmanager
async def pagerduty(receivers: Receivers, deadline_seconds: float = 10.0) -> AsyncIterator[PagerDuty]:
    http = HttpClient()
    try:
        yield PagerDuty(http, routing_key="r" * 32, url=receivers.pagerduty_url, deadline_seconds=deadline_seconds)
    finally:
        await http.aclose()


async def answered(receivers: Receivers, answer: Answer) -> DeliveryResult:
    receivers.answer(PAGERDUTY, answer)
    async with pagerduty(receivers, deadline_seconds=0.5) as notifier:
        return await notifier.send(make_message())


def payload(**changes: Any) -> dict[str, Any]:
    made: Any = event(make_message(**changes), "r")["payload"]
    return dict(made)


async def test_an_open_and_its_end_are_one_incident(receivers: Receivers) -> None:
    async with pagerduty(receivers) as notifier:
        assert await notifier.send(make_message()) == Ok(KEY)
        assert await notifier.send(make_message(NotificationKind.RESOLVE)) == Ok(KEY)
    assert [(d["kind"], d["dedup_key"]) for d in receivers.deliveries()] == [("open", KEY), ("resolve", KEY)]
    assert all(received.is_accepted for received in receivers.received)


def test_a_trigger_carries_the_evidence() -> None:
    made = event(make_message(), "r")
    details = payload()["custom_details"]
    assert (details["average"], details["threshold"], details["success_rate"]) == (0.612, 0.7, 0.55)
    assert details["worst_intents"] == [{"intent": "return-window", "before": 0.9, "now": 0.2}]
    assert details["epoch"] == "abcdef"
    assert made["links"] == [
        {"href": "https://monitor.example/incidents/incident-1", "text": "incident"},
        {"href": "https://monitor.example/checks/check-1", "text": "check"},
        {"href": "https://monitor.example/conversations/c%201%2F2", "text": "return-window"},
    ]
    assert (made["client"], made["client_url"]) == ("assistant-monitor", ALERT.base_url)


def test_what_strangers_wrote_is_no_link_and_no_mention() -> None:
    live = "see https://evil.example <!channel> @here `x`"
    worst = WorstConversation(id="c", intent_id="i", value=0.1, summary=live)
    told = payload(title=live, reason=live, worst_conversations=(worst,))
    details = told["custom_details"]
    for shown in (told["summary"], details["reason"], details["worst_conversations"][0]["summary"]):
        assert not any(mark in shown for mark in ("://", "<", "@h", "`"))
        assert shown.startswith("see https")


@pytest.mark.parametrize("severity", list(Severity))
def test_every_severity_is_one_that_pagerduty_knows(severity: Severity) -> None:
    assert pagerduty_errors(event(make_message(severity=severity), "r")) == []


def test_without_a_base_url_there_are_no_links() -> None:
    made = event(make_message(base_url=None), "r")
    assert made["links"] == []
    assert "client_url" not in made


@given(st.text(max_size=600))
def test_a_key_fits_and_long_ones_stay_apart(key: str) -> None:
    assert len(short_key(key)) <= 255
    assert short_key("k" * 300 + key) != short_key("k" * 300 + key + "x")
    assert short_key(short_key(key)) == short_key(key)


@pytest.mark.parametrize("text", ["", "x" * 100_000, "ü🙂" * 50_000, '\0\ud800"\\\n' * 20_000, "\u202e" * 100_000])
def test_an_event_is_valid_and_far_below_the_limit_whatever_is_said(text: str) -> None:
    alert = make_alert(
        **dict.fromkeys(TEXTS, text),
        worst_intents=(WorstIntent(intent_id=text, mean=0.1, before=None),) * 100,
        worst_conversations=(WorstConversation(id=text, intent_id=text, value=0.1, summary=text),) * 100,
    )
    made = event(Message(kind=NotificationKind.OPEN, alert=alert, dedup_key=text or "k"), "r")
    wrong = [error for error in pagerduty_errors(made) if "source" not in error]
    assert wrong == []
    assert len(json.dumps(made).encode()) < 512 * 1024


async def test_an_info_touches_no_incident(receivers: Receivers) -> None:
    async with pagerduty(receivers) as notifier:
        await notifier.send(make_message(NotificationKind.INFO, dedup_key="other", severity=Severity.WARNING))
    assert receivers.deliveries() == [{"channel": "pagerduty", "kind": "info", "dedup_key": "other"}]


async def test_a_refused_event_is_permanent_and_says_why(receivers: Receivers) -> None:
    answer = {"status": "invalid event", "message": "Event object is invalid", "errors": ["summary is blank"]}
    result = await answered(receivers, Answer(status=400, body=answer))
    assert result == Permanent("HTTP 400: Event object is invalid; summary is blank")


@pytest.mark.parametrize(("header", "seconds"), [("30", 30.0), ("99999", 900.0), ("soon", None)])
async def test_a_rate_limit_is_kept_as_told(receivers: Receivers, header: str, seconds: float | None) -> None:
    assert await answered(receivers, Answer(status=429, headers={"Retry-After": header})) == Retry(seconds, "HTTP 429")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=500),
        Answer(status=503, body="<html>"),
        Answer(status=200),
        Answer(closes=True),
        Answer(hangs=True),
    ],
)
async def test_what_may_get_better_is_retried(receivers: Receivers, answer: Answer) -> None:
    assert isinstance(await answered(receivers, answer), Retry)


async def test_a_redirect_is_not_followed(receivers: Receivers) -> None:
    redirect = Answer(status=307, headers={"Location": receivers.pagerduty_url})
    assert await answered(receivers, redirect) == Permanent("redirected")
    assert len(receivers.received) == 1


def test_a_judge_is_told_with_what_is_known_of_it_and_without_one_nothing_is() -> None:
    def details(judge: Standing | None) -> str:
        return str(event(make_message(judge=judge), "key")["payload"])

    assert "'judge': 'stale'" in details(Standing.STALE)
    assert "judge" not in details(None)


def test_a_risen_severity_triggers_the_same_incident_again() -> None:
    opened = event(make_message(severity=Severity.WARNING), "r")
    risen = event(make_message(NotificationKind.UPDATE, severity=Severity.CRITICAL), "r")
    assert (risen["event_action"], risen["dedup_key"]) == ("trigger", opened["dedup_key"])
    assert risen["payload"]["severity"] == "critical"  # type: ignore[index]


async def test_an_acknowledgement_is_one_and_a_reminder_makes_no_call(receivers: Receivers) -> None:
    async with pagerduty(receivers) as notifier:
        assert await notifier.send(make_message(NotificationKind.REMINDER)) == Needless()
        assert await notifier.send(make_message(NotificationKind.ACK)) == Ok(KEY)
    assert [d["kind"] for d in receivers.deliveries()] == ["ack"]


def test_what_the_rules_estimate_is_among_the_details() -> None:
    details = payload(**MEASURED)["custom_details"]
    assert (details["interval"], details["drop"], details["onset_at"]) == (
        [0.58, 0.64],
        0.12,
        "2026-01-01T12:00:00+00:00",
    )
    assert (details["error_share"], details["error_share_before"]) == (0.12, 0.01)
    assert (details["latency_seconds"], details["latency_seconds_before"]) == (2.1, None)
