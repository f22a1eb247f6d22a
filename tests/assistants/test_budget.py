"""What may be spent, and how unknown usage counts."""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.assistants.budget import UNLIMITED, Allowance, Budget, Spent, estimated_tokens, used_tokens
from monitor.errors import Stopped
from monitor.transcript import Usage


class Days:
    """A wall clock that is set by hand."""

    def __init__(self) -> None:
        self.now = datetime(2025, 3, 1, 23, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def budget(
    *, per_check: Allowance = UNLIMITED, per_day: Allowance = UNLIMITED, days: Days, spent: Spent | None = None
) -> Budget:
    return Budget(per_check=per_check, per_day=per_day, utc_now=days, spent_today=spent)


def test_a_check_may_send_its_requests_and_no_more() -> None:
    limited = budget(per_check=Allowance(requests=2), days=Days())
    limited.take_request("a")
    limited.take_request("a")
    limited.take_request("b")
    with pytest.raises(Stopped, match="budget: 2 of 2 requests of this check are used"):
        limited.take_request("a")


def test_a_day_ends_at_midnight_utc() -> None:
    days = Days()
    limited = budget(per_day=Allowance(requests=1), days=days)
    limited.take_request("a")
    with pytest.raises(Stopped, match="1 of 1 requests of this day"):
        limited.take_request("b")
    days.now += timedelta(minutes=1)
    limited.take_request("b")
    assert limited.spent_today == Spent(requests=1)


def test_tokens_stop_the_next_request() -> None:
    limited = budget(per_day=Allowance(tokens=100), days=Days())
    limited.take_request("a")
    limited.add_tokens("a", 130)
    with pytest.raises(Stopped, match="budget: 130 of 100 tokens of this day"):
        limited.take_request("a")


def test_what_an_earlier_process_spent_today_counts() -> None:
    limited = budget(per_day=Allowance(requests=10), days=Days(), spent=Spent(requests=10))
    with pytest.raises(Stopped, match="10 of 10 requests"):
        limited.take_request("a")


def test_checks_of_long_ago_are_forgotten() -> None:
    limited = budget(per_check=Allowance(requests=1), days=Days())
    for number in range(200):
        limited.take_request(f"check-{number}")
    limited.take_request("check-0")
    assert limited.spent_today == Spent(requests=201)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (Usage(prompt_tokens=3, completion_tokens=4), 7),
        (Usage(prompt_tokens=3), 3 + 200),
        (Usage(completion_tokens=0), 100 + 0),
        (None, 100 + 200),
    ],
)
def test_unknown_usage_is_estimated_and_never_zero(usage: Usage | None, tokens: int) -> None:
    assert used_tokens(usage, prompt_estimate=100, completion_estimate=200) == tokens


def test_an_estimate_is_rather_too_high() -> None:
    assert estimated_tokens("How long can I return shoes?") >= 9
    assert estimated_tokens("退货期限是多久") >= 7
    assert estimated_tokens("") > 0
