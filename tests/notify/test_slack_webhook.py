"""The incoming webhook against a loopback Slack, through the real client."""

from __future__ import annotations

import logging

import pytest

from monitor.demo.receivers import SLACK, Answer, Receivers
from monitor.machine import NotificationKind
from monitor.notify.contract import Ok, Permanent, Retry
from monitor.notify.slack_webhook import SlackWebhook
from tests.notify.samples import KEY, make_message


def make_webhook(receivers: Receivers, deadline_seconds: float = 10.0) -> SlackWebhook:
    return SlackWebhook(url=receivers.slack_webhook_url, deadline_seconds=deadline_seconds)


@pytest.mark.parametrize("kind", list(NotificationKind))
async def test_a_message_is_posted_and_has_no_reference(receivers: Receivers, kind: NotificationKind) -> None:
    assert await make_webhook(receivers).send(make_message(kind)) == Ok(None)
    assert receivers.received[0].body["unfurl_links"] is False
    assert receivers.deliveries() == [{"channel": "slack", "kind": kind.value, "dedup_key": KEY}]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=400, body="invalid_payload"),
        Answer(status=403, body="action_prohibited"),
        Answer(status=404, body="no_service"),
        Answer(status=410, body="channel_is_archived"),
        Answer(body={"ok": False, "error": "invalid_auth"}),
    ],
)
async def test_a_refusal_is_permanent(receivers: Receivers, answer: Answer) -> None:
    receivers.answer(SLACK, answer)
    assert isinstance(await make_webhook(receivers).send(make_message()), Permanent)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=500, body="rollup_error"),
        Answer(status=503),
        Answer(status=200, body="<html>please log in</html>"),
        Answer(status=200, body=["ok"]),
        Answer(body={"ok": False, "error": "ratelimited"}),
        Answer(closes=True),
    ],
)
async def test_what_may_get_better_is_retried(receivers: Receivers, answer: Answer) -> None:
    receivers.answer(SLACK, answer)
    assert isinstance(await make_webhook(receivers).send(make_message()), Retry)


async def test_a_rate_limit_is_kept_as_told(receivers: Receivers) -> None:
    receivers.answer(SLACK, Answer(status=429, headers={"Retry-After": "7"}))
    assert await make_webhook(receivers).send(make_message()) == Retry(7.0, "HTTP 429")


@pytest.mark.parametrize("answer", [Answer(hangs=True), Answer(drips=True)])
async def test_one_attempt_ends_at_its_deadline(receivers: Receivers, answer: Answer) -> None:
    receivers.answer(SLACK, answer)
    result = await make_webhook(receivers, deadline_seconds=0.3).send(make_message())
    assert result == Retry(None, "no answer in time")


async def test_an_address_that_is_none_is_permanent_and_stays_secret() -> None:
    result = await SlackWebhook(url="http:///services/secret").send(make_message())
    assert result == Permanent("the configured URL is not one")


async def test_the_address_is_not_logged(receivers: Receivers, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await make_webhook(receivers).send(make_message())
    ours = [record for record in caplog.records if not record.name.startswith("uvicorn")]
    assert not [record for record in ours if "secret" in record.getMessage()]
