"""Whether every incident and every end reaches its channels, through receivers that fail and a sender that is killed.

`python -m tests.benchmarks.delivery [--transitions 10000] [--kills 20] [--seed 1]` prints a table and, as the last
line, one JSON object. What is counted is what the receivers took.

The alert machine, the database (SQLite) and the senders are the real ones; the senders are two processes, ended by
turns by SIGKILL. Their clock runs `SPEED` times as fast as the wall, so that backoffs, Retry-After and leases take less
time; an attempt may take `ATTEMPT_SECONDS` of real time. Nothing else of the product is changed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import combinations, islice
from pathlib import Path
from random import Random

from monitor.briefing import Surroundings
from monitor.closing import Known, changes_of
from monitor.delivery import Sender
from monitor.demo.receivers import ALERTMANAGER, PAGERDUTY, SLACK, WEBHOOK, WEBHOOK_SECRET, Answer, Receivers
from monitor.http import HttpClient
from monitor.machine import AlertPolicy, AlertState
from monitor.notify.alertmanager import Alertmanager
from monitor.notify.contract import Notifier
from monitor.notify.pagerduty import PagerDuty
from monitor.notify.slack_bot import SlackBot
from monitor.notify.webhook import Webhook
from monitor.store import Store, migrate
from monitor.verdict import Finding, Severity, Verdict

ROOT = Path(__file__).parents[2]
SPEED = 30.0
SENDERS = 2
POLL_SECONDS = 0.05
ATTEMPT_SECONDS = 0.4
CHANNELS = (SLACK, PAGERDUTY, WEBHOOK, ALERTMANAGER)
TOLD_ON = (*combinations(CHANNELS, 1), *combinations(CHANNELS, 2))
"""Scopes take these by turns."""
HOME = Surroundings(app="bench", environment="delivery", base_url="https://monitor.example")
FAILURE_SHARE = 0.30
FAILURES: Mapping[str, float] = {
    "unavailable": 9,
    "rate_limited": 7,
    "reset": 3,
    "answer_lost": 3,
    "not_ok": 4,
    "silent": 1.5,
    "silent_but_taken": 1,
    "drip": 1.5,
}
"""Weights of the kinds of failure."""
WAITING = 400
"""So many messages wait in the outbox at most when more are put."""
OPEN_AT_ONCE = 200
DEADLINE_SECONDS = 30 * 60.0

Delivery = tuple[str, str, str]
"""Channel, kind and dedup key."""


class FlakyReceivers(Receivers):
    """Take 70 % of what they are sent, and fail the rest in one way or another."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self.asked = 0
        self.failures: Counter[str] = Counter()

    def choose(self, channel: str) -> Answer | None:
        """Seven times in ten what the real one would answer."""
        self.asked += 1
        if self._random.random() >= FAILURE_SHARE:
            return None
        kind = self._random.choices(list(FAILURES), list(FAILURES.values()))[0]
        self.failures[kind] += 1
        return self._failure(kind, channel)

    def _failure(self, kind: str, channel: str) -> Answer:
        match kind:
            case "rate_limited":
                after = self._random.choice(["1", "2", "1.5"])
                return Answer(status=429, headers={"Retry-After": after}, body={"ok": False, "error": "ratelimited"})
            case "reset" | "answer_lost":
                return Answer(closes=True, is_accepted=kind == "answer_lost")
            case "silent" | "silent_but_taken":
                return Answer(hangs=True, is_accepted=kind == "silent_but_taken")
            case "drip":
                return Answer(drips=True)
            case "not_ok" if channel in (SLACK, PAGERDUTY):  # to the others any 200 is a yes
                return Answer(body={"ok": False, "error": "internal_error"})
            case _:
                return Answer(status=self._random.choice([500, 502, 503]))


@dataclass(frozen=True)
class Place:
    """Where the sender finds everything, as it is handed to its process."""

    database: str
    slack: str
    pagerduty: str
    webhook: str
    alertmanager: str
    began: float

    def now(self) -> datetime:
        """The time by which is sent. It begins two days ago, so it stays behind the receivers'."""
        since = (time.time() - self.began) * SPEED
        return datetime.fromtimestamp(self.began, UTC) - timedelta(days=2) + timedelta(seconds=since)


