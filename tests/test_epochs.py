"""Nothing is compared across epochs or across versions of an intent: what an alert stands on and tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.agreement import Estimate
from monitor.calibration import Calibration, Standing, TargetAgreement, WeightProposal
from monitor.healthcheck import HealthCheck
from monitor.incident import Alert
from monitor.rules.mean import MeanPolicy
from monitor.rules.policy import RulesPolicy
from tests.fixtures.checking import BAD, GOOD, Checking
from tests.parties import intent


def opened(checking: Checking) -> Alert:
    (incident,) = checking.store.incidents()
    return checking.store.notifications(incident.id)[0].alert


async def falls_after(checking: Checking, healthy: HealthCheck, broken: HealthCheck) -> Alert:
    checking.answers(GOOD)
    await checking.run(healthy)
    checking.answers(BAD)
    await checking.run(broken)
    return opened(checking)


async def test_an_alert_names_means_before_only_of_its_own_epoch(checking: Checking) -> None:
    check = checking.check()
    alert = await falls_after(checking, replace(check, epoch="e0"), check)
    assert [worst.before for worst in alert.worst_intents] == [None, None]


async def test_an_alert_names_a_mean_before_only_of_an_intent_that_has_not_changed(checking: Checking) -> None:
    check = checking.check()
    changed = (check.suite.intents[0], intent(id="two", weight=3.0, description="You are a user who wants more."))
    alert = await falls_after(checking, check, replace(check, suite=replace(check.suite, intents=changed)))
    assert {worst.intent_id: worst.before for worst in alert.worst_intents} == {"one": 1.0, "two": None}


async def test_checks_of_another_epoch_do_not_count_towards_an_incident(checking: Checking) -> None:
    check = checking.check()
    twice = replace(
        check.decision,
        rules=RulesPolicy.only_mean(MeanPolicy(threshold=0.7, failing_checks=2, window_checks=2), rounds=2),
    )
    check = replace(check, decision=twice)
    checking.answers(BAD)
    await checking.run(replace(check, epoch="e0"))
    await checking.run(check)
    assert checking.store.incidents() == []
    await checking.run(check)
    assert len(checking.store.incidents()) == 1


@pytest.mark.parametrize(
    ("days", "epochs", "told"),
    [
        (None, ["e1"], None),
        (90, [], Standing.UNCALIBRATED),
        (90, ["e1"], Standing.CALIBRATED),
        (90, ["e0"], Standing.STALE),
        (90, ["e1", "e0"], Standing.CALIBRATED),
    ],
)
async def test_an_alert_tells_what_is_known_of_the_judge_where_there_is_one(
    checking: Checking, days: int | None, epochs: list[str], told: Standing | None
) -> None:
    check = checking.check()
    area = Estimate(value=0.9, low=0.8, high=0.95)
    vouching = TargetAgreement(target="score", n=40, good=20, judged=40, auc=area)
    for number, epoch in enumerate(epochs):
        fit = WeightProposal(n=0)
        found = Calibration(id=str(number), at=check.now(), epoch=epoch, labels=40, targets=(vouching,), fit=fit)
        checking.store.save_calibration(found)
    checking.answers(BAD)
    await checking.run(replace(check, decision=replace(check.decision, calibration_days=days)))
    assert opened(checking).judge is told
