"""Labels of a file: scales, both kinds of conversations, and lines that are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.config.intents import intent_from
from monitor.studies.labels import Label, Scale, parse_scale, read_labels, stored_labels
from monitor.studies.lines import Given, Wrong
from tests.store.samples import a_label, after

AT = datetime(2026, 3, 1, tzinfo=UTC)
MESSAGES = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "good day"}]


def read(*lines: dict[str, Any] | str, scale: str = "0-1") -> tuple[list[Label], list[Wrong]]:
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return read_labels(text, intent_from, scale=parse_scale(scale), at=AT)


@pytest.mark.parametrize(
    ("label", "scale", "share"),
    [(True, "1-5", 1.0), (False, "1-5", 0.0), (3, "1-5", 0.5), (5, "1-5", 1.0), (0.25, "0-1", 0.25), (1, "0-1", 1.0)],
)
def test_a_label_is_a_share_of_its_scale(label: object, scale: str, share: float) -> None:
    ((found,), wrong) = read({"conversation_id": "v1", "label": label}, scale=scale)
    assert (found.value, found.target, found.conversation, wrong) == (share, "score", "v1", [])


def test_a_label_may_come_with_its_conversation_and_name_an_item() -> None:
    ((found,), _) = read({"id": "a", "messages": MESSAGES, "label": 0.4, "item": "conduct"})
    assert isinstance(found.conversation, Given)
    assert (found.target, found.is_good, found.conversation.id) == ("conduct", False, "a")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: not an object; write {...}"),
        ({"conversation_id": "v1"}, "line 2: label: write true, false, or a number from 1 to 5 (see --scale)"),
        ({"conversation_id": "v1", "label": 6}, "line 2: label: write true"),
        ({"conversation_id": "v1", "label": "good"}, "line 2: label: write true"),
        ({"label": 3}, "line 2: write conversation_id, or id with messages"),
        ({"conversation_id": 7, "label": 3}, "line 2: conversation_id: write the id of a stored conversation"),
        ({"conversation_id": "v1", "label": 3, "item": ""}, "line 2: item: write the id of an item"),
        ({"id": "a", "messages": [], "label": 3}, "line 2: messages: write a list"),
        ({"messages": MESSAGES, "label": 3}, "line 2: id: write a text that names the conversation"),
        ({"id": "a", "messages": MESSAGES, "label": 3, "intent": 7}, "line 2: intent: is a whole number"),
    ],
)
def test_a_line_that_is_no_label_is_named_with_what_would_be_right(line: dict[str, Any] | str, told: str) -> None:
    labels, (wrong,) = read({"conversation_id": "v1", "label": 1}, line, scale="1-5")
    assert len(labels) == 1
    assert str(wrong).startswith(told)


def test_blank_lines_count_and_say_nothing() -> None:
    labels, wrong = read("", "  ", {"conversation_id": "v1", "label": 1})
    assert ([label.line for label in labels], wrong) == ([3], [])


@pytest.mark.parametrize("text", ["5", "5-1", "1-1", "a-b", "0-nan", "", "0-inf"])
def test_what_is_no_scale_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no scale; write the worst and the best label, for example 1-5"):
        parse_scale(text)


def test_a_label_outside_of_the_scale_has_no_share() -> None:
    assert [Scale(low=1, high=5).share(label) for label in (0.9, 5.1, float("nan"))] == [None, None, None]


def test_stored_labels_are_of_whole_conversations_and_of_each_person_the_newest() -> None:
    given = [a_label("l1", "v1", value=0.6), a_label("l2", "v1", at=after(90), passed=False, value=None)]
    found = stored_labels([*given, a_label("l3", "v2", value=None)])
    assert [(label.conversation, label.value, label.target) for label in found] == [
        ("v2", 1.0, "score"),
        ("v1", 0.0, "score"),
    ]
