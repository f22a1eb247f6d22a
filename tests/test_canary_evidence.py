"""Where the state of the canaries is told: metrics, the overview, alerts and their messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.canary import CanaryRun, CanaryState, measured
from monitor.check import CheckStatus
from monitor.errors import AssistantFailure
from monitor.metrics import Metrics
from monitor.notify.pagerduty import event
from monitor.notify.slack_blocks import render
from monitor.rules.mean import MeanPolicy
from monitor.rules.policy import AvailabilityPolicy, RulesPolicy
from monitor.web.pages import pages_app
from tests.fixtures.checking import BAD, Checking
from tests.notify.samples import make_message
from tests.parties import T0
from tests.test_canary import BASELINE, run, sixty
from tests.test_metrics import scrape, series
from tests.web.examples import MemoryRecords, client, snapshot

AWAY_TOO = replace(RulesPolicy.only_mean(MeanPolicy(threshold=0.7), rounds=2), availability=AvailabilityPolicy())
FALLEN = run(sixty({"g0": 0.1, "g7": 0.2, "b3": 0.8}), BASELINE)


def test_metrics_tell_the_newest_run() -> None:
    shown = replace(snapshot(), canaries=FALLEN, taken_at=T0 + timedelta(seconds=90))
    samples = scrape(shown)
    assert samples[series("canary_auc")] == FALLEN.auc
    assert samples[series("canary_mean", label="good")] == FALLEN.mean_good
    assert samples[series("canary_mean", label="bad")] == FALLEN.mean_bad
    told = [samples[series(f"canary_{name}")] for name in ("alarm", "flips", "age_seconds")]
    assert (*told, samples[series("canaries_scored")]) == (1, 3, 90, 60)


def test_metrics_of_what_was_not_measured_are_not_there() -> None:
    nothing = measured([], run_id="r", at=T0, epoch="e", fingerprint="f", baseline=None)
    samples = scrape(replace(snapshot(), canaries=nothing))
    assert samples[series("canaries_scored")] == 0
    assert not {series("canary_auc"), series("canary_flips"), series("canary_mean", label="good")} & samples.keys()
    assert b"canar" not in Metrics().render()[0]


@pytest.mark.parametrize(
    ("newest", "told"),
    [(BASELINE, ["healthy", "60 of 60 scored"]), (FALLEN, ["sick", "3 of 60 flipped: g0, g7, b3"])],
)
async def test_the_overview_has_a_line_on_them(newest: CanaryRun, told: list[str]) -> None:
    shown = replace(snapshot(), canaries=newest)
    async with client(pages_app(MemoryRecords(), lambda: shown, clock=lambda: T0)) as browser:
        html = (await browser.get("/")).text
    assert all(text in html for text in ["Canaries", *told])


async def test_the_overview_is_silent_without_them() -> None:
    async with client(pages_app(MemoryRecords(), snapshot, clock=lambda: T0)) as browser:
        assert "Canaries" not in (await browser.get("/")).text


@pytest.mark.parametrize(
    ("every", "newest", "told"),
    [
        (None, BASELINE, None),
        (60.0, None, CanaryState.UNKNOWN),
        (60.0, BASELINE, CanaryState.HEALTHY),
        (60.0, replace(BASELINE, epoch="e0"), CanaryState.UNKNOWN),
    ],
)
async def test_an_alert_tells_whether_the_monitor_itself_is_well(
    checking: Checking, every: float | None, newest: CanaryRun | None, told: CanaryState | None
) -> None:
    check = checking.check()
    if newest is not None:
        checking.store.save_canary_run(newest)
    checking.answers(BAD)
    await checking.run(replace(check, decision=replace(check.decision, canary_seconds=every)))
    (incident,) = checking.store.incidents()
    assert checking.store.notifications(incident.id)[0].alert.canaries is told


async def test_a_sick_monitor_pages_for_an_assistant_that_is_away_and_for_nothing_else(checking: Checking) -> None:
    decision = replace(checking.check().decision, canary_seconds=60.0, rules=AWAY_TOO)
    check = replace(checking.check(), decision=decision)
    checking.store.save_canary_run(FALLEN)
    checking.answers(BAD)
    assert (await checking.run(check)).status is CheckStatus.INCONCLUSIVE
    assert checking.store.incidents() == []
    checking.answers(AssistantFailure("connection_failed"))
    done = await checking.run(check)
    (incident,) = checking.store.incidents()
    assert (done.status, incident.rule) == (CheckStatus.INCONCLUSIVE, "availability")
    assert checking.store.notifications(incident.id)[0].alert.canaries is CanaryState.SICK


def test_messages_tell_it_and_are_silent_where_canaries_are_off() -> None:
    sick, off = make_message(canaries=CanaryState.SICK), make_message(canaries=None)
    assert "*Canaries*\\nsick" in str(render(sick).blocks)
    assert "'canaries': 'sick'" in str(event(sick, "key")["payload"])
    assert "anaries" not in str(render(off).blocks) + str(event(off, "key"))
