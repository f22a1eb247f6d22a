"""What Prometheus is told: the last published snapshot, times of this process, and a few live numbers.

Knows no database: a snapshot is handed in whole after each commit, so a suite that is gone is gone from the next
scrape, and a scrape is answered while the database is away. What was not measured is not exported.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import product
from typing import TypeVar

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from monitor import __version__
from monitor.canary import CanaryRun
from monitor.check import CheckRecord, CheckStatus, CheckSummary, Conversation, Group, Snapshot, SuiteSnapshot
from monitor.fidelity import Fidelity
from monitor.incident import NotificationStatus
from monitor.machine import NotificationKind
from monitor.rules.monitor import SUITE as MONITOR
from monitor.transcript import Outcome

PREFIX = "assistant_monitor_"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
END = b"# EOF\n"
"""What a page of OpenMetrics ends with."""

LIVE_HELP = {
    "config_loaded_timestamp_seconds": "Unix time at which the configuration in force was read last.",
    "config_reload_success": "1 if the newest reload of the configuration was taken, or none was asked for; else 0.",
    "engine_ready": "1 while the user model's server answers, else 0.",
    "engine_restarts_total": "Times that the daemon started its engine child again.",
    "engine_unloaded": "1 while the engine child is ended on purpose, until somebody wants it, else 0.",
    "heartbeat_age_seconds": "Time since the daemon's loop last made progress.",
    "spool_entries": "Checks that wait for the database to come back.",
    "spool_lost_total": "Checks that could not be kept for it, or came too late.",
    "store_reachable": "1 if the newest transaction found the database there and whole, else 0.",
}
RESERVED = frozenset(PREFIX + name.removesuffix("_total") for name in LIVE_HELP)
"""Families that no engine's page may add to. An engine counts its restarts too, but it is whoever restarts it that
knows them while it is away.
"""
SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)

_SUMMARY_GAUGES: tuple[tuple[str, str, Callable[[CheckSummary], float | None]], ...] = (
    ("score", "Mean score, the assistant's errors counted as 0", lambda summary: summary.mean),
    ("score_completed", "Mean score over scored conversations only", lambda summary: summary.mean_scored),
    ("success_rate", "Share of the valid conversations that passed", lambda summary: summary.success_rate),
    ("average_turns", "User turns per completed conversation", lambda summary: summary.average_turns),
    ("score_standard_error", "Standard error of the mean score", lambda summary: summary.standard_error),
    ("score_in_spec", "Mean score where the user kept to its intent", lambda s: _mean(s.in_spec)),
    ("score_out_of_spec", "Mean score where the user went beyond its intent", lambda s: _mean(s.out_of_spec)),
    ("conversations_in_spec", "Scored conversations, user within its intent", lambda s: _count(s.in_spec)),
    ("conversations_out_of_spec", "Scored conversations, user beyond its intent", lambda s: _count(s.out_of_spec)),
)

_FIDELITY_GAUGES: tuple[tuple[str, str, Callable[[Fidelity], float | None]], ...] = (
    ("simulator_turns_to_end", "Simulated user's turns per completed conversation", lambda f: f.turns_to_end),
    ("simulator_ended_share", "Share of completed conversations that the user ended", lambda f: f.ended_by_user),
    ("simulator_opener_words", "Words per sampled first turn", lambda f: f.opener_words),
    ("simulator_intent_overlap", "Content words shared by first turn and intent", lambda f: f.intent_overlap),
    ("simulator_first_turn_diversity", "1 - overlap of two first turns", lambda f: f.first_turn_diversity),
    ("simulator_type_token_ratio", "Distinct words over words of sampled turns", lambda f: f.type_token),
    ("simulator_end_probability_at_end", "Mean P(end) where the user ended", lambda f: f.p_end_at_end),
    ("simulator_end_probability_before", "Mean P(end) where the user went on", lambda f: f.p_end_before),
    ("simulator_tries_per_turn", "Tries per sampled turn", lambda f: f.tries_per_turn),
    ("simulator_guardrail_hits_per_turn", "Tries per turn that a guardrail rejected", lambda f: f.hits_per_turn),
)

Samples = Iterable[tuple[tuple[str, ...], float | None]]
Key = TypeVar("Key", bound=tuple[str, ...])


class Metrics:
    """The metrics of one daemon, which watches `suites` and tells on `channels`.

    `live` is asked at every scrape for numbers without labels, by names without the prefix (counters end with
    `_total`), and `engines` for families that come from elsewhere; they must not block, and are called from the web
    server's thread. All methods may be called from any thread.
    """

    def __init__(
        self,
        live: Callable[[], Mapping[str, float]] = dict,
        *,
        engines: Callable[[], Iterable[Metric]] = tuple,
        suites: Collection[str] = (),
        channels: Collection[str] = (),
    ) -> None:
        self._live = live
        self._engines = engines
        self._channels: Collection[str] = ()
        self._suites: set[str] = set()
        self._shown: _Shown | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._reply = self._histogram("assistant_reply_duration_seconds", "Request to the end of the reply.")
        self._first_token = self._histogram(
            "assistant_first_token_seconds", "Request to the first text of a streamed reply."
        )
        self._user_turn = self._histogram(
            "user_turn_duration_seconds", "Time that the user model took over a turn, tries and all."
        )
        self.watch(suites, channels)

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot published last; None before the first one."""
        shown = self._shown
        return shown.snapshot if shown else None

    def watch(self, suites: Collection[str], channels: Collection[str]) -> None:
        """Show these suites and channels, and nothing of the times of suites that are not among them.

        Every suite is there from the start, at 0: Prometheus cannot see the first step of a series that appears.
        """
        for times in (self._reply, self._first_token, self._user_turn):
            for gone in self._suites.difference(suites):
                times.remove(gone)
            for suite in suites:
                times.labels(suite)
        self._suites, self._channels = {*suites}, channels
        if self._shown:
            self.publish(self._shown.snapshot)

    def publish(self, snapshot: Snapshot) -> None:
        """Show this snapshot from the next scrape on. It is written out here, as it was asked for before."""
        before, shown = self._shown, _Shown(snapshot, self._channels)
        for form in before.forms if before else ():
            shown.page(form)
        self._shown = shown

    def observe(self, suite: str, conversation: Conversation) -> None:
        """Count the times of a conversation that ended."""
        self._suites.add(suite)  # the check may go on that began before `watch` was told that its suite is gone
        for turn in conversation.transcript.assistant_turns:
            _observe(self._reply, suite, turn.latency_seconds)
            _observe(self._first_token, suite, turn.first_token_seconds)
        for turn in conversation.transcript.user_turns:
            if not turn.is_fixed_text:
                _observe(self._user_turn, suite, turn.latency_seconds)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The page and its content type: OpenMetrics if the Accept header names it, else the text format."""
        # The encoder reads versions and escaping out of what it is given, so it is given no word of the client's.
        form = OPENMETRICS if "application/openmetrics-text" in accept else ""
        encode, content_type = choose_encoder(form)
        page, shown = encode(self._registry), self._shown
        return page.removesuffix(END) + shown.page(form) if shown else page, content_type

    def describe(self) -> Iterable[Metric]:
        """No promises about names: what is exported depends on the snapshot."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every metric family that is not of the snapshot."""
        build = InfoMetricFamily(f"{PREFIX}build", "The running version.")
        build.add_metric((), {"version": __version__, "python": platform.python_version()})
        yield build
        for name, value in self._live().items():
            make = _counter if name.endswith("_total") else _gauge
            yield make(name, LIVE_HELP[name], (), [((), value)])
        yield from (family for family in self._engines() if family.name not in RESERVED)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(PREFIX + name, text, ("suite",), buckets=SECONDS, registry=self._registry)


