"""The part of the store that pages draw trends and tables from: reads of bounded size, one transaction each."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from monitor.check import IntentSummary
from monitor.incident import Incident
from monitor.store import history
from monitor.store.database import Database
from monitor.store.history import Beside, CheckPoint, ConversationLine


class Trends:
    """Belongs to `Store`, which says what the methods raise."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def history(
        self,
        suite: str,
        *,
        limit: int,
        before: str | None = None,
        alerting_only: bool = True,
        with_studies: bool = False,
    ) -> list[CheckPoint]:
        """A suite's checks as points, newest first; with `before` only those that began before that check."""
        return self._database.read(
            history.history,
            suite,
            limit=limit,
            before=before,
            alerting_only=alerting_only,
            with_studies=with_studies,
        )

    def intents_of(
        self, check_ids: Collection[str], *, only: Collection[str] | None = None
    ) -> dict[str, tuple[IntentSummary, ...]]:
        """What each of these checks says about its intents, or about some of them."""
        return self._database.read(history.intents_of, check_ids, only=only)

    def lines(self, check_id: str) -> list[ConversationLine]:
        """The conversations of a check without turns and items, by intent and round."""
        return self._database.read(history.lines, check_id)

    def intent_lines(self, check_ids: Collection[str], intent_id: str, *, limit: int) -> list[ConversationLine]:
        """The conversations of one intent in these checks, newest first."""
        return self._database.read(history.intent_lines, check_ids, intent_id, limit=limit)

    def beside(self, conversation_id: str) -> Beside | None:
        """One conversation with what its page tells beside it."""
        return self._database.read(history.beside, conversation_id)

    def finished(self, check_id: str) -> int:
        """How many conversations of a check are stored."""
        return self._database.read(history.finished, check_id)

    def incidents_since(
        self, since: datetime, *, suite: str | None = None, scope: str | None = None, limit: int
    ) -> list[Incident]:
        """The incidents that were open at some time since then, newest first: all, of a suite, or of one scope."""
        return self._database.read(history.incidents_since, since, suite=suite, scope=scope, limit=limit)

    def incidents_before(
        self, *, is_open: bool | None = None, before: str | None = None, limit: int = 50
    ) -> list[Incident]:
        """Incidents, newest first, all or only open or closed ones; with `before` those opened before that one."""
        return self._database.read(history.incidents_before, is_open=is_open, before=before, limit=limit)
