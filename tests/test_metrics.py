"""What a scrape sees, read with parsers that we did not write."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Mapping
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitor.check import CheckStatus, Group, Snapshot, SuiteSnapshot, Watched
from monitor.metrics import OPENMETRICS, PREFIX, Metrics
from monitor.transcript import Outcome, Sampled
from tests.installed import installed
from tests.web.examples import CHECK, RUNNING, SUMMARY, T0, TURNS, USERS, conversation, snapshot

Series = tuple[str, frozenset[tuple[str, str]]]


def series(name: str, **labels: str) -> Series:
    return PREFIX + name, frozenset(labels.items())


def scrape(*snapshots: Snapshot, live: Mapping[str, float] | None = None) -> dict[Series, float]:
    """Every sample of a page in the text format, after these snapshots were published one after another."""
    metrics = Metrics(lambda: live or {}, channels=["slack", "pagerduty"])
    for published in snapshots:
        metrics.publish(published)
    families = parse_text(metrics.render()[0].decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def names(samples: Mapping[Series, float]) -> set[str]:
    return {name.removeprefix(PREFIX) for name, _ in samples if name.startswith(PREFIX)}


def test_scores_come_from_the_newest_valid_check_while_another_one_runs() -> None:
    samples = scrape(
        snapshot(
            SuiteSnapshot(
                suite="shop", watched=Watched(threshold=0.7), last=RUNNING, last_ended=CHECK, last_valid=CHECK
            )
        )
    )
    assert samples[series("score", suite="shop")] == 0.64
    assert samples[series("score_completed", suite="shop")] == 0.71
    assert samples[series("valid_share", suite="shop")] == 0.75
    assert samples[series("check_duration_seconds", suite="shop")] == 180
    assert samples[series("check_status", suite="shop", status="running")] == 1


def test_users_beyond_their_intents_are_a_figure_of_their_own() -> None:
    spec = replace(
        SUMMARY, in_spec=Group(conversations=2, mean=0.9), out_of_spec=Group(conversations=0, mean=None), fidelity=USERS
    )
    check = replace(CHECK, summary=spec)
    samples = scrape(
        snapshot(
            SuiteSnapshot(suite="shop", watched=Watched(threshold=0.7), last=check, last_ended=check, last_valid=check)
        )
    )
    assert samples[series("score_in_spec", suite="shop")] == 0.9
    assert samples[series("conversations_in_spec", suite="shop")] == 2
    assert samples[series("conversations_out_of_spec", suite="shop")] == 0
    assert series("score_out_of_spec", suite="shop") not in samples


def test_how_users_spoke_is_told_of_the_newest_check_that_ended_as_far_as_it_was_measured() -> None:
    unclear = replace(CHECK, status=CheckStatus.INCONCLUSIVE, summary=replace(SUMMARY, fidelity=USERS))
    samples = scrape(
        snapshot(
            SuiteSnapshot(
                suite="shop", watched=Watched(threshold=0.7), last=unclear, last_ended=unclear, last_valid=CHECK
            )
        )
    )
    told = {name for name in names(samples) if name.startswith("simulator_")}
    assert told == {"simulator_opener_words", "simulator_first_turn_diversity"}
    assert samples[series("simulator_opener_words", suite="shop")] == 7.5


def test_an_inconclusive_check_moves_the_valid_share_and_leaves_the_score() -> None:
    unclear = replace(CHECK, status=CheckStatus.INCONCLUSIVE, summary=replace(SUMMARY, valid=1, mean=0.1))
    samples = scrape(
        snapshot(
            SuiteSnapshot(
                suite="shop", watched=Watched(threshold=0.7), last=unclear, last_ended=unclear, last_valid=CHECK
            )
        )
    )
    assert samples[series("valid_share", suite="shop")] == 0.25
    assert samples[series("score", suite="shop")] == 0.64


def test_exactly_one_status_of_a_suite_is_set() -> None:
    samples = scrape(snapshot())
    states = {dict(labels)["status"]: value for (name, labels), value in samples.items() if name.endswith("_status")}
    assert states.keys() == set(CheckStatus)
    assert [status for status, value in states.items() if value] == ["degraded"]


def test_what_was_not_measured_is_not_exported() -> None:
    blank = replace(CHECK, summary=replace(SUMMARY, mean=None, mean_scored=None, success_rate=None, average_turns=None))
    samples = scrape(
        snapshot(
            SuiteSnapshot(suite="shop", watched=Watched(threshold=0.7), last=blank, last_ended=blank, last_valid=blank)
        )
    )
    assert names(samples).isdisjoint({"score", "score_completed", "success_rate", "average_turns"})
    assert series("intent_score", suite="shop", intent="unmeasured") not in samples
    assert samples[series("intent_score", suite="shop", intent="unwell")] == 0.2


def test_a_suite_without_a_check_has_its_threshold_and_no_invented_numbers() -> None:
    samples = scrape(
        snapshot(
            SuiteSnapshot(suite="new", watched=Watched(threshold=0.7), last=None, last_ended=None, last_valid=None)
        )
    )
    assert {name for name, labels in samples if ("suite", "new") in labels} == {
        f"{PREFIX}score_threshold",
        f"{PREFIX}suite_paused",
        f"{PREFIX}incidents_open",
        f"{PREFIX}checks_total",
        f"{PREFIX}conversations_total",
    }
    assert {value for (_, labels), value in samples.items() if ("suite", "new") in labels} == {0.7, 0}


def test_what_has_not_happened_yet_is_counted_as_none_so_that_its_first_time_is_seen() -> None:
    samples = scrape(snapshot())
    assert samples[series("checks_total", suite="shop", status="inconclusive")] == 0
    assert samples[series("conversations_total", suite="shop", outcome="judge_error")] == 0
    assert samples[series("notifications_total", channel="pagerduty", kind="resolve", result="dead")] == 0
    assert samples[series("notifications_pending", channel="slack", kind="resolve")] == 0


def test_what_is_expected_of_a_suite_is_told() -> None:
    watched = Watched(threshold=0.6, stale_after_seconds=34200)
    samples = scrape(
        snapshot(SuiteSnapshot(suite="shop", watched=watched, last=None, last_ended=None, last_valid=None))
    )
    assert samples[series("score_threshold", suite="shop")] == 0.6
    assert samples[series("stale_after_seconds", suite="shop")] == 34200


def test_the_newest_check_is_told_by_outcome_with_zeros() -> None:
    samples = scrape(snapshot())
    counts = {
        dict(labels)["outcome"]: value
        for (name, labels), value in samples.items()
        if name == f"{PREFIX}check_conversations"
    }
    assert counts == {outcome: float(SUMMARY.outcomes.get(outcome, 0)) for outcome in Outcome}


def test_times_of_turns_are_counted_in_buckets_from_zero() -> None:
    metrics = Metrics(suites=["shop", "desk"])
    metrics.observe("shop", conversation())
    page = metrics.render()[0].decode()
    replies = len(conversation().transcript.assistant_turns)
    assert f'assistant_monitor_assistant_reply_duration_seconds_count{{suite="shop"}} {float(replies)}' in page
    assert 'assistant_monitor_assistant_reply_duration_seconds_count{suite="desk"} 0.0' in page
    assert "_created" not in page


def test_a_reply_that_was_not_streamed_has_no_time_to_the_first_token() -> None:
    metrics = Metrics(suites=["shop"])
    whole = replace(TURNS[1], first_token_seconds=None)
    metrics.observe("shop", conversation(turns=(TURNS[0], whole)))
    page = metrics.render()[0].decode()
    assert 'assistant_monitor_assistant_first_token_seconds_count{suite="shop"} 0.0' in page
    assert 'assistant_monitor_assistant_reply_duration_seconds_count{suite="shop"} 1.0' in page


def test_a_suite_that_is_gone_leaves_no_series_behind() -> None:
    other = SuiteSnapshot(suite="desk", watched=Watched(threshold=0.7), last=CHECK, last_ended=CHECK, last_valid=CHECK)
    samples = scrape(snapshot(), snapshot(other))
    assert not [labels for _, labels in samples if ("suite", "shop") in labels]
    assert samples[series("score", suite="desk")] == 0.64


def test_what_still_runs_or_waits_is_not_counted_as_done() -> None:
    samples = scrape(snapshot())
    assert samples[series("checks_total", suite="shop", status="degraded")] == 1
    assert series("checks_total", suite="shop", status="running") not in samples
    assert samples[series("notifications_total", channel="slack", kind="open", result="sent")] == 1
    assert samples[series("notifications_pending", channel="pagerduty", kind="open")] == 1


def test_times_are_those_of_the_checks() -> None:
    samples = scrape(snapshot())
    assert samples[series("last_check_timestamp_seconds", suite="shop")] == T0.timestamp()
    assert samples[series("last_valid_check_timestamp_seconds", suite="shop")] == T0.timestamp()


def test_a_live_number_that_only_grows_is_a_counter() -> None:
    page = Metrics(lambda: {"engine_restarts_total": 2.0}).render()[0]
    assert b"# TYPE assistant_monitor_engine_restarts_total counter\n" in page
    assert b"assistant_monitor_engine_restarts_total 2.0\n" in page


def test_live_gauges_are_asked_at_each_scrape_and_need_no_snapshot() -> None:
    values = iter([0.0, 1.0])
    metrics = Metrics(lambda: {"engine_ready": next(values)})
    assert b"assistant_monitor_engine_ready 0.0\n" in metrics.render()[0]
    assert b"assistant_monitor_engine_ready 1.0\n" in metrics.render()[0]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_live_gauge_that_is_no_number_is_left_out(value: float) -> None:
    assert "engine_ready" not in names(scrape(live={"engine_ready": value}))


def test_the_running_version_is_told() -> None:
    (labels,) = [dict(labels) for name, labels in scrape() if name == f"{PREFIX}build_info"]
    assert labels.keys() == {"version", "python"}


def test_a_scraper_that_asks_for_openmetrics_gets_it() -> None:
    metrics = Metrics()
    metrics.publish(snapshot())
    page, content_type = metrics.render(f"{OPENMETRICS};q=0.8,text/plain;q=0.5")
    assert content_type.startswith("application/openmetrics-text")
    families = parse_openmetrics(page.decode())  # type: ignore[no-untyped-call]
    assert f"{PREFIX}score" in {family.name for family in families}


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_a_page_that_was_written_out_ahead_is_the_whole_one_of_the_newest_snapshot(accept: str) -> None:
    asked_before, asked_after = Metrics(channels=["slack"]), Metrics(channels=["slack"])
    asked_before.publish(snapshot())
    asked_before.render(accept)
    newer = replace(snapshot(), incidents_open={"shop": 7})
    for metrics in (asked_before, asked_after):
        metrics.publish(newer)
    ahead, afterwards = (metrics.render(accept)[0].decode() for metrics in (asked_before, asked_after))
    assert 'assistant_monitor_incidents_open{suite="shop"} 7.0\n' in ahead
    assert [line for line in ahead.splitlines() if "process_" not in line] == [
        line for line in afterwards.splitlines() if "process_" not in line
    ]
    assert ahead.count("# EOF") == (1 if accept else 0)


def test_channels_that_are_watched_from_now_on_are_shown_at_once() -> None:
    metrics = Metrics(channels=["slack"])
    metrics.publish(snapshot())
    metrics.render()
    metrics.watch(["shop"], ["pagerduty"])
    page = metrics.render()[0].decode()
    assert 'notifications_pending{channel="pagerduty",kind="open"} 1.0' in page
    assert 'channel="slack"' not in page


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/plain;version=x", "application/openmetrics-text;version=\x00;escaping=?"]
)
def test_no_accept_header_breaks_a_scrape(accept: str) -> None:
    assert Metrics().render(accept)[0].startswith(b"# HELP assistant_monitor_build")


def test_promtool_finds_nothing_to_blame() -> None:
    promtool = installed("promtool", "prometheus")
    metrics = Metrics(lambda: {"engine_ready": 1.0, "engine_restarts_total": 2.0}, suites=["shop"])
    metrics.publish(snapshot())
    metrics.observe("shop", conversation())
    run = subprocess.run(
        [promtool, "check", "metrics"], input=metrics.render()[0], capture_output=True, check=False, timeout=60
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


def test_a_script_takes_no_time_of_a_user_model() -> None:
    metrics = Metrics(suites=["shop"])
    metrics.observe("shop", conversation(turns=(replace(TURNS[0], latency_seconds=0.1, sampled=Sampled()), TURNS[1])))
    assert 'assistant_monitor_user_turn_duration_seconds_count{suite="shop"} 0.0' in metrics.render()[0].decode()
    drawn = replace(TURNS[0], latency_seconds=0.1, sampled=Sampled(tokens=4))
    metrics.observe("shop", conversation(turns=(drawn, TURNS[1])))
    assert 'assistant_monitor_user_turn_duration_seconds_count{suite="shop"} 1.0' in metrics.render()[0].decode()


def test_what_came_before_is_told_beside_what_is() -> None:
    intents = (replace(SUMMARY.intents[0], mean=0.4), *SUMMARY.intents[1:])
    before = replace(CHECK, summary=replace(SUMMARY, intents=intents))
    suite = replace(snapshot().suites[0], previous_valid=before, watched_since=T0)
    samples = scrape(snapshot(suite))
    assert samples[series("intent_score_previous", suite="shop", intent="well")] == 0.4
    assert samples[series("watched_since_timestamp_seconds", suite="shop")] == T0.timestamp()


def test_an_intent_that_has_changed_since_has_no_score_before() -> None:
    intents = (replace(SUMMARY.intents[0], fingerprint="f-changed"), *SUMMARY.intents[1:])
    before = replace(CHECK, summary=replace(SUMMARY, intents=intents))
    samples = scrape(snapshot(replace(snapshot().suites[0], previous_valid=before)))
    assert series("intent_score_previous", suite="shop", intent="well") not in samples
    assert samples[series("intent_score_previous", suite="shop", intent="unwell")] == 0.2


@pytest.mark.parametrize(("status", "conclusive"), [(CheckStatus.HEALTHY, 1), (CheckStatus.INCONCLUSIVE, 0)])
def test_whether_the_newest_check_said_something_holds_while_another_one_runs(
    status: CheckStatus, conclusive: int
) -> None:
    suite = replace(snapshot().suites[0], last=RUNNING, last_ended=replace(CHECK, status=status))
    assert scrape(snapshot(suite))[series("check_conclusive", suite="shop")] == conclusive


def test_times_of_a_suite_that_is_watched_no_more_are_gone_and_a_new_one_begins_at_0() -> None:
    metrics = Metrics(suites=["shop"])
    metrics.watch(["store"], [])
    metrics.observe("shop", conversation())  # its check went on
    metrics.watch(["store"], [])
    counts = [line for line in metrics.render()[0].decode().splitlines() if "reply_duration_seconds_count" in line]
    assert counts == ['assistant_monitor_assistant_reply_duration_seconds_count{suite="store"} 0.0']