class _Shown:
    """A snapshot written out, once for each form of the page: a scrape pays for none of its thousand samples."""

    def __init__(self, snapshot: Snapshot, channels: Collection[str]) -> None:
        self.snapshot = snapshot
        self._channels = channels
        self._pages: dict[str, bytes] = {}

    @property
    def forms(self) -> tuple[str, ...]:
        """Those that were asked for."""
        return tuple(self._pages)

    def page(self, form: str) -> bytes:
        """The families of the snapshot, with the end of the page where the form has one."""
        page = self._pages.get(form)
        if page is None:
            encode, _ = choose_encoder(form)
            page = self._pages[form] = encode(self)
        return page

    def collect(self) -> Iterator[Metric]:
        """The families of the snapshot."""
        yield from _suite_gauges(self.snapshot.suites)
        yield from _totals(self.snapshot, self._channels)
        if self.snapshot.canaries is not None:
            yield from _canary_gauges(self.snapshot.canaries, self.snapshot.taken_at)


def _mean(group: Group | None) -> float | None:
    return group.mean if group else None


def _count(group: Group | None) -> float | None:
    return group.conversations if group else None


def _suite_gauges(suites: tuple[SuiteSnapshot, ...]) -> Iterator[Metric]:
    valid = [(s.suite, s.last_valid, s.last_valid.summary) for s in suites if s.last_valid and s.last_valid.summary]
    for name, text, read in _SUMMARY_GAUGES:
        yield _gauge(
            name,
            f"{text}, in the newest valid check.",
            ("suite",),
            (((suite,), read(summary)) for suite, _, summary in valid),
        )
    yield _gauge(
        "intent_score",
        "Mean score of one intent, the assistant's errors counted as 0, in the newest valid check.",
        ("suite", "intent"),
        (((suite, intent.intent_id), intent.mean) for suite, _, summary in valid for intent in summary.intents),
    )
    before = [
        (s.suite, s.previous_valid.summary.means_of_same(s.last_valid.summary))
        for s in suites
        if s.last_valid and s.last_valid.summary and s.previous_valid and s.previous_valid.summary
    ]
    yield _gauge(
        "intent_score_previous",
        "Mean score of one intent in the valid check before the newest valid one, if epoch and intent are the same.",
        ("suite", "intent"),
        (((suite, intent_id), mean) for suite, means in before for intent_id, mean in means.items()),
    )
    yield _gauge(
        "last_valid_check_timestamp_seconds",
        "Unix time at which the newest valid check started.",
        ("suite",),
        (((suite,), check.started_at.timestamp()) for suite, check, _ in valid),
    )
    yield _gauge(
        "suite_paused",
        "1 while the suite's assistant is switched off on purpose, else 0.",
        ("suite",),
        (((s.suite,), float(s.watched.is_paused)) for s in suites),
    )
    yield from _newest_check_gauges(suites)


