"""The receivers of the demo and the tests are as strict as the real ones."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from monitor.demo.receivers import PAGERDUTY, SLACK, WEBHOOK_SECRET, Answer, Receivers
from monitor.notify.signature import HEADER, sign

BOT = {"Authorization": "Bearer xoxb-1"}
EVENT: dict[str, Any] = {
    "routing_key": "r",
    "event_action": "trigger",
    "dedup_key": "k",
    "payload": {"summary": "s", "source": "here", "severity": "critical"},
}


def post(url: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=5.0) as client:
        return client.post(url, json=body, headers=headers)


def test_a_good_event_is_kept_in_order(receivers: Receivers) -> None:
    for action in ("trigger", "resolve"):
        assert post(receivers.pagerduty_url, EVENT | {"event_action": action}).status_code == 202
    assert [delivery["kind"] for delivery in receivers.deliveries()] == ["open", "resolve"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"routing_key": ""},
        {"event_action": "explode"},
        {"event_action": "resolve", "dedup_key": None},
        {"dedup_key": "k" * 256},
        {"payload": None},
        {"payload": EVENT["payload"] | {"severity": "high"}},
        {"payload": EVENT["payload"] | {"summary": ""}},
        {"payload": EVENT["payload"] | {"summary": "s" * 1025}},
        {"payload": EVENT["payload"] | {"custom_details": "x" * 600_000}},
    ],
)
def test_a_wrong_event_is_refused(receivers: Receivers, wrong: dict[str, Any]) -> None:
    assert post(receivers.pagerduty_url, EVENT | wrong).status_code == 400
    assert receivers.deliveries() == []
    assert not receivers.received[0].is_accepted


@pytest.mark.parametrize(
    ("headers", "body", "error"),
    [
        ({}, {"channel": "C1", "text": "t"}, "not_authed"),
        ({"Authorization": "Bearer nonsense"}, {"channel": "C1", "text": "t"}, "invalid_auth"),
        (BOT, {"text": "t"}, "channel_not_found"),
        (BOT, {"channel": "C1"}, "no_text"),
        (BOT, {"channel": "C1", "text": "t" * 40_001}, "msg_too_long"),
        (BOT, {"channel": "C1", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        (BOT, {"channel": "C1", "blocks": [{"type": "header", "text": {"text": "t" * 151}}]}, "invalid_blocks"),
        (BOT, {"channel": "C1", "blocks": [{"type": "section"}]}, "invalid_blocks"),
        (BOT, ["a list"], "channel_not_found"),
    ],
)
def test_a_wrong_slack_message_is_refused(receivers: Receivers, headers: dict[str, str], body: Any, error: str) -> None:
    answer = post(receivers.slack_api_url + "chat.postMessage", body, headers)
    assert answer.json() == {"ok": False, "error": error}


def test_an_update_needs_the_id_of_the_channel_and_a_message_that_was_posted(receivers: Receivers) -> None:
    posted = post(receivers.slack_api_url + "chat.postMessage", {"channel": "#a", "text": "t"}, BOT).json()
    changes = [{"channel": "#a", "ts": posted["ts"]}, {"channel": posted["channel"], "ts": posted["ts"]}]
    answers = [post(receivers.slack_api_url + "chat.update", {"text": "u", **c}, BOT).json() for c in changes]
    assert [answer.get("error") for answer in answers] == ["message_not_found", None]


def test_a_webhook_answers_in_plain_text(receivers: Receivers) -> None:
    assert post(receivers.slack_webhook_url, {"text": "t"}).text == "ok"
    assert post(receivers.slack_webhook_url, {}).status_code == 400


def test_an_answer_that_was_ordered_is_given_once(receivers: Receivers) -> None:
    receivers.answer(PAGERDUTY, Answer(status=429, headers={"Retry-After": "2"}))
    answers = [post(receivers.pagerduty_url, EVENT) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [429, 202]
    assert answers[0].headers["Retry-After"] == "2"


def test_a_standing_answer_is_given_until_it_is_taken_back(receivers: Receivers) -> None:
    receivers.always_answer(SLACK, Answer(status=500))
    first = [post(receivers.slack_webhook_url, {"text": "t"}).status_code for _ in range(2)]
    receivers.always_answer(SLACK, None)
    assert [*first, post(receivers.slack_webhook_url, {"text": "t"}).status_code] == [500, 500, 200]


def test_an_answer_may_be_lost_after_the_event_was_taken(receivers: Receivers) -> None:
    receivers.answer(PAGERDUTY, Answer(closes=True, is_accepted=True))
    with pytest.raises(httpx.TransportError):
        post(receivers.pagerduty_url, EVENT)
    assert len(receivers.deliveries()) == 1


def test_waiting_ends_when_enough_was_received_or_at_the_deadline(receivers: Receivers) -> None:
    assert not receivers.wait_until(lambda received: len(received) > 0, 0.01)
    post(receivers.pagerduty_url, EVENT)
    assert receivers.wait_until(lambda received: len(received) > 0, 0.01)


def test_a_signed_webhook_is_taken_and_an_unsigned_one_refused(receivers: Receivers) -> None:
    signed = {HEADER: sign(WEBHOOK_SECRET, b"{}", int(time.time()))}
    with httpx.Client(trust_env=False, timeout=5.0) as client:
        statuses = [client.post(receivers.webhook_url, content=b"{}", headers=h).status_code for h in (signed, {})]
    assert statuses == [204, 401]


TIMES = {"startsAt": "2026-01-01T12:00:00+00:00", "endsAt": "2026-01-01T13:00:00+00:00"}


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {"labels": {"alertname": "a"}},
        [TIMES],
        [TIMES | {"labels": {"alert-name": "a"}}],
        [TIMES | {"labels": {"alertname": 1}}],
        [TIMES | {"labels": {"alertname": "a"}, "annotations": {"x": None}}],
        [TIMES | {"labels": {"alertname": "a"}, "endsAt": "2026-01-01T11:00:00+00:00"}],
        [TIMES | {"labels": {"alertname": "a"}, "startsAt": "noon"}],
    ],
)
def test_wrong_alerts_are_refused(receivers: Receivers, wrong: Any) -> None:
    url = f"{receivers.alertmanager_url}/api/v2/alerts"
    assert post(url, wrong).status_code == 400
    assert post(url, [TIMES | {"labels": {"alertname": "a"}}]).status_code == 200
