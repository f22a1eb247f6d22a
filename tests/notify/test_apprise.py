"""Apprise, through its `json://` service and a loopback receiver."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest

from monitor.demo.receivers import APPRISE, Answer, Receivers
from monitor.errors import ConfigError
from monitor.incident import WorstConversation
from monitor.machine import NotificationKind
from monitor.notify.apprise import BODY_LIMIT, AppriseChannel, body
from monitor.notify.contract import Ok, Retry
from tests.notify.samples import MEASURED, make_message

pytest.importorskip("apprise")


async def test_a_message_is_told_with_its_evidence(receivers: Receivers) -> None:
    channel = AppriseChannel(url=receivers.apprise_url)
    assert await channel.send(make_message(NotificationKind.RESOLVE, **MEASURED)) == Ok()
    told = receivers.received[0].body
    assert told["title"] == "✅ Resolved: shop: answers of support are worse"
    assert "Average: 0.612, 0.580 to 0.640 (threshold 0.700)" in str(told["message"])
    assert "https://monitor.example/conversations/c%201%2F2" in str(told["message"])


@pytest.mark.parametrize("answer", [Answer(status=500), Answer(status=404), Answer(closes=True)])
async def test_what_was_not_taken_is_tried_again(receivers: Receivers, answer: Answer) -> None:
    receivers.answer(APPRISE, answer)
    assert await AppriseChannel(url=receivers.apprise_url).send(make_message()) == Retry(
        None, "the service did not take it"
    )


@pytest.mark.parametrize("answer", [Answer(hangs=True), Answer(drips=True)])
async def test_an_attempt_ends_at_its_deadline_and_the_next_waits_for_its_thread(
    receivers: Receivers, answer: Answer
) -> None:
    receivers.answer(APPRISE, answer)
    channel, began = AppriseChannel(url=receivers.apprise_url, deadline_seconds=0.2), time.monotonic()
    assert await channel.send(make_message()) == Retry(None, "no answer in time")
    assert time.monotonic() - began < 2.0
    assert await channel.send(make_message()) == Retry(None, "the attempt before is not over yet")


async def test_one_message_may_follow_the_other_at_once(receivers: Receivers) -> None:
    channel = AppriseChannel(url=receivers.apprise_url)
    assert [await channel.send(make_message()) for _ in range(30)] == [Ok()] * 30


async def test_a_slow_service_blocks_nothing_else(receivers: Receivers) -> None:
    receivers.answer(APPRISE, Answer(hangs=True))
    sending = asyncio.create_task(AppriseChannel(url=receivers.apprise_url, deadline_seconds=0.5).send(make_message()))
    began = time.monotonic()
    await asyncio.sleep(0.01)
    assert time.monotonic() - began < 0.4
    await sending


def test_without_apprise_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)  # as if it were not installed
    with pytest.raises(ConfigError, match=r"install assistant-monitor\[apprise\]"):
        AppriseChannel(url="json://127.0.0.1/")


@pytest.mark.parametrize("url", ["", "nowhere", "unknown://secret-host", "json://a json://b"])
def test_an_address_that_is_none_is_refused_and_stays_secret(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match="not the address of one service") as refusal:
        AppriseChannel(url=url)
    assert "secret-host" not in str(refusal.value) + caplog.text


def test_a_body_is_bounded_and_inert_whatever_is_said() -> None:
    said = "<!channel> `a` https://evil @here " * 1000
    worst = (WorstConversation(id="c", intent_id="i", value=0.1, summary=said),) * 9
    text = body(make_message(reason=said, worst_conversations=worst))
    assert len(text) <= BODY_LIMIT
    assert not any(live in text for live in ("<!", "`", "https://evil", "@here"))
