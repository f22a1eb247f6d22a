"""What a command left behind, and the configurations that commands are run with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from monitor.demo.receivers import WEBHOOK_SECRET, Receivers

NOBODY = "http://127.0.0.1:9/v1"
ANSWER = "It is thirty days."
INTENTS = {
    "intents": [
        {
            "id": intent_id,
            "description": "You are a user who wants to know something about a shop.",
            "script": [line],
            "checklist": [{"id": "days", "kind": "required_fact", "patterns": ["thirty days"], "critical": True}],
        }
        for intent_id, line in (("how-long", "how long can shoes be returned"), ("what-cost", "what does that cost"))
    ]
}


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one JSON object on standard output."""
        return json.loads(self.out)


class Run(Protocol):
    def __call__(self, *arguments: object) -> Done: ...


def write_config(folder: Path, assistant: str = NOBODY, **sections: object) -> Path:
    """A suite `shop` with two intents, played once by a scripted user; `sections` replace those of the same name."""
    (folder / "intents.yaml").write_text(json.dumps(INTENTS))
    suite = {"assistant": "scripted", "intents": "intents.yaml", "rounds": 1}
    whole: dict[str, object] = {
        "environment": "test",
        "state_dir": "state",
        "simulator": {"kind": "scripted"},
        "assistants": {"scripted": {"url": assistant, "turn_timeout": "5s"}},
        "suites": {"shop": suite},
        "alerting": {"rule": "mean"},
        "logging": {"format": "text"},
    }
    path = folder / "monitor.yaml"
    path.write_text(json.dumps(whole | sections, indent=1))
    return path


def two_suites() -> dict[str, object]:
    suite = {"assistant": "scripted", "intents": "intents.yaml", "rounds": 1}
    return {"shop": suite, "office": suite}


def notify(folder: Path, receivers: Receivers) -> dict[str, object]:
    """Both channels, with their secrets beside the configuration."""
    (folder / "token").write_text("xoxb-1234567890")
    (folder / "key").write_text("0123456789abcdef")
    return {
        "slack": {"token_file": "token", "channel": "#on-call", "base_url": receivers.slack_api_url},
        "pagerduty": {"routing_key_file": "key", "url": receivers.pagerduty_url},
    }


def every_channel(folder: Path, receivers: Receivers) -> dict[str, object]:
    """A channel of each kind, two of them further ones by name."""
    (folder / "secret").write_text(WEBHOOK_SECRET)
    (folder / "address").write_text(receivers.apprise_url)
    return notify(folder, receivers) | {
        "alertmanager": {"url": receivers.alertmanager_url, "labels": {"team": "shop"}},
        "channels": {
            "hook": {"kind": "webhook", "url": receivers.webhook_url, "secret_file": "secret"},
            "mail": {"kind": "apprise", "url_file": "address"},
        },
    }
