"""A daemon in the middle of what can fail: an assistant, Slack and PagerDuty on the loopback interface that misbehave
when a test says so, a database, and daemons that are started, stopped and killed.

Knows nothing of what must hold then: that is in `invariants`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from monitor.check import CheckRecord, CheckStatus
from monitor.demo.receivers import PAGERDUTY, SLACK, Answer, Receivers
from monitor.errors import SchemaMismatch
from monitor.incident import Notification, NotificationStatus
from monitor.machine import AlertState
from monitor.store import Store
from tests.e2e.daemon import DaemonProcess, write_config
from tests.fixtures.assistants import ScriptedAssistant, hangs_up, never_answers, says

GOOD_WORDS, BAD_WORDS = "It is thirty days.", "That costs ten euros."
GOOD, BAD, DOWN, SILENT = says(GOOD_WORDS), says(BAD_WORDS), hangs_up(), never_answers()
SECRETS = {"slack-token": "xoxb-fault-5Rk8Qp2Zt7", "routing-key": "routing-fault-9Wm4Xc6Ln1"}
REFUSED = Answer(closes=True)
"""A channel that is away: the connection is reset."""


class FaultDaemon(DaemonProcess):
    """`assistant-monitor run` against a scene; its log is its own, whatever was started before it."""

    store_url: str

    def metrics(self, timeout_seconds: float = 1.0) -> dict[str, Metric]:
        """The families of `/metrics` by name. Raises httpx.HTTPError, and ValueError for what is no exposition."""
        ports = self._ports()
        if not ports:
            raise httpx.ConnectError("it does not listen yet")
        with httpx.Client(trust_env=False, timeout=timeout_seconds) as client:
            text = client.get(f"http://127.0.0.1:{ports[0]}/metrics").raise_for_status().text
        return {family.name: family for family in text_string_to_metric_families(text)}

    def value(self, family: str, /, **labels: str) -> float | None:
        """One sample by its labels; None while there is none. `family` without the prefix."""
        name = f"assistant_monitor_{family}"
        try:
            found = self.metrics().get(name.removesuffix("_total"))
        except httpx.HTTPError:
            return None
        samples = [s for s in (found.samples if found else ()) if s.name == name and labels.items() <= s.labels.items()]
        return samples[0].value if samples else None

    def checks(self) -> list[CheckRecord]:
        """What is in the database, newest first; nothing while there is none."""
        with opened(self.store_url) as store:
            return store.checks() if store else []

    @property
    def is_alive(self) -> bool:
        """Whether the process is there, and neither stopped by a signal nor on its way out."""
        if self.process.poll() is not None or "daemon_stopping" in self.log.read_text(errors="replace"):
            return False
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZ"

    @property
    def ports(self) -> tuple[str, str]:
        """Those of metrics and of pages, once it listens."""
        metrics, pages, *_ = self._ports()
        return metrics, pages

    @property
    def is_listening(self) -> bool:
        """Whether it said where its ports are."""
        return bool(self._ports())


@contextmanager
def opened(url: str) -> Iterator[Store | None]:
    """The database, read beside the daemon; None while there is none."""
    try:
        store = Store.open(url)
    except SchemaMismatch:
        yield None
        return
    try:
        yield store
    finally:
        store.close()


@dataclass
class Scene:
    """Everything around the daemons of one test.

    `can_recover`: at the end of the test all is made whole, and every incident must be closed and told. A test whose
    daemon can never be whole again says False. `database` is the way there that no test cuts; None: that of the daemon.
    """

    folder: Path
    assistant: ScriptedAssistant
    receivers: Receivers
    daemons: list[FaultDaemon] = field(default_factory=list)
    secrets: list[str] = field(default_factory=lambda: list(SECRETS.values()))
    can_recover: bool = True
    late_scrapes: list[str] = field(default_factory=list)
    database: str | None = None
    config: Path = field(init=False)

    def __post_init__(self) -> None:
        self.secrets.append(self.receivers.slack_webhook_url.removeprefix(self.receivers.url))
        self.configure()

    def configure(
        self,
        *,
        slack: Literal["bot", "webhook"] | None = "bot",
        pagerduty: bool = True,
        suite: Mapping[str, object] | None = None,
        **sections: object,
    ) -> Path:
        """Write the configuration: that of `tests.e2e.daemon` with both channels; `suite` adds to the suite, and
        `sections` to the sections of the same names (a mapping key by key; anything else in its place).
        """
        self.config = write_config(self.folder, self.assistant.url)
        document = YAML(typ="safe").load(self.config.read_text())
        document["notify"] = self._channels(slack, pagerduty=pagerduty)
        document["logging"]["format"] = "json"
        document["canaries"] = {"enabled": False}
        self.config.write_text(json.dumps(_merged(document, {"suites": {"shop": suite or {}}, **sections}), indent=1))
        return self.config

    def _channels(self, slack: str | None, *, pagerduty: bool) -> dict[str, object]:
        for name, secret in SECRETS.items():
            (self.folder / name).write_text(secret)
        (self.folder / "slack-webhook").write_text(self.receivers.slack_webhook_url)
        bot = {"token_file": "slack-token", "channel": "#on-call", "base_url": self.receivers.slack_api_url}
        channels: dict[str, object] = {"bot": {SLACK: bot}, "webhook": {SLACK: {"webhook_url_file": "slack-webhook"}}}
        chosen = channels[slack] if slack else {}
        pager = {PAGERDUTY: {"routing_key_file": "routing-key", "url": self.receivers.pagerduty_url}}
        return {**chosen, **pager} if pagerduty else {**chosen}  # type: ignore[dict-item]

    @property
    def store_url(self) -> str:
        """The database of the configuration as it is written now."""
        if self.database:
            return self.database
        store = json.loads(self.config.read_text()).get("store", {})
        return str(store.get("url", f"sqlite:///{self.folder / 'monitor.sqlite3'}"))

    def start(self, environment: Mapping[str, str] | None = None) -> FaultDaemon:
        """A daemon on the configuration as it is now. It is ended with the test."""
        daemon = FaultDaemon(self.config, environment or {}, log_name=f"daemon-{len(self.daemons) + 1}.log")
        daemon.store_url = self.store_url
        self.daemons.append(daemon)
        return daemon

    def heal(self) -> None:
        """From now on the assistant answers rightly."""
        self.assistant.answer = lambda _: GOOD

    def worsen(self) -> None:
        """From now on it answers wrongly."""
        self.assistant.answer = lambda _: BAD

    def take_down(self) -> None:
        """From now on it hangs up."""
        self.assistant.answer = lambda _: DOWN

    def silence(self) -> None:
        """From now on it takes questions and never answers."""
        self.assistant.answer = lambda _: SILENT

    def mend_channels(self) -> None:
        """From now on Slack and PagerDuty answer as the real ones do."""
        for channel in (SLACK, PAGERDUTY):
            self.receivers.answer_itself(channel)

    def told(self, channel: str | None = None) -> list[tuple[str, str]]:
        """Channel and kind of what the receivers took, in order."""
        told = [(delivery["channel"], delivery["kind"]) for delivery in self.receivers.deliveries()]
        return [delivery for delivery in told if channel in (None, delivery[0])]

    def attempts(self, channel: str) -> int:
        """How often a channel was asked, whatever it answered."""
        return sum(received.channel == channel for received in list(self.receivers.received))

    def notifications(self) -> list[Notification]:
        """The outbox; nothing while there is no database."""
        with opened(self.store_url) as store:
            return store.notifications() if store else []

    def pending(self) -> list[Notification]:
        """What is still to be sent."""
        return [row for row in self.notifications() if row.status is NotificationStatus.PENDING]

    def alert_states(self) -> list[AlertState]:
        """Every alert that was ever stored."""
        with opened(self.store_url) as store:
            return store.alert_states() if store else []

    def statuses(self) -> list[CheckStatus]:
        """Of the checks, oldest first."""
        with opened(self.store_url) as store:
            return [check.status for check in reversed(store.checks())] if store else []


def _merged(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        is_deep = isinstance(value, Mapping) and isinstance(base.get(name), dict)
        merged[name] = _merged(base[name], value) if is_deep else value
    return merged
