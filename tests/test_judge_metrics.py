"""What a scrape sees of the judge."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from monitor.judge_metrics import JudgeMetrics
from monitor.judge_usage import JudgeUsage
from monitor.metrics import Metrics
from monitor.score import JudgeResult

USAGE = JudgeUsage(calls=1, prompt_tokens=900, completion_tokens=40, cost=0.25)


def scrape(judging: JudgeMetrics) -> dict[str, float]:
    """The judge's samples of a page, by name and labels."""
    page = Metrics(engines=judging.families).render()[0].decode()
    return {
        sample.name.removeprefix("assistant_monitor_judge_") + "".join(f" {value}" for value in sample.labels.values()):
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name.startswith("assistant_monitor_judge_")
    }  # fmt: skip


def test_requests_are_counted_by_result_and_all_results_are_there_from_the_start() -> None:
    judging = JudgeMetrics(has_prices=True)
    assert {f"requests_total {result.value}" for result in JudgeResult} <= scrape(judging).keys()
    judging.observe(JudgeResult.OK, 0.3, USAGE)
    judging.observe(JudgeResult.TIMEOUT, 60.0, None)
    found = scrape(judging)
    assert (found["requests_total ok"], found["requests_total timeout"]) == (1, 1)
    assert found["requests_total unusable"] == 0


def test_seconds_are_those_of_requests_that_were_sent() -> None:
    judging = JudgeMetrics(has_prices=True)
    judging.observe(JudgeResult.OK, 0.3, USAGE)
    judging.observe(JudgeResult.BUDGET, 0.0, None)
    found = scrape(judging)
    assert (found["request_duration_seconds_count"], found["request_duration_seconds_sum"]) == (1, 0.3)


def test_tokens_and_cost_are_those_that_were_stated() -> None:
    judging = JudgeMetrics(has_prices=True)
    judging.observe(JudgeResult.OK, 0.3, USAGE)
    judging.observe(JudgeResult.UNUSABLE, 0.3, JudgeUsage(calls=1))
    found = scrape(judging)
    assert (found["tokens_total prompt"], found["tokens_total completion"], found["cost_total"]) == (900, 40, 0.25)


def test_without_prices_there_is_no_cost() -> None:
    judging = JudgeMetrics(has_prices=False)
    judging.observe(JudgeResult.OK, 0.3, JudgeUsage(calls=1, prompt_tokens=900))
    assert "cost_total" not in scrape(judging)


def test_without_a_judge_nothing_is_shown() -> None:
    judging = JudgeMetrics(is_shown=False)
    judging.observe(JudgeResult.OK, 0.1, None)
    assert [*judging.families()] == []


def test_requests_that_failed_are_counted_among_those_that_were_sent() -> None:
    judging = JudgeMetrics()
    assert judging.calls() == (0, 0)
    for result in (JudgeResult.OK, JudgeResult.TIMEOUT, JudgeResult.BUDGET, JudgeResult.REFUSED):
        judging.observe(result, 0.1, None)
    assert judging.calls() == (2, 3)