def _newest_check_gauges(suites: tuple[SuiteSnapshot, ...]) -> Iterator[Metric]:
    by_suite = ("suite",)
    ended = [(suite.suite, suite.last_ended) for suite in suites if suite.last_ended]
    started = [(suite.suite, suite.last) for suite in suites if suite.last]
    yield _gauge(
        "score_threshold", "Mean score that is wanted.", by_suite, (((s.suite,), s.watched.threshold) for s in suites)
    )
    yield _gauge(
        "stale_after_seconds",
        "Age of the newest valid check from which on the suite counts as unwatched.",
        by_suite,
        (((s.suite,), s.watched.stale_after_seconds) for s in suites),
    )
    yield _gauge(
        "watched_since_timestamp_seconds",
        "Unix time of the suite's first slot that was taken.",
        by_suite,
        (((s.suite,), s.watched_since.timestamp() if s.watched_since else None) for s in suites),
    )
    yield _gauge(
        "check_conclusive",
        "1 if the newest check that ended says something about the assistant, else 0.",
        by_suite,
        (((suite,), float(check.status is not CheckStatus.INCONCLUSIVE)) for suite, check in ended),
    )
    yield _gauge(
        "valid_share",
        "Valid over planned conversations in the newest check that ended.",
        by_suite,
        (((suite,), check.summary.valid_share if check.summary else None) for suite, check in ended),
    )
    yield _gauge(
        "check_conversations",
        "Conversations of the newest check that ended.",
        ("suite", "outcome"),
        (
            ((suite, outcome), check.summary.outcomes.get(outcome, 0))
            for suite, check in ended
            if check.summary
            for outcome in Outcome
        ),
    )
    yield from _fidelity_gauges(ended)
    yield _gauge(
        "check_duration_seconds",
        "Wall time of the newest check that ended.",
        by_suite,
        (((suite,), check.duration_seconds) for suite, check in ended),
    )
    yield _gauge(
        "last_check_timestamp_seconds",
        "Unix time at which the newest check started.",
        by_suite,
        (((suite,), check.started_at.timestamp()) for suite, check in started),
    )
    yield _gauge(
        "check_status",
        "1 for the status of the newest check, 0 for every other status.",
        ("suite", "status"),
        (((suite, status), float(check.status is status)) for suite, check in started for status in CheckStatus),
    )


