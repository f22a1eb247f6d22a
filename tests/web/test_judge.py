"""What pages tell of the judge: nothing without one, and whether its scores were held against labels with one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.agreement import Estimate
from monitor.calibration import Calibration, TargetAgreement, WeightProposal
from monitor.judge_usage import JudgeUsage
from tests.web.examples import CHECK, SCORE, T0, MemoryRecords, client, conversation, pages

VOUCHING = TargetAgreement(target="score", n=40, good=20, judged=40, auc=Estimate(value=0.9, low=0.8, high=0.95))
JUDGED = conversation(score=replace(SCORE, judged=JudgeUsage(calls=1)))


def calibration(epoch: str = CHECK.epoch, days_ago: int = 0) -> Calibration:
    at = T0 - timedelta(days=days_ago)
    return Calibration(id="k", at=at, epoch=epoch, labels=40, targets=(VOUCHING,), fit=WeightProposal(n=0))


async def get(path: str, records: MemoryRecords) -> str:
    async with client(pages(records)) as browser:
        return (await browser.get(path)).text


@pytest.mark.parametrize("path", ["/", "/checks/k1"])
@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (None, "uncalibrated"),
        (calibration(), "calibrated"),
        (calibration(epoch="e0"), "stale"),
        (calibration(days_ago=91), "stale"),
    ],
)
async def test_a_judge_is_told_with_what_is_known_of_it(path: str, stored: Calibration | None, told: str) -> None:
    html = await get(path, MemoryRecords(stored_conversations=(JUDGED,), stored_calibration=stored))
    assert f">{told}</span>" in html
    assert "Judge" in html


@pytest.mark.parametrize("path", ["/", "/checks/k1"])
async def test_without_a_judge_nothing_is_told_of_one(path: str) -> None:
    html = await get(path, MemoryRecords(stored_calibration=calibration()))
    assert "Judge" not in html
    assert "calibrated" not in html


async def test_checks_of_another_epoch_are_marked_on_the_overview() -> None:
    older = replace(CHECK, id="k0", epoch="e0")
    words = "2 epochs, which do not compare"
    assert words in await get("/", MemoryRecords(stored_checks=(CHECK, older)))
    assert words not in await get("/", MemoryRecords(stored_checks=(CHECK, replace(older, epoch=CHECK.epoch))))