async def send_for_ever(place: Place) -> None:
    """The life of the process that is killed."""
    http = HttpClient()
    notifiers: list[Notifier] = [
        SlackBot(token="xoxb-1", destination="#a", base_url=place.slack, deadline_seconds=ATTEMPT_SECONDS),
        PagerDuty(http, routing_key="r", url=place.pagerduty, deadline_seconds=ATTEMPT_SECONDS),
        Webhook(http, url=place.webhook, secret=WEBHOOK_SECRET, deadline_seconds=ATTEMPT_SECONDS),
        Alertmanager(http, url=place.alertmanager, deadline_seconds=ATTEMPT_SECONDS),
    ]
    sender = Sender(
        Store.open(place.database),
        {notifier.channel: notifier for notifier in notifiers},
        owner=f"sender:{os.getpid()}",
        clock=place.now,
        sleep=lambda seconds: asyncio.sleep(seconds / SPEED),
    )
    await sender.run(asyncio.Event())


@dataclass
class Feeder:
    """Puts incidents and their ends into the outbox, an end only once the opening was told."""

    store: Store
    place: Place
    incidents: int
    begun: int = 0
    open: deque[str] = field(default_factory=deque)
    expected: set[Delivery] = field(default_factory=set)

    @property
    def messages(self) -> int:
        """How many there will be: an opening and an end for each channel of each incident."""
        return 2 * sum(len(TOLD_ON[number % len(TOLD_ON)]) for number in range(self.incidents))

    @property
    def is_done(self) -> bool:
        """Whether every incident was opened and closed."""
        return self.begun == self.incidents and not self.open

    def feed(self, waiting: Mapping[str, int]) -> None:
        """Some more transitions; `waiting` counts the messages in the outbox by scope."""
        if sum(waiting.values()) > WAITING:
            return
        if self.begun < self.incidents and len(self.open) < OPEN_AT_ONCE:
            for number in range(self.begun, min(self.begun + 50, self.incidents)):
                scope = f"suite{number % 7}/intent-{number}"
                self._step(scope, Finding.BREACH)
                self.open.append(scope)
                self.begun += 1
            return
        for scope in list(islice((scope for scope in self.open if not waiting.get(scope)), 50)):
            self._step(scope, Finding.RECOVERED)
            self.open.remove(scope)

    def _step(self, scope: str, finding: Finding) -> None:
        state = self.store.alert_state(scope)
        incident = self.store.incident(state.incident_id) if state.incident_id else None
        verdict = Verdict(scope=scope, rule="mean", finding=finding, severity=Severity.CRITICAL, reason=finding.value)
        channels = TOLD_ON[int(scope.rpartition("-")[2]) % len(TOLD_ON)]
        known = Known(state=state if incident else AlertState(scope=scope), incident=incident)
        policy = AlertPolicy.everywhere(*channels)
        self.store.change_alerts(changes_of([verdict], known, policy, HOME, self.place.now()))
        kind = "open" if finding is Finding.BREACH else "resolve"
        self.expected |= {(channel, kind, f"{HOME.app}:{HOME.environment}:{scope}") for channel in channels}


def waiting(path: Path) -> dict[str, int]:
    """The messages that are still to be sent, by scope."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        rows = connection.execute("SELECT scope, count(*) FROM notification WHERE status = 'pending' GROUP BY scope")
        return dict(rows.fetchall())


def unfinished(path: Path) -> int:
    """The alerts that are not at rest."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        return int(connection.execute("SELECT count(*) FROM alert_state WHERE phase <> 'ok'").fetchone()[0])


