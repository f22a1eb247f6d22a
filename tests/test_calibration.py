"""When a calibration still says something about scores."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.agreement import Estimate
from monitor.calibration import Calibration, Standing, TargetAgreement, WeightProposal, standing

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def target(judged: int = 40, low: float | None = 0.7, reason: str = "") -> TargetAgreement:
    area = Estimate(value=0.8, low=low, high=0.9)
    return TargetAgreement(target="score", n=40, good=20, auc=area, judged=judged, reason=reason)


def calibration(epoch: str, days_ago: float) -> Calibration:
    at = NOW - timedelta(days=days_ago)
    return Calibration(id="k", at=at, epoch=epoch, labels=40, targets=(target(),), fit=WeightProposal(n=0))


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        (None, Standing.UNCALIBRATED),
        (calibration("e1", 0), Standing.CALIBRATED),
        (calibration("e1", 90), Standing.CALIBRATED),
        (calibration("e1", 90.01), Standing.STALE),
        (calibration("e2", 0), Standing.STALE),
    ],
)
def test_scores_are_calibrated_by_labels_of_their_own_epoch_for_so_many_days(
    newest: Calibration | None, expected: Standing
) -> None:
    assert standing(newest, "e1", NOW, days=90) is expected


def test_a_calibration_is_measured_when_one_number_had_labels_enough() -> None:
    few = TargetAgreement(target="score", n=3, good=1, reason="3 labels")
    assert not Calibration(id="k", at=NOW, epoch="e", labels=3, targets=(few,), fit=WeightProposal(n=0)).is_measured
    both = (few, TargetAgreement(target="task", n=40, good=20))
    assert Calibration(id="k", at=NOW, epoch="e", labels=43, targets=both, fit=WeightProposal(n=0)).is_measured


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (target(), Standing.CALIBRATED),
        (target(low=0.501), Standing.CALIBRATED),
        (target(low=0.5), Standing.UNCALIBRATED),
        (target(low=0.2), Standing.UNCALIBRATED),
        (target(low=None), Standing.UNCALIBRATED),
        (target(judged=21), Standing.CALIBRATED),
        (target(judged=20), Standing.UNCALIBRATED),
        (target(judged=0), Standing.UNCALIBRATED),
        (target(reason="3 labels"), Standing.UNCALIBRATED),
        (replace(target(), auc=None), Standing.UNCALIBRATED),
    ],
)
def test_a_judge_is_calibrated_by_numbers_of_its_own_that_tell_good_from_bad(
    of: TargetAgreement, expected: Standing
) -> None:
    assert standing(replace(calibration("e1", 0), targets=(of,)), "e1", NOW, days=90) is expected
