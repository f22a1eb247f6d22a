"""How a suite stands: in a word, why, and since when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.check import CheckRecord, CheckStatus, SuiteSnapshot, Watched
from monitor.store import CheckPoint, point_of
from monitor.verdict import Finding, Severity
from monitor.web.condition import NAMED_BREACHES, condition, loudest_first, open_of, stale_since
from tests.web.examples import CHECK, INCIDENT, RUNNING, T0, VERDICT

NOW = T0 + timedelta(hours=1)
WELL = replace(CHECK, status=CheckStatus.HEALTHY, reason="")


def suite(check: CheckRecord | None = CHECK, **changes: object) -> SuiteSnapshot:
    shown = SuiteSnapshot(suite="shop", watched=Watched(threshold=0.7), last=check, last_ended=check, last_valid=check)
    return replace(shown, **changes)  # type: ignore[arg-type]


def points(*statuses: str) -> list[CheckPoint]:
    """Checks with these statuses, newest first, four hours apart."""
    return [
        point_of(replace(CHECK, id=f"k{n}", status=CheckStatus(status), started_at=T0 - timedelta(hours=4 * n)))
        for n, status in enumerate(statuses)
    ]


def watched(**expected: object) -> Watched:
    return Watched(threshold=0.7, **expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shown", "word"),
    [
        (suite(), "degraded"),
        (suite(WELL), "healthy"),
        (suite(last=RUNNING), "degraded"),
        (suite(last_ended=replace(CHECK, status=CheckStatus.INCONCLUSIVE)), "inconclusive"),
        (suite(None), "no check yet"),
        (suite(None, last=RUNNING), "no check yet"),
        (suite(watched=watched(stale_after_seconds=60.0)), "stale"),
        (suite(WELL, watched=watched(is_paused=True)), "paused"),
        (suite(None, watched=watched(stale_after_seconds=60.0), watched_since=T0), "stale"),
        (suite(None, watched=watched(stale_after_seconds=60.0)), "no check yet"),
    ],
)
def test_the_word_is_of_the_newest_end_unless_that_is_old_or_nothing_is_wanted(shown: SuiteSnapshot, word: str) -> None:
    assert condition(shown, (), NOW).word == word


def test_age_is_counted_from_the_end_of_the_last_valid_check() -> None:
    assert CHECK.finished_at is not None
    shown = suite(watched=watched(stale_after_seconds=600.0))
    assert stale_since(shown, CHECK.finished_at + timedelta(seconds=600)) is None
    assert stale_since(shown, CHECK.finished_at + timedelta(seconds=601)) == CHECK.finished_at


def test_a_check_that_runs_is_told_beside_the_status() -> None:
    assert condition(suite(last=RUNNING), (), NOW).is_running
    assert not condition(suite(), (), NOW).is_running


@pytest.mark.parametrize(
    ("statuses", "hours", "is_longer"),
    [
        (["degraded", "degraded", "healthy", "degraded"], 4, False),
        (["degraded", "healthy"], 0, False),
        (["running", "degraded", "aborted", "degraded", "healthy"], 12, False),
        (["degraded", "degraded", "degraded"], 8, True),
        (["degraded"], 0, False),
    ],
)
def test_a_status_lasts_since_the_first_of_the_newest_checks_that_have_it(
    statuses: list[str], hours: int, is_longer: bool
) -> None:
    found = condition(suite(), points(*statuses), NOW)
    assert (found.since, found.is_longer) == (T0 - timedelta(hours=hours), is_longer)


def test_without_the_checks_it_is_not_known_since_when() -> None:
    assert condition(suite(), (), NOW).since is None


def test_the_reasons_are_that_of_the_check_and_every_rule_in_breach_said_once() -> None:
    falling = replace(VERDICT, rule="regression", reason="0.120 lower since then")
    calm = replace(VERDICT, rule="availability", finding=Finding.HOLD, reason="0 of 4")
    found = condition(suite(verdicts=(VERDICT, falling, calm)), (), NOW)
    assert found.reasons == ("average 0.64 is below 0.70", "regression: 0.120 lower since then")


def test_many_breaches_are_counted() -> None:
    breaches = tuple(replace(VERDICT, rule="intent", reason=f"intent {n} passed 0 of 4") for n in range(9))
    found = condition(suite(verdicts=breaches), (), NOW)
    assert len(found.reasons) == 1 + NAMED_BREACHES + 1
    assert found.reasons[-1] == f"and {9 - NAMED_BREACHES} more verdicts in breach"


def test_verdicts_of_an_older_check_are_no_reason_for_what_the_newest_says() -> None:
    newest = replace(CHECK, id="k9", status=CheckStatus.INCONCLUSIVE, reason="1 of 4 conversations are valid")
    found = condition(suite(last=newest, last_ended=newest, verdicts=(VERDICT,)), (), NOW)
    assert found.reasons == ("1 of 4 conversations are valid",)


def test_a_newest_check_that_was_lost_is_told_first() -> None:
    lost = replace(RUNNING, status=CheckStatus.ABORTED, reason="its lease ran out")
    found = condition(suite(WELL, last=lost), (), NOW)
    assert (found.word, found.reasons) == ("healthy", ("The newest check was aborted: its lease ran out",))


def test_worse_comes_first() -> None:
    stale = condition(suite(watched=watched(stale_after_seconds=60.0)), (), NOW)
    bad, well = condition(suite(), (), NOW), condition(suite(WELL), (), NOW)
    order = [well.rank(1), bad.rank(0), stale.rank(0), well.rank(0)]
    assert order == sorted(order)


def test_open_incidents_are_those_of_the_suite_the_loudest_first() -> None:
    warning = replace(INCIDENT, id="w", scope="shop/unwell", severity=Severity.WARNING, opened_at=T0)
    over = replace(INCIDENT, id="o", closed_at=NOW)
    other = replace(INCIDENT, id="x", scope="shop2/overall")
    later = replace(INCIDENT, id="l", opened_at=NOW)
    assert [one.id for one in open_of("shop", [warning, later, over, other, INCIDENT])] == ["l", "i1", "w"]
    assert loudest_first([warning, INCIDENT]) == [INCIDENT, warning]
    taken = replace(later, acked_by="Ann")
    assert loudest_first([taken, INCIDENT]) == [INCIDENT, taken], "what nobody has taken comes before newer ones"