@dataclass
class Counts:
    """What the receivers took."""

    taken: Counter[Delivery] = field(default_factory=Counter)
    ends_before_their_opening: int = 0

    def add(self, receivers: FlakyReceivers) -> None:
        """What they took since this was asked last."""
        for told in receivers.take_deliveries():
            channel, kind, key = told["channel"], told["kind"], told["dedup_key"]
            self.ends_before_their_opening += kind == "resolve" and not self.taken[channel, "open", key]
            self.taken[channel, kind, key] += 1


def start_sender(place: Place) -> subprocess.Popen[bytes]:
    """A new process that sends."""
    command = [sys.executable, "-m", "tests.benchmarks.delivery", "--sender", json.dumps(vars(place))]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill(sender: subprocess.Popen[bytes]) -> None:
    """End it as the kernel does when memory is short."""
    sender.send_signal(signal.SIGKILL)
    sender.wait()


def measure(transitions: int, kills: int, seed: int) -> dict[str, float]:
    """The figures. Raises TimeoutError when the outbox is not empty within half an hour."""
    with tempfile.TemporaryDirectory() as folder, FlakyReceivers(Random(seed)) as receivers:
        database = Path(folder) / "monitor.sqlite3"
        migrate.upgrade(f"sqlite:///{database}")
        place = Place(
            database=f"sqlite:///{database}",
            slack=receivers.slack_api_url,
            pagerduty=receivers.pagerduty_url,
            webhook=receivers.webhook_url,
            alertmanager=receivers.alertmanager_url,
            began=time.time(),
        )
        store = Store.open(place.database)
        try:
            return _run(Feeder(store, place, transitions // 2), database, receivers, kills)
        finally:
            store.close()


def _run(feeder: Feeder, database: Path, receivers: FlakyReceivers, kills: int) -> dict[str, float]:
    counts, began, killed = Counts(), time.monotonic(), 0
    moments = _moments(feeder.messages, kills)
    next_kill = next(moments, None)
    senders = deque(start_sender(feeder.place) for _ in range(SENDERS))
    try:
        while True:
            left = waiting(database)
            counts.add(receivers)
            if next_kill is not None and counts.taken.total() >= next_kill:
                kill(senders.popleft())
                senders.append(start_sender(feeder.place))
                killed, next_kill = killed + 1, next(moments, None)
            if feeder.is_done and not left and not unfinished(database):
                break
            if time.monotonic() - began > DEADLINE_SECONDS:
                raise TimeoutError(f"{sum(left.values())} messages wait, {unfinished(database)} alerts are not at rest")
            if not feeder.is_done:
                feeder.feed(left)
            time.sleep(POLL_SECONDS)
    finally:
        for sender in senders:
            kill(sender)
    counts.add(receivers)
    return figures_of(feeder, counts, receivers, killed, time.monotonic() - began)


def _moments(messages: int, kills: int) -> Iterator[int]:
    """After how many deliveries the sender is killed: evenly over the run."""
    return (messages * number // (kills + 1) for number in range(1, kills + 1))


def figures_of(
    feeder: Feeder, counts: Counts, receivers: FlakyReceivers, killed: int, seconds: float
) -> dict[str, float]:
    """The figures of a run."""
    taken, expected = counts.taken, feeder.expected
    return {
        "delivery_transitions": 2 * feeder.incidents,
        "delivery_messages": len(expected),
        "delivery_requests": receivers.asked,
        "delivery_failed_share": round(receivers.failures.total() / max(receivers.asked, 1), 3),
        "delivery_kills": killed,
        "delivery_lost": sum(1 for message in expected if not taken[message]),
        "delivery_duplicates": sum(taken[message] - 1 for message in expected if taken[message]),
        "delivery_unexpected": sum(count for message, count in taken.items() if message not in expected),
        "delivery_ends_before_their_opening": counts.ends_before_their_opening,
        "delivery_seconds": round(seconds, 1),
    }


def main() -> None:
    """Measure and print, or be the sender."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transitions", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sender", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sender:
        asyncio.run(send_for_ever(Place(**json.loads(options.sender))))
        return
    figures = measure(options.transitions, options.kills, options.seed)
    for name, value in figures.items():
        print(f"{name:<40} {value:>10g}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
