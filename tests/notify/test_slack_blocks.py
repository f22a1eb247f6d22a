"""Slack messages: what they show, that they can do nothing else, and that they fit."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block, ContextBlock, HeaderBlock, SectionBlock
from slack_sdk.models.metadata import Metadata

from monitor.calibration import Standing
from monitor.demo.receiver_rules import slack_error, told_by_slack
from monitor.incident import Alert, WorstConversation, WorstIntent
from monitor.machine import NotificationKind
from monitor.notify.contract import Message
from monitor.notify.slack_blocks import SlackMessage, inert, render, render_closed_opening
from tests.notify.samples import ALERT, KEY, OPENED_AT, make_alert, make_message

HOSTILE = (
    "<!channel> <@U123> <#C1> <https://evil.example|Approve> https://evil.example @here #general ``` a@evil.example"
)
MODELS: dict[str, type[Block]] = {"header": HeaderBlock, "section": SectionBlock, "context": ContextBlock}
LINK = re.compile(r'<([^<>|"]+)\|')

PIECES = [*"<>&`@#!|*_~:/.ab \n\u202e\0\ud800🙂", "://", "<!here>", "a" * 200, "<" * 600, "\ud800" * 200]
texts = st.lists(st.sampled_from(PIECES) | st.characters(), max_size=20).map("".join)


def dump(message: SlackMessage) -> str:
    return json.dumps([message.text, message.blocks], ensure_ascii=False)


def hostile_alert(text: str, count: int = 8) -> Alert:
    return make_alert(
        **dict.fromkeys(
            ["app", "environment", "suite", "scope", "rule", "title", "reason", "epoch", "dedup_key"], text
        ),
        worst_intents=tuple(WorstIntent(intent_id=text, mean=0.1, before=None) for _ in range(count)),
        worst_conversations=tuple(
            WorstConversation(id=text, intent_id=text, value=0.1, summary=text) for _ in range(count)
        ),
    )


def assert_fits(message: SlackMessage) -> None:
    """Slack's limits, by slack_sdk's own models (which leave out those of texts in context blocks) and by ours."""
    for block in message.blocks:
        arguments: dict[str, Any] = {name: value for name, value in block.items() if name != "type"}
        MODELS[str(block["type"])](**arguments).validate_json()
    assert len(message.text) <= 4000
    assert slack_error({"text": message.text, "blocks": message.blocks}) is None


def test_an_alert_shows_its_numbers_evidence_and_links() -> None:
    shown = dump(render(make_message()))
    for part in ("🔴", "0.612 (threshold 0.700)", "55%", "`return-window` 0.900 → 0.200", "said 14 days", "`abcdef`"):
        assert part in shown
    assert "<https://monitor.example/conversations/c%201%2F2|return-window>" in shown
    assert "<https://monitor.example/checks/check-1|check check-1>" in shown


def test_an_alert_with_nothing_measured_says_unknown() -> None:
    alert = make_alert(average=None, threshold=None, success_rate=None, epoch=None, check_id=None, base_url=None)
    message = render(Message(kind=NotificationKind.OPEN, alert=alert, dedup_key=KEY))
    assert "unknown (threshold unknown)" in dump(message)
    assert not LINK.findall(dump(message))
    assert_fits(message)


@pytest.mark.parametrize(
    ("lasted", "words"),
    [
        (timedelta(hours=4, minutes=5), "4 h 5 min"),
        (timedelta(minutes=7, seconds=59), "7 min"),
        (timedelta(seconds=12), "12 s"),
        (timedelta(seconds=-3), "0 s"),
    ],
)
def test_a_resolve_tells_how_long_it_lasted(lasted: timedelta, words: str) -> None:
    shown = dump(render(make_message(NotificationKind.RESOLVE, at=OPENED_AT + lasted)))
    assert "✅ Resolved: shop" in shown
    assert words in shown


def test_the_closed_opening_keeps_its_evidence_under_a_new_headline() -> None:
    end = make_alert(title="recovered", reason="average 0.9", worst_intents=(), at=OPENED_AT + timedelta(minutes=7))
    message = Message(kind=NotificationKind.RESOLVE, alert=end, dedup_key=KEY, opened=ALERT)
    shown = dump(render_closed_opening(message))
    assert "✅ Resolved after 7 min: shop: answers" in shown
    assert "0.900 → 0.200" in shown


@pytest.mark.parametrize("kind", list(NotificationKind))
def test_kind_and_key_are_told_with_and_without_metadata(kind: NotificationKind) -> None:
    message = render(make_message(kind, dedup_key="shop:a&b:<x>"))
    told = {"channel": "slack", "kind": kind.value, "dedup_key": "shop:a&b:<x>"}
    assert Metadata(**message.metadata).to_dict() == message.metadata  # type: ignore[arg-type]
    assert told_by_slack({"blocks": message.blocks, "metadata": message.metadata}) == told
    assert told_by_slack({"blocks": message.blocks}) == told


@pytest.mark.parametrize("live", ["<!", "<@", "<#", "<http", "https://evil", "@here", "@evil", "#gen", "```"])
def test_nothing_that_a_stranger_wrote_comes_alive(live: str) -> None:
    alert = hostile_alert(HOSTILE, count=2)
    shown = dump(render(Message(kind=NotificationKind.OPEN, alert=alert, dedup_key=HOSTILE)))
    ours = re.sub(r"<https://monitor\.example/[^|<>]*\|", "", shown)
    assert live not in ours


@given(texts)
def test_every_link_is_ours_and_every_limit_holds_whatever_is_said(text: str) -> None:
    message = Message(kind=NotificationKind.INFO, alert=hostile_alert(text), dedup_key=text)
    for rendered in (render(message), render_closed_opening(message)):
        assert_fits(rendered)
        assert all(url.startswith("https://monitor.example/") for url in LINK.findall(dump(rendered)))


@given(texts, st.integers(1, 300))
def test_inert_text_has_no_markup_and_keeps_its_entities_whole(text: str, limit: int) -> None:
    made = inert(text, limit)
    assert len(made) <= 5 * limit
    assert not re.search(r"[<>`]|://|[@#](?!\u200b)|&(?!(amp|lt|gt);)|[\x00-\x1f\ud800-\udfff\u202e]", made)


def test_a_base_url_that_is_none_makes_no_links() -> None:
    assert not LINK.findall(dump(render(make_message(base_url="javascript:alert(1)"))))


def test_a_base_url_cannot_break_out_of_its_link() -> None:
    shown = dump(render(make_message(base_url="https://monitor.example/a|b>&<!channel>")))
    assert "<https://monitor.example/a%7Cb%3E%26%3C!channel%3E/checks/check-1|check check-1>" in shown


def test_a_judge_is_told_with_what_is_known_of_it_and_without_one_nothing_is() -> None:
    assert "*Judge*\nuncalibrated" in str_of(render(make_message(judge=Standing.UNCALIBRATED)).blocks)
    assert "Judge" not in str_of(render(make_message()).blocks)


def str_of(blocks: object) -> str:
    return str(blocks).replace("\\n", "\n")
