"""What Prometheus is told: the last published snapshot and a few live gauges, rendered on request.

Holds no history and knows no database: a snapshot is handed in whole after each commit, so a suite that is gone is
gone from the next scrape, and a scrape is answered while the database is away. What was not measured is not exported.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from monitor import __version__
from monitor.check import CheckRecord, CheckStatus, CheckSummary, Snapshot, SuiteSnapshot
from monitor.incident import NotificationStatus

PREFIX = "assistant_monitor_"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"

_LIVE_HELP = {
    "engine_ready": "1 while the process that holds the language model answers, else 0.",
    "config_reload_success": "1 if the configuration was usable when it was last read, else 0.",
}

_SUMMARY_GAUGES: tuple[tuple[str, str, Callable[[CheckSummary], float | None]], ...] = (
    ("score", "Mean score, the assistant's errors counted as 0", lambda summary: summary.mean),
    ("score_completed", "Mean score over scored conversations only", lambda summary: summary.mean_scored),
    ("success_rate", "Share of the valid conversations that passed", lambda summary: summary.success_rate),
    ("average_turns", "User turns per completed conversation", lambda summary: summary.average_turns),
)

Samples = Iterable[tuple[tuple[str, ...], float | None]]


class Metrics:
    """The metrics of one daemon.

    `live` is asked at every scrape for gauges without labels, by names without the prefix; it must not block, and it
    is called from the web server's thread. `publish` and `render` may be called from any thread.
    """

    def __init__(self, live: Callable[[], Mapping[str, float]] = dict) -> None:
        self._live = live
        self._snapshot: Snapshot | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot published last; None before the first one."""
        return self._snapshot

    def publish(self, snapshot: Snapshot) -> None:
        """Show this snapshot from the next scrape on."""
        self._snapshot = snapshot

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The page and its content type: OpenMetrics if the Accept header names it, else the text format."""
        # The encoder reads versions and escaping out of what it is given, so it is given no word of the client's.
        encode, content_type = choose_encoder(OPENMETRICS if "application/openmetrics-text" in accept else "")
        return encode(self._registry), content_type

    def describe(self) -> Iterable[Metric]:
        """No promises about names: what is exported depends on the snapshot."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every metric family of this moment."""
        build = InfoMetricFamily(f"{PREFIX}build", "The running version.")
        build.add_metric((), {"version": __version__, "python": platform.python_version()})
        yield build
        for name, value in self._live().items():
            yield _gauge(name, _LIVE_HELP.get(name, "Set by the daemon."), (), [((), value)])
        snapshot = self._snapshot
        if snapshot is not None:
            yield from _suite_gauges(snapshot.suites)
            yield from _totals(snapshot)


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
    yield _gauge(
        "last_valid_check_timestamp_seconds",
        "Unix time at which the newest valid check started.",
        ("suite",),
        (((suite,), check.started_at.timestamp()) for suite, check, _ in valid),
    )
    yield from _newest_check_gauges(suites)


def _newest_check_gauges(suites: tuple[SuiteSnapshot, ...]) -> Iterator[Metric]:
    by_suite = ("suite",)
    ended = [(suite.suite, check) for suite in suites if (check := _newest_ended(suite))]
    started = [(suite.suite, suite.last) for suite in suites if suite.last]
    yield _gauge("score_threshold", "Mean score that is wanted.", by_suite, (((s.suite,), s.threshold) for s in suites))
    yield _gauge(
        "valid_share",
        "Valid over planned conversations in the newest check that ended.",
        by_suite,
        (((suite,), check.summary.valid_share if check.summary else None) for suite, check in ended),
    )
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


def _newest_ended(suite: SuiteSnapshot) -> CheckRecord | None:
    """The newest check, unless it still runs or was lost: then the newest valid one, so that a gauge has no gaps."""
    return suite.last if suite.last and suite.last.summary else suite.last_valid


def _totals(snapshot: Snapshot) -> Iterator[Metric]:
    suites = {suite.suite for suite in snapshot.suites}
    checks = {key: n for key, n in snapshot.checks.items() if key[0] in suites and key[1] is not CheckStatus.RUNNING}
    conversations = {key: n for key, n in snapshot.conversations.items() if key[0] in suites}
    waiting = {key[:2]: n for key, n in snapshot.notifications.items() if key[2] == NotificationStatus.PENDING}
    told = {key: n for key, n in snapshot.notifications.items() if key[2] != NotificationStatus.PENDING}
    yield _counter("checks_total", "Checks that ended.", ("suite", "status"), checks.items())
    yield _counter("conversations_total", "Conversations that ended.", ("suite", "outcome"), conversations.items())
    yield _counter("notifications_total", "Notifications done with.", ("channel", "kind", "result"), told.items())
    yield _gauge("notifications_pending", "Notifications still to be sent.", ("channel", "kind"), waiting.items())
    yield _gauge(
        "incidents_open",
        "Incidents that are open.",
        ("suite",),
        (((suite,), snapshot.incidents_open.get(suite, 0)) for suite in sorted(suites)),
    )


def _gauge(name: str, text: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    """A gauge with a sample for every value that is a finite number."""
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for values, value in samples:
        if value is not None and math.isfinite(value):
            family.add_metric(values, value)
    return family


def _counter(name: str, text: str, labels: tuple[str, ...], counts: Iterable[tuple[tuple[str, ...], int]]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for values, count in counts:
        family.add_metric(values, count)
    return family
