"""The bot against a loopback Slack, through the real client."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from monitor.demo.receivers import SLACK, Answer, Receivers
from monitor.machine import NotificationKind
from monitor.notify.contract import Message, Ok, Permanent, Retry
from monitor.notify.slack_bot import SlackBot
from tests.notify.samples import ALERT, KEY, make_message


def make_bot(receivers: Receivers, deadline_seconds: float = 10.0, token: str = "xoxb-1") -> SlackBot:
    return SlackBot(
        token=token, destination="#alerts", base_url=receivers.slack_api_url, deadline_seconds=deadline_seconds
    )


def resolve(reference: str | None) -> Message:
    return Message(kind=NotificationKind.RESOLVE, alert=ALERT, dedup_key=KEY, opened_reference=reference, opened=ALERT)


async def test_an_open_is_posted_with_unfurling_off_and_gives_its_reference(receivers: Receivers) -> None:
    result = await make_bot(receivers).send(make_message())
    body = receivers.received[0].body
    assert isinstance(result, Ok)
    assert result.reference
    assert body["channel"] == "#alerts"
    assert (body["unfurl_links"], body["unfurl_media"], body["link_names"], body["parse"]) == (
        False,
        False,
        False,
        "none",
    )
    assert receivers.deliveries() == [{"channel": "slack", "kind": "open", "dedup_key": KEY}]


async def test_the_end_updates_the_opening_and_answers_in_its_thread(receivers: Receivers) -> None:
    bot = make_bot(receivers)
    opened = await bot.send(make_message())
    assert isinstance(opened, Ok)
    assert isinstance(await bot.send(resolve(opened.reference)), Ok)
    update, reply = receivers.received[1:]
    assert update.path == "/api/chat.update"
    assert f"{update.body['channel']}:{update.body['ts']}" == opened.reference
    assert reply.body["thread_ts"] == update.body["ts"]
    assert [delivery["kind"] for delivery in receivers.deliveries()] == ["open", "resolve"]


@pytest.mark.parametrize("kind", [NotificationKind.UPDATE, NotificationKind.REMINDER, NotificationKind.ACK])
async def test_what_is_said_in_between_answers_in_the_thread_and_changes_nothing(
    receivers: Receivers, kind: NotificationKind
) -> None:
    told = Message(kind=kind, alert=ALERT, dedup_key=KEY, opened_reference="C0123456789:1.2", opened=ALERT)
    assert isinstance(await make_bot(receivers).send(told), Ok)
    (reply,) = receivers.received
    assert (reply.path, reply.body["channel"]) == ("/api/chat.postMessage", "C0123456789")
    assert reply.body["thread_ts"] == "1.2"
    assert "reply_broadcast" not in reply.body


@pytest.mark.parametrize("reference", [None, "C0123456789:1.2"])
async def test_the_end_is_a_message_of_its_own_when_the_opening_is_not_there(
    receivers: Receivers, reference: str | None
) -> None:
    assert isinstance(await make_bot(receivers).send(resolve(reference)), Ok)
    assert receivers.received[-1].body["channel"] == "#alerts"
    assert "thread_ts" not in receivers.received[-1].body


@pytest.mark.parametrize("error", ["is_archived", "not_in_channel", "channel_not_found", "thread_not_found"])
@pytest.mark.parametrize("kind", [NotificationKind.UPDATE, NotificationKind.REMINDER, NotificationKind.ACK])
async def test_what_the_channel_of_the_opening_takes_no_more_is_told_where_the_next_open_would_be(
    receivers: Receivers, kind: NotificationKind, error: str
) -> None:
    receivers.answer(SLACK, Answer(body={"ok": False, "error": error}))
    told = Message(kind=kind, alert=ALERT, dedup_key=KEY, opened_reference="C0123456789:1.2", opened=ALERT)
    assert isinstance(await make_bot(receivers).send(told), Ok)
    assert receivers.received[-1].body["channel"] == "#alerts"
    assert "thread_ts" not in receivers.received[-1].body


@pytest.mark.parametrize("error", ["is_inactive", "is_archived"])
async def test_the_end_of_what_was_opened_in_an_archived_channel_is_told(receivers: Receivers, error: str) -> None:
    receivers.answer(SLACK, Answer(body={"ok": False, "error": error}))
    assert isinstance(await make_bot(receivers).send(resolve("C0123456789:1.2")), Ok)
    assert [received.path for received in receivers.received] == ["/api/chat.update", "/api/chat.postMessage"]
    assert receivers.received[-1].body["channel"] == "#alerts"


async def test_a_channel_that_was_archived_after_the_update_is_left_for_the_configured_one(
    receivers: Receivers,
) -> None:
    bot = make_bot(receivers)
    opened = await bot.send(make_message())
    assert isinstance(opened, Ok)
    receivers.answer(SLACK, Answer(body={"ok": True}), Answer(body={"ok": False, "error": "is_archived"}))
    assert isinstance(await bot.send(resolve(opened.reference)), Ok)
    assert receivers.received[-1].body["channel"] == "#alerts"


async def test_no_reply_is_posted_while_the_update_fails(receivers: Receivers) -> None:
    receivers.answer(SLACK, Answer(status=503))
    result = await make_bot(receivers).send(resolve("C0123456789:1.2"))
    assert isinstance(result, Retry)
    assert [received.path for received in receivers.received] == ["/api/chat.update"]


@pytest.mark.parametrize(
    "error",
    ["invalid_auth", "channel_not_found", "not_in_channel", "account_inactive", "token_revoked", "msg_too_long"],
)
async def test_an_error_that_stays_is_permanent(receivers: Receivers, error: str) -> None:
    receivers.answer(SLACK, Answer(body={"ok": False, "error": error}))
    assert await make_bot(receivers).send(make_message()) == Permanent(error)


@pytest.mark.parametrize("error", ["ratelimited", "internal_error", "fatal_error", "service_unavailable"])
async def test_an_error_that_passes_is_retried(receivers: Receivers, error: str) -> None:
    receivers.answer(SLACK, Answer(body={"ok": False, "error": error}))
    assert await make_bot(receivers).send(make_message()) == Retry(None, error)


async def test_a_wrong_token_is_permanent(receivers: Receivers) -> None:
    assert await make_bot(receivers, token="nonsense").send(make_message()) == Permanent("invalid_auth")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "2"}, 2.0), ({"Retry-After": "1.5"}, 1.5), ({"Retry-After": "99999"}, 900.0), ({}, None)],
)
async def test_a_rate_limit_is_kept_as_told(
    receivers: Receivers, headers: Mapping[str, str], seconds: float | None
) -> None:
    receivers.answer(SLACK, Answer(status=429, headers=headers, body={"ok": False, "error": "ratelimited"}))
    assert await make_bot(receivers).send(make_message()) == Retry(seconds, "ratelimited")
    assert len(receivers.received) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=500),
        Answer(status=502, body="<html>"),
        Answer(status=503, body={"ok": False}),
        Answer(closes=True),
        Answer(body="plain"),
        Answer(body=["a list"]),
        Answer(body=None),
        Answer(body={"ok": True}),
        Answer(body={"ok": False}),
    ],
)
async def test_an_answer_that_is_broken_or_none_is_retried(receivers: Receivers, answer: Answer) -> None:
    receivers.answer(SLACK, answer)
    assert isinstance(await make_bot(receivers).send(make_message()), Retry)


@pytest.mark.parametrize("answer", [Answer(hangs=True), Answer(drips=True)])
async def test_one_attempt_ends_at_its_deadline(receivers: Receivers, answer: Answer) -> None:
    receivers.answer(SLACK, answer)
    assert await make_bot(receivers, deadline_seconds=0.3).send(make_message()) == Retry(None, "no answer in time")


async def test_nobody_listening_is_retried_and_told_without_the_address() -> None:
    with Receivers() as gone:
        bot = make_bot(gone)
    result = await bot.send(make_message())
    assert result == Retry(None, "no usable answer: ClientConnectorError")


async def test_a_proxy_of_the_environment_is_not_used(receivers: Receivers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert isinstance(await make_bot(receivers).send(make_message()), Ok)
