"""What is configured of a suite, as far as pages tell of it: what is played, when it is due, by which rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.intent import Intent, Suite
from monitor.rules.policy import RulesPolicy
from monitor.schedule import Schedule, next_slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`schedule` None: the suite is run by command only."""

    suite: Suite
    rules: RulesPolicy
    schedule: Schedule | None

    def next_slot(self, now: datetime) -> datetime | None:
        """When the suite is due next."""
        return next_slot(self.schedule, now) if self.schedule else None

    def intent(self, intent_id: str) -> Intent | None:
        """The intent of that name, if it is played now."""
        return next((intent for intent in self.suite.intents if intent.id == intent_id), None)
