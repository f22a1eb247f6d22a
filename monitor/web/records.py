"""What the pages read: the reading half of the store, as far as they use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from monitor.calibration import Calibration
from monitor.check import CheckRecord, Conversation, Rescored
from monitor.incident import Incident, Notification
from monitor.verdict import Verdict


class Records(Protocol):
    """Reads from any thread. Each method raises StoreUnavailable while the database is away."""

    def check(self, check_id: str, /) -> CheckRecord | None:
        """One check."""
        ...

    def checks(
        self, suite: str | None = None, /, *, limit: int = 50, alerting_only: bool = False
    ) -> Sequence[CheckRecord]:
        """Checks, newest first. `alerting_only` leaves out those made by hand."""
        ...

    def conversations(self, check_id: str, /) -> Sequence[Conversation]:
        """The conversations of one check."""
        ...

    def conversation(self, conversation_id: str, /) -> Conversation | None:
        """One conversation."""
        ...

    def rescored(self, conversation_id: str, /) -> Sequence[Rescored]:
        """The later scores of one conversation, newest first."""
        ...

    def verdicts(self, check_id: str, /) -> Sequence[Verdict]:
        """What one check said under each rule."""
        ...

    def is_judged(self, check_id: str, /) -> bool:
        """Whether a judge took part in scoring a check."""
        ...

    def calibration(self, epoch: str, /) -> Calibration | None:
        """The newest calibration of an epoch; where it has none, the newest of any."""
        ...

    def incident(self, incident_id: str, /) -> Incident | None:
        """One incident."""
        ...

    def incidents(self, *, open_only: bool = False, limit: int = 50) -> Sequence[Incident]:
        """Incidents, newest first."""
        ...

    def notifications(self, incident_id: str | None = None, /, *, limit: int = 200) -> Sequence[Notification]:
        """Rows of the outbox, in order."""
        ...
