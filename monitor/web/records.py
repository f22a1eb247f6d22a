"""What the pages read: the reading half of the store, as far as they use it, and the labels that people give there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from monitor.calibration import Calibration
from monitor.check import CheckRecord, Conversation, IntentSummary
from monitor.incident import Incident, Notification
from monitor.labelling import PersonLabel
from monitor.review import Candidate
from monitor.store import Baseline, Beside, CheckPoint, ConversationLine, LabelsWanted
from monitor.store.places import Part, Place, Span
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

    def history(
        self,
        suite: str,
        /,
        *,
        limit: int,
        before: str | None = None,
        alerting_only: bool = True,
        with_studies: bool = False,
    ) -> Sequence[CheckPoint]:
        """A suite's checks as points, newest first; with `before` only those that began before that check."""
        ...

    def intents_of(
        self, check_ids: Collection[str], /, *, only: Collection[str] | None = None
    ) -> Mapping[str, tuple[IntentSummary, ...]]:
        """What each of these checks says about its intents, or about some of them."""
        ...

    def lines(self, check_id: str, /) -> Sequence[ConversationLine]:
        """The conversations of one check without turns and items."""
        ...

    def intent_lines(self, check_ids: Collection[str], intent_id: str, /, *, limit: int) -> Sequence[ConversationLine]:
        """The conversations of one intent in these checks, newest first."""
        ...

    def beside(self, conversation_id: str, /) -> Beside | None:
        """One conversation with what its page tells beside it."""
        ...

    def finished(self, check_id: str, /) -> int:
        """How many conversations of a check are stored."""
        ...

    def baseline(self, suite: str, epoch: str, /) -> Baseline | None:
        """What the rules of a suite remember under an epoch."""
        ...

    def conversations(self, check_id: str, /) -> Sequence[Conversation]:
        """The conversations of one check."""
        ...

    def conversation(self, conversation_id: str, /) -> Conversation | None:
        """One conversation."""
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

    def incidents_since(
        self, since: datetime, /, *, suite: str | None = None, scope: str | None = None, limit: int
    ) -> Sequence[Incident]:
        """The incidents that were open at some time since then, newest first: all, of a suite, or of one scope."""
        ...

    def incidents_before(
        self, *, is_open: bool | None = None, before: str | None = None, limit: int = 50
    ) -> Sequence[Incident]:
        """Incidents, newest first; with `before` those opened before that one."""
        ...

    def notifications(self, incident_id: str | None = None, /, *, limit: int = 200) -> Sequence[Notification]:
        """Rows of the outbox, in order."""
        ...

    def candidates(self, ended: Span, /, *, limit: int) -> Sequence[Candidate]:
        """The scored ones among the newest `limit` conversations that ended in a time, newest first."""
        ...

    def labels(self, wanted: LabelsWanted, /, *, after: Place | None = None, limit: int) -> Part[PersonLabel]:
        """Labels, newest first."""
        ...

    def save_label(self, given: PersonLabel, /) -> bool:
        """Write a label, once; False where its conversation is not there any more."""
        ...
