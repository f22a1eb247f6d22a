"""The benchmark of alerts, on a small scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monitor.verdict import Finding, Severity, Verdict
from tests.benchmarks.alerts import replayed, simulated, source_rule
from tests.benchmarks.alerts.world import SUITE, Alarms, chances, dead, dropped


def test_pass_rates_have_the_wanted_mean_and_are_rates() -> None:
    passing = chances(np.random.default_rng(1), intents=20, mean=0.8, correlation=0.5)
    assert passing.mean() == pytest.approx(0.8)
    assert 0.0 <= passing.min() < 0.6 < 0.95 < passing.max() <= 1.0


def test_changes_are_what_they_are_called() -> None:
    passing = chances(np.random.default_rng(1), intents=20, mean=0.8, correlation=0.5)
    assert dropped(passing, 0.05).mean() == pytest.approx(0.75)
    assert dead(passing, 3)[3] == 0.0
    assert passing[3] > 0.0


def test_a_fall_and_an_outage_are_found_and_a_healthy_suite_is_not_told() -> None:
    assert simulated.after_drop(1, 0.3) == 1
    assert simulated.after_outage(1) == 1
    assert simulated.after_death(1) <= 2


def test_the_same_number_gives_the_same_suite() -> None:
    assert simulated.after_drop(2, 0.05) == simulated.after_drop(2, 0.05)


def test_while_a_suite_has_an_incident_its_intents_open_none() -> None:
    alarms = Alarms()
    verdicts = tuple(
        Verdict(scope=f"{SUITE}/{of}", rule=rule, finding=Finding.BREACH, severity=severity, reason="")
        for of, rule, severity in (
            ("overall", "regression", Severity.WARNING),
            ("overall", "quality", Severity.CRITICAL),
            ("intent-1", "intent", Severity.CRITICAL),
        )
    )
    assert [verdict.rule for verdict in alarms.hear(verdicts)] == ["regression"]
    assert (alarms.notifications, alarms.pages) == (["regression"], ["quality"])
    assert alarms.hear(verdicts) == []


def test_the_plain_rule_opens_once_for_one_fall() -> None:
    assert source_rule.opened(iter([0.8, 0.6, 0.6, 0.8, 0.6, 0.8, 0.8, 0.6])) == [2, 8]


def test_a_change_of_the_model_is_found_in_the_data(tmp_path: Path) -> None:
    rows = [
        f"{model},{question},{int(question % divisor != 0)},1.0"
        for model, divisor in ((replayed.BEFORE, 7), (replayed.AFTER, 2))
        for question in range(200)
    ]
    (tmp_path / "model_drift.csv").write_text("model,question_id,correct,latency_seconds\n" + "\n".join(rows) + "\n")
    before, after = replayed.read(tmp_path)
    assert (before.mean(), after.mean()) == (pytest.approx(0.855), 0.5)
    assert replayed.checks_to_find(1, before, after, 1.0) == 1
