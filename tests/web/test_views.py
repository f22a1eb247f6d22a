"""Orders, marks and drawings of the pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.incident import NotificationStatus
from monitor.web import views
from tests.web.examples import INCIDENT, SUMMARY, notification


def test_intents_come_worst_first_and_the_unmeasured_last() -> None:
    assert [i.intent_id for i in views.worst_intents_first(SUMMARY)] == ["unwell", "well", "unmeasured"]


def test_a_check_without_numbers_has_no_intents() -> None:
    assert views.worst_intents_first(None) == []


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
