"""Alertmanager's API v2: what is posted, how long it fires, and what the answers mean."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from monitor.demo.receiver_rules import alertmanager_error
from monitor.demo.receivers import ALERTMANAGER, Answer, Receivers
from monitor.http import HttpClient
from monitor.incident import WorstConversation, WorstIntent
from monitor.machine import NotificationKind
from monitor.notify.alertmanager import FIRES_FOR, Alertmanager, alerts, labels_of
from monitor.notify.contract import Needless, Ok, Permanent, Retry
from monitor.verdict import Severity
from tests.notify.samples import ALERT, KEY, MEASURED, OPENED_AT, make_message

LATER = OPENED_AT + timedelta(hours=5)


@asynccontextmanager
async def alertmanager(receivers: Receivers, seconds: float = 10.0, **given: Any) -> AsyncIterator[Alertmanager]:
    http = HttpClient()
    try:
        yield Alertmanager(http, url=receivers.alertmanager_url, deadline_seconds=seconds, **given)
    finally:
        await http.aclose()


def posted(kind: NotificationKind = NotificationKind.OPEN, **changes: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = json.loads(json.dumps(alerts(make_message(kind, **changes), {"team": "shop"})))
    return made


def ends_at(alert: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(alert["endsAt"])


async def test_an_open_fires_and_its_end_resolves(receivers: Receivers) -> None:
    async with alertmanager(receivers, token="secret") as channel:
        assert isinstance(await channel.send(make_message()), Ok)
        assert isinstance(await channel.send(make_message(NotificationKind.RESOLVE, at=LATER)), Ok)
    assert [(d["kind"], d["dedup_key"]) for d in receivers.deliveries()] == [("open", KEY), ("resolve", KEY)]
    assert receivers.received[0].headers["authorization"] == "Bearer secret"


def test_labels_are_from_the_configuration_and_stay_the_same_to_the_end() -> None:
    (opened,) = posted(title="<!channel>", reason="said 14 days", rule="quality")
    ended = posted(NotificationKind.RESOLVE, rule="availability", at=LATER)[0]
    assert (
        opened["labels"]
        == ended["labels"]
        == {
            "alertname": "AssistantMonitor",
            "app": "shop",
            "environment": "production",
            "suite": "support",
            "scope": "support/overall",
            "severity": "critical",
            "team": "shop",
        }
    )


@pytest.mark.parametrize("kind", [NotificationKind.UPDATE, NotificationKind.REMINDER, NotificationKind.RESOLVE])
async def test_an_incident_keeps_its_labels_when_the_configuration_changes(
    receivers: Receivers, kind: NotificationKind
) -> None:
    async with alertmanager(receivers, labels={"team": "a"}) as channel:
        opened = await channel.send(make_message())
    assert isinstance(opened, Ok)
    later = replace(make_message(kind, app="store", environment="prod"), opened_reference=opened.reference)
    async with alertmanager(receivers, labels={"team": "b", "pager": "yes"}) as channel:
        assert await channel.send(later) == opened
    bodies: list[Any] = [received.body for received in receivers.received]
    first, second = ([alert["labels"] for alert in body["alerts"]] for body in bodies)
    assert first[0] in second
    assert {labels["environment"] for labels in second} == {"production"}


@pytest.mark.parametrize("reference", [None, "", "a text", "[1]"])
def test_without_the_labels_of_the_opening_its_place_is_kept(reference: str | None) -> None:
    moved = make_message(NotificationKind.RESOLVE, environment="prod")
    told = labels_of(replace(moved, opened=ALERT, opened_reference=reference), {"team": "b"})
    assert (told["environment"], told["team"]) == ("production", "b")


def test_a_firing_alert_ends_by_itself_after_a_year_and_a_reminder_posts_it_again() -> None:
    (opened,), (again,) = posted(), posted(NotificationKind.REMINDER, at=LATER)
    assert (ends_at(opened), ends_at(again)) == (OPENED_AT + FIRES_FOR, LATER + FIRES_FOR)
    assert (opened["labels"], opened["startsAt"]) == (again["labels"], again["startsAt"])


def test_a_risen_severity_ends_the_alert_that_it_was() -> None:
    risen, *below = posted(NotificationKind.UPDATE, severity=Severity.ERROR, at=LATER)
    assert (risen["labels"]["severity"], ends_at(risen)) == ("error", LATER + FIRES_FOR)
    assert {(a["labels"]["severity"], ends_at(a)) for a in below} == {("warning", LATER), ("info", LATER)}


def test_an_end_ends_every_severity_that_the_incident_may_have_had() -> None:
    ended = posted(NotificationKind.RESOLVE, severity=Severity.CRITICAL, at=LATER)
    assert {a["labels"]["severity"] for a in ended} == {severity.value for severity in Severity}
    assert all(ends_at(a) == LATER for a in ended)


def test_an_end_is_never_before_its_start() -> None:
    assert alertmanager_error({"alerts": posted(NotificationKind.RESOLVE, at=OPENED_AT - timedelta(hours=1))}) is None


def test_a_notice_is_an_alert_of_its_own_that_ends_by_itself() -> None:
    (notice,) = posted(NotificationKind.INFO)
    assert notice["labels"]["alertname"] == "AssistantMonitorNotice"
    assert ends_at(notice) == OPENED_AT + timedelta(days=1)


def test_annotations_carry_the_evidence_and_our_links_alone() -> None:
    (opened,) = posted(**MEASURED)
    shown = opened["annotations"]
    assert shown["average"] == "0.612, 0.580 to 0.640 (threshold 0.700)"
    assert shown["worst_conversations"].startswith("https://monitor.example/conversations/c%201%2F2 0.100")
    assert opened["generatorURL"] == "https://monitor.example/incidents/incident-1"


@pytest.mark.parametrize("text", ["x" * 100_000, "<!channel> `a` https://evil @here" * 1000, "\0\ud800\u202e"])
def test_an_alert_is_valid_bounded_and_inert_whatever_is_said(text: str) -> None:
    made = posted(
        title=text,
        reason=text,
        rule=text,
        epoch=text,
        worst_intents=(WorstIntent(intent_id=text, mean=0.1, before=None),) * 100,
        worst_conversations=(WorstConversation(id="c", intent_id="i", value=0.1, summary=text),) * 100,
    )
    assert alertmanager_error({"alerts": made}) is None
    assert len(json.dumps(made)) < 40_000
    assert not any(live in json.dumps(made[0]["annotations"]) for live in ("<!", "`", "https://evil"))


async def test_an_acknowledgement_makes_no_call(receivers: Receivers) -> None:
    async with alertmanager(receivers) as channel:
        assert await channel.send(make_message(NotificationKind.ACK)) == Needless()
    assert receivers.received == []


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (
            Answer(status=400, body={"code": 602, "message": "labels"}),
            Permanent('HTTP 400: {"code":602,"message":"labels"}'),
        ),
        (Answer(status=503), Retry(None, "HTTP 503")),
        (Answer(status=429, headers={"Retry-After": "7"}), Retry(7.0, "HTTP 429")),
        (Answer(closes=True), Retry(None, "connection_failed")),
        (Answer(drips=True), Retry(None, "deadline")),
    ],
)
async def test_answers_are_classified_within_the_deadline(
    receivers: Receivers, answer: Answer, result: Retry | Permanent
) -> None:
    receivers.answer(ALERTMANAGER, answer)
    async with alertmanager(receivers, seconds=0.5) as channel:
        assert await channel.send(make_message()) == result