def _fidelity_gauges(ended: Sequence[tuple[str, CheckRecord]]) -> Iterator[Metric]:
    users = [(suite, check.summary.fidelity) for suite, check in ended if check.summary and check.summary.fidelity]
    for name, text, read in _FIDELITY_GAUGES:
        samples = (((suite,), read(found)) for suite, found in users)
        yield _gauge(name, f"{text}, in the newest check that ended.", ("suite",), samples)


def _canary_gauges(run: CanaryRun, now: datetime) -> Iterator[Metric]:
    age = max(0.0, (now - run.at).total_seconds())
    means = ((("good",), run.mean_good), (("bad",), run.mean_bad))
    yield _gauge("canary_auc", "Chance that a good canary has a higher score than a bad one.", (), [((), run.auc)])
    yield _gauge("canary_mean", "Mean score of the good and of the bad canaries.", ("label",), means)
    yield _gauge("canary_alarm", "1 if the monitor is sick by its canaries, else 0.", (), [((), float(run.is_sick))])
    yield _gauge("canary_flips", "Canaries that pass and did not in the baseline, or did.", (), [((), run.flips)])
    yield _gauge("canary_age_seconds", "Time since the canaries were scored.", (), [((), age)])
    yield _gauge("canaries_scored", "Canaries of the newest run that have a score.", (), [((), run.scored)])


def _totals(snapshot: Snapshot, channels: Collection[str]) -> Iterator[Metric]:
    suites = sorted(suite.suite for suite in snapshot.suites)
    statuses = [status for status in CheckStatus if status is not CheckStatus.RUNNING]
    results = [status for status in NotificationStatus if status is not NotificationStatus.PENDING]
    checks = _from_zero(snapshot.checks, product(suites, statuses))
    conversations = _from_zero(snapshot.conversations, product(suites, Outcome))
    told = _from_zero(snapshot.notifications, product(channels, NotificationKind, results))
    waiting = _from_zero(snapshot.notifications, product(channels, NotificationKind, [NotificationStatus.PENDING]))
    yield _counter("checks_total", "Checks that ended.", ("suite", "status"), checks)
    yield _counter("conversations_total", "Conversations that ended.", ("suite", "outcome"), conversations)
    yield _counter("notifications_total", "Notifications done with.", ("channel", "kind", "result"), told)
    yield _gauge(
        "notifications_pending",
        "Notifications still to be sent.",
        ("channel", "kind"),
        ((key[:2], count) for key, count in waiting),
    )
    yield _gauge(
        "incidents_open",
        "Incidents that are open.",
        ("suite",),
        (((suite,), snapshot.incidents_open.get(suite, 0)) for suite in (*suites, MONITOR)),
    )


def _from_zero(counts: Mapping[Key, int], keys: Iterable[Key]) -> list[tuple[Key, int]]:
    """A count for every key. Prometheus cannot see the first step of a series that appears with it."""
    return [(key, counts.get(key, 0)) for key in keys]


def _gauge(name: str, text: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    """A gauge with a sample for every value that is a finite number."""
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for values, value in samples:
        if value is not None and math.isfinite(value):
            family.add_metric(values, value)
    return family


def _counter(name: str, text: str, labels: tuple[str, ...], counts: Samples) -> Metric:
    family = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for values, count in counts:
        if count is not None:
            family.add_metric(values, count)
    return family


def _observe(histogram: Histogram, suite: str, seconds: float | None) -> None:
    if seconds is not None:
        histogram.labels(suite).observe(seconds)
