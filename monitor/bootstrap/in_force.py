"""The configuration that holds now, and what became of the newest attempt to read another. Read from every thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from monitor.bootstrap.parts import redactor
from monitor.config import Config
from monitor.redact import Redactor


@dataclass(slots=True, kw_only=True)
class InForce:
    """`problems` are those for which the newest reload was refused; none if it was taken, or there was none yet."""

    config: Config
    loaded_at: datetime
    problems: tuple[str, ...] = ()
    redactor: Redactor = field(init=False)

    def __post_init__(self) -> None:
        self.redactor = redactor(self.config)

    def take(self, config: Config, at: datetime) -> None:
        """Let this one hold from now on."""
        self.redactor = redactor(config)
        self.config, self.loaded_at, self.problems = config, at, ()

    def refuse(self, problems: tuple[str, ...]) -> None:
        """Note why the one before still holds."""
        self.problems = problems

    def numbers(self) -> dict[str, float]:
        """For `/metrics`."""
        return {
            "config_reload_success": float(not self.problems),
            "config_loaded_timestamp_seconds": self.loaded_at.timestamp(),
        }
