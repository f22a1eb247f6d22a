"""Orders, marks and drawings of the pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.incident import NotificationStatus
from monitor.web import views
from tests.web.examples import CHECK, INCIDENT, SCORE, SUMMARY, TURNS, conversation, notification, snapshot


def test_intents_come_worst_first_and_the_unmeasured_last() -> None:
    assert [i.intent_id for i in views.worst_intents_first(SUMMARY)] == ["unwell", "well", "unmeasured"]


def test_a_check_without_numbers_has_no_intents() -> None:
    assert views.worst_intents_first(None) == []


def test_conversations_come_worst_first_and_those_that_say_nothing_last() -> None:
    unmeasured = conversation("none", score=replace(SCORE, value=None))
    good, bad = conversation("good"), conversation("bad", score=replace(SCORE, value=0.1))
    assert [c.id for c in views.worst_conversations_first([unmeasured, good, bad])] == ["bad", "good", "none"]


def test_a_turn_carries_the_items_whose_evidence_is_in_it() -> None:
    marks = [mark for _, of_component in views.components(SCORE) for mark in of_component]
    marked = [[mark.item.id for mark in message.marks] for message in views.messages(TURNS, marks)]
    assert marked == [[], ["thirty-days"], [], ["no-card-number"]]


def test_items_of_the_same_id_in_two_components_have_different_anchors() -> None:
    twice = replace(SCORE, components=SCORE.components * 2)
    anchors = [mark.anchor for _, marks in views.components(twice) for mark in marks]
    assert len(anchors) == len(set(anchors)) == 6


def test_an_item_is_passed_failed_not_measured_or_off() -> None:
    item = SCORE.items[0]
    items = (item, replace(item, value=0.0), replace(item, value=None), replace(item, is_on=False))
    score = replace(SCORE, components=(replace(SCORE.components[0], items=items),))
    assert [mark.state for _, marks in views.components(score) for mark in marks] == [
        "passed",
        "failed",
        "not measured",
        "off",
    ]


def test_a_trend_stays_inside_its_frame_and_marks_what_is_below() -> None:
    trend = views.draw_trend([1.0, 0.75, 0.0], 0.7)
    assert trend is not None
    assert [is_below for _, _, is_below in trend.dots] == [False, False, True]
    assert all(0 <= x <= views.TREND_WIDTH and 0 <= y <= views.TREND_HEIGHT for x, y, _ in trend.dots)
    assert trend.text == "3 averages from 0.00 to 1.00, 1 of them below 0.70"


def test_a_trend_leaves_out_checks_of_other_epochs() -> None:
    older = replace(CHECK, epoch="e0", summary=replace(SUMMARY, mean=0.1))
    row = views.suite_row(snapshot().suites[0], [CHECK, CHECK, older])
    assert (row.epoch, len(row.checks)) == ("e1", 3)
    assert row.trend is not None
    assert row.trend.text.startswith("2 averages from 0.64 to 0.64")


def test_one_check_makes_no_trend() -> None:
    assert views.draw_trend([0.7], 0.7) is None


def test_a_trend_of_perfect_checks_against_a_threshold_of_one_can_be_drawn() -> None:
    assert views.draw_trend([1.0, 1.0], 1.0) is not None


def test_a_timeline_runs_from_the_opening_over_the_deliveries_to_the_end() -> None:
    closed = replace(INCIDENT, closed_at=INCIDENT.opened_at + timedelta(hours=4), close_reason="well again")
    dead = notification("pagerduty", NotificationStatus.DEAD, attempts=9, error="HTTP 400")
    timeline = views.timeline(closed, [notification("slack", NotificationStatus.SENT), dead])
    assert [happening.title for happening in timeline] == [
        "Opened",
        "Open message for slack: queued",
        "Open message for pagerduty: dead",
        "Open message for slack: sent",
        "Closed",
    ]
    assert timeline[2].text == "9 attempts; last error: HTTP 400"
