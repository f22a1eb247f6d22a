"""What numbers about the monitor's own parts say of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.canary import CanaryState
from monitor.check import CheckStatus
from monitor.rules import monitor
from monitor.rules.monitor import Down, Keeping, Part, Undelivered
from monitor.verdict import Finding, Verdict

WELL = Keeping(waiting=0, waiting_seconds=0, lost=0, away_seconds=0, back_seconds=None)
AWAY = Down(seconds=901, patience_seconds=900, reason="the engine is restarting")
DULL, GOOD = CheckStatus.INCONCLUSIVE, CheckStatus.HEALTHY
BREACH, RECOVERED, HOLD = Finding.BREACH, Finding.RECOVERED, Finding.HOLD


@pytest.mark.parametrize(
    ("verdict", "finding"),
    [
        (monitor.of_canaries(None, CanaryState.UNKNOWN), HOLD),
        (monitor.of_canaries(None, CanaryState.HEALTHY), RECOVERED),
        (monitor.of_judge({"s": (0, 0)}), HOLD),
        (monitor.of_judge({"s": (1, 10), "t": (0, 10)}), RECOVERED),
        (monitor.of_judge({"s": (0, 10), "t": (2, 10)}), BREACH),
        (monitor.of_judge_calls(10, 20, host=None), BREACH),
        (monitor.of_judge_calls(1, 20, host=None), RECOVERED),
        (monitor.of_engine(None, 0, host=None), RECOVERED),
        (monitor.of_engine(None, 3, host=None), BREACH),
        (monitor.of_engine(AWAY, 1, host=None), BREACH),
        (monitor.of_engine(replace(AWAY, seconds=899), 1, host=None), HOLD),
        (monitor.of_engine(replace(AWAY, seconds=0, is_final=True), 0, host=None), BREACH),
        (monitor.of_delivery(Undelivered(lost={}, late={})), RECOVERED),
        (monitor.of_delivery(Undelivered(lost={}, late={}, is_unsure=True)), HOLD),
        (monitor.of_delivery(Undelivered(lost={"slack": 1}, late={})), BREACH),
        (monitor.of_delivery(Undelivered(lost={}, late={"slack": 1})), BREACH),
        (monitor.of_storage(WELL, host=None), RECOVERED),
        (monitor.of_storage(replace(WELL, waiting=1, waiting_seconds=5), host=None), HOLD),
        (monitor.of_storage(replace(WELL, waiting=1, waiting_seconds=61), host=None), BREACH),
        (monitor.of_storage(replace(WELL, lost=1), host=None), BREACH),
        (monitor.of_storage(replace(WELL, away_seconds=61, back_seconds=10), host=None), BREACH),
        (monitor.of_storage(replace(WELL, away_seconds=59, back_seconds=10), host=None), RECOVERED),
        (monitor.of_storage(replace(WELL, away_seconds=61, back_seconds=301), host=None), RECOVERED),
        (monitor.of_clock(None, 10, host=None), HOLD),
        (monitor.of_clock(3600.0, 10, host=None), BREACH),
        (monitor.of_clock(3600.0, 3600, host=None), RECOVERED),
        (monitor.of_skew(-5.0, host=None), BREACH),
        (monitor.of_skew(4.9, host=None), RECOVERED),
        (monitor.of_configuration((), 0, host=None), RECOVERED),
        (monitor.of_configuration(("f:1: bad",), 600, host=None), HOLD),
        (monitor.of_configuration(("f:1: bad",), 601, host=None), BREACH),
        (monitor.of_ends("s", [], None), HOLD),
        (monitor.of_ends("s", [GOOD, DULL], None), HOLD),
        (monitor.of_ends("s", [GOOD, DULL, DULL], None), BREACH),
        (monitor.of_ends("s", [DULL, DULL, GOOD], None), RECOVERED),
        (monitor.of_ends("s", [DULL, DULL], "the assistant is disabled"), RECOVERED),
        (monitor.of_overlaps("s", None, host=None), Finding.UNKNOWN),
        (monitor.of_overlaps("s", 0, host=None), RECOVERED),
        (monitor.of_overlaps("s", 2, host=None), HOLD),
        (monitor.of_overlaps("s", 3, host=None), BREACH),
    ],
)
def test_numbers_say_how_a_part_is(verdict: Verdict | None, finding: Finding) -> None:
    assert verdict is not None
    assert verdict.finding is finding, verdict


def test_too_few_requests_say_nothing_of_the_judge() -> None:
    assert monitor.of_judge_calls(9, 9, host=None) is None


def test_a_breach_says_what_to_do_first() -> None:
    assert "First: " in monitor.of_engine(AWAY, 0, host=None).reason
    assert "First: " in monitor.of_ends("s", [DULL, DULL], None).reason


def test_a_part_has_recovered_only_if_all_that_is_known_of_it_says_so() -> None:
    dull, even = monitor.of_ends("s", [DULL, DULL], None), monitor.of_overlaps("s", 0, host=None)
    assert [v.finding for v in monitor.merged([dull, even])] == [BREACH]
    good, unknown = monitor.of_ends("s", [GOOD], None), monitor.of_overlaps("s", None, host=None)
    assert [v.finding for v in monitor.merged([good, unknown])] == [Finding.UNKNOWN]
    assert [v.finding for v in monitor.merged([good, even])] == [RECOVERED]


def test_one_of_several_daemons_speaks_only_for_its_own_machine() -> None:
    here, there = (monitor.of_engine(down, 0, host=host) for down, host in ((AWAY, "a"), (None, "b")))
    assert {(v.rule, v.finding) for v in monitor.merged([here, there])} == {
        ("monitor@a", BREACH),
        ("monitor@b", RECOVERED),
    }


def test_every_scope_of_the_monitor_is_told_in_words() -> None:
    assert monitor.called("monitor/checks.shop") == "its checks of shop"
    assert all(monitor.called(monitor.scope_of(part)).startswith("its ") for part in Part)
    assert [monitor.is_own(scope) for scope in ("monitor/clock", "monitors/clock", "shop/overall")] == [
        True,
        False,
        False,
    ]
