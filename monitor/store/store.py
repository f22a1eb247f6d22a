"""The store: every method is one transaction, whole or not at all.

All may raise StoreUnavailable (away or busy, after several tries), StoreCorrupt, StoreFailure, and ValueError for a
value that no database may hold (NaN, a time without a zone). The methods block: a coroutine calls them by `offload`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import uuid4

from sqlalchemy import Connection, func, select

from monitor.audit import AuditEntry
from monitor.calibration import Calibration
from monitor.canary import CanaryRun
from monitor.check import CheckRecord, CheckStatus, Conversation, Rescored, Slot, Snapshot, Watched
from monitor.errors import SchemaMismatch
from monitor.incident import Incident, Notification, NotificationStatus
from monitor.machine import AlertState
from monitor.store import (
    alerts,
    baselines,
    canaries,
    checks,
    closing,
    conversations,
    migrate,
    outbox,
    recovery,
    reports,
    rescores,
    silences,
    slots,
    snapshot,
)
from monitor.store.baselines import Baseline
from monitor.store.closing import AlertChanges, Closing
from monitor.store.database import Database
from monitor.store.engine import connect, parse, sqlite_path
from monitor.store.failures import corrupt
from monitor.store.labels import Labels
from monitor.store.listing import Lists
from monitor.store.lock import FileLock
from monitor.store.outbox import Claim, NotificationDraft, Orphans
from monitor.store.trends import Trends
from monitor.suppression import Silence
from monitor.transcript import Receipt, ReportedCall
from monitor.verdict import Verdict

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 4
# Beyond this size a look at every page would hold up the start; damage is then found where it is read.
_EXAMINED_BYTES = 64 * 2**20


class Store(Trends, Labels):
    """What the monitor remembers. Safe to use from several threads and, on PostgreSQL, several daemons."""

    def __init__(self, database: Database, path: Path | None) -> None:
        super().__init__(database)
        self.lists = Lists(database)
        self._path = path
        self._lock = FileLock(path) if path else None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="store")

    @classmethod
    def open(cls, url: str) -> Store:
        """Connect. Raises SchemaMismatch unless the schema is this code's, and ConfigError for a wrong URL."""
        parsed = parse(url)
        path = sqlite_path(parsed)
        if path and not path.exists():
            raise SchemaMismatch(f"there is no database at {path}: run `assistant-monitor db upgrade`")
        database = Database(connect(parsed))
        try:
            database.read(migrate.require_head)
            if path and path.stat().st_size <= _EXAMINED_BYTES:
                database.read(_examine)
        except BaseException:
            database.close()
            raise
        return cls(database, path)

    @classmethod
    def connect(cls, url: str) -> Store:
        """A store that may be away: `prepare` must succeed before anything else is asked of it. Raises ConfigError."""
        parsed = parse(url)
        database = Database(connect(parsed))
        database.is_reachable = False
        return cls(database, sqlite_path(parsed))

    def prepare(self) -> None:
        """Be the only daemon of a SQLite file, and bring the schema to this code's. May be called again.

        Raises AlreadyRunning, SchemaMismatch, StoreCorrupt, StoreUnavailable: it may come; StoreForbidden: it will not.
        """
        if self._path:
            migrate.make_folder(self._path.parent)
        self.lock()
        migrate.upgrade_on(self._database, self._path)
        self._database.read(migrate.require_head)
        if self._path and self._path.stat().st_size <= _EXAMINED_BYTES:
            self._database.read(_examine)

    @property
    def is_shared(self) -> bool:
        """Whether other daemons may use the same database."""
        return self._lock is None

    def clock(self) -> datetime | None:
        """The wall clock of the database; None where only this machine has it."""
        return self._database.read(_wall_clock)

    @property
    def is_reachable(self) -> bool:
        """Whether the newest transaction found the database there and whole."""
        return self._database.is_reachable

    def lock(self) -> None:
        """Be the only daemon of a SQLite file. Raises AlreadyRunning. PostgreSQL needs no lock: daemons are equals."""
        if self._lock:
            self._lock.acquire()

    def close(self) -> None:
        """Wait for offloaded calls, close the connections, free the lock."""
        self._threads.shutdown()
        self._database.close()
        if self._lock:
            self._lock.release()

    async def offload(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a method of this store on its own threads. A call goes on when its waiter is cancelled."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **kwargs))

    # slots

    def claim_slot(
        self,
        suite: str,
        at: datetime,
        *,
        owner: str,
        now: datetime,
        lease_seconds: float,
        second_attempt_grace_seconds: float,
    ) -> Slot | None:
        """Take the slot if it is free. One that was lost is taken a second time while younger than the grace."""
        lease_until = now + timedelta(seconds=lease_seconds)
        wanted = Slot(suite=suite, at=at, owner=owner, version=1, lease_until=lease_until)
        grace = timedelta(seconds=second_attempt_grace_seconds)
        return self._database.write(slots.claim, wanted, claim_id=uuid4().hex, now=now, second_attempt_grace=grace)

    def renew_slot(self, slot: Slot, *, now: datetime, lease_seconds: float) -> Slot:
        """Hold the slot for longer. Raises StaleWrite when it was taken over."""
        return self._database.write(slots.renew, slot, lease_until=now + timedelta(seconds=lease_seconds))

    def last_slot(self, suite: str) -> datetime | None:
        """The newest time at which the suite was claimed."""
        return self._database.read(slots.last, suite)

    def newest_slots(self, suite: str, *, limit: int) -> list[Slot]:
        """Those of the suite that were claimed last, newest first."""
        return self._database.read(slots.newest, suite, limit)

    # checks

    def open_check(self, check: CheckRecord, slot: Slot | None) -> None:
        """Write a check that begins. Raises StaleWrite when its slot was taken over."""
        self._database.write(_open_check, check, slot)

    def save_conversation(self, conversation: Conversation, slot: Slot | None) -> None:
        """Write a finished conversation. Raises StaleWrite when slot or check were taken over or aborted."""
        self._database.write(conversations.save, conversation, slot)

    def close_check(self, ending: Closing) -> None:
        """Write the end of a check and all that follows from it. Raises StaleWrite, and writes nothing, otherwise."""
        self._database.write(closing.close, ending)

    def abort_running(
        self,
        *,
        now: datetime,
        owner: str | None = None,
        suite: str | None = None,
        spared: str | None = None,
        trusts_leases: bool = True,
    ) -> int:
        """Mark checks as aborted whose process is gone, whose lease ran out, or whose slot `owner` held; how many.

        With `suite` only what `owner` held of it. See `recovery.Judge` for `spared` and `trusts_leases`.
        """
        judge = recovery.Judge(
            now=now,
            is_alone=self._lock is not None and self._lock.is_held,
            owner=owner,
            suite=suite,
            spared=spared,
            trusts_leases=trusts_leases,
        )
        return self._database.write(recovery.abort_lost, judge)

    def check(self, check_id: str) -> CheckRecord | None:
        """One check."""
        return self._database.read(checks.load, check_id)

    def checks_beginning(self, prefix: str, *, limit: int) -> list[CheckRecord]:
        """The newest checks whose id begins so, newest first."""
        return self._database.read(checks.beginning, prefix, limit)

    def checks(
        self,
        suite: str | None = None,
        *,
        limit: int = 50,
        statuses: Collection[CheckStatus] | None = None,
        before: datetime | None = None,
        epoch: str | None = None,
        alerting_only: bool = False,
    ) -> list[CheckRecord]:
        """The newest checks, newest first, none of a study. `alerting_only` leaves out those made by hand without
        alerting.
        """
        wanted = checks.CheckFilter(
            suite=suite, statuses=statuses, before=before, epoch=epoch, alerting_only=alerting_only
        )
        return self._database.read(checks.newest, wanted, limit)

    def conversations(self, check_id: str) -> list[Conversation]:
        """The conversations of a check, by round and intent."""
        return self._database.read(conversations.of_check, check_id)

    def conversation(self, conversation_id: str) -> Conversation | None:
        """One conversation."""
        return self._database.read(conversations.load, conversation_id)

    def verdicts(self, check_id: str) -> list[Verdict]:
        """What a check said."""
        return self._database.read(checks.verdicts, check_id)

    # scores made later

    def completed(self, wanted: rescores.ConversationFilter, *, limit: int) -> list[str]:
        """The ids of completed conversations, newest first."""
        return self._database.read(rescores.completed, wanted, limit)

    def passed(self, epoch: str, *, limit: int) -> list[bool]:
        """Whether each of the newest conversations that were scored under an epoch passed."""
        return self._database.read(rescores.passed, epoch, limit)

    def is_judged(self, check_id: str) -> bool:
        """Whether a judge took part in scoring a conversation of this check that is still kept."""
        return self._database.read(rescores.is_judged, check_id)

    def append_rescored(self, rescored: Rescored) -> None:
        """Write a further score of a conversation; one that is gone, or a score that was written, is left alone."""
        self._database.write(rescores.append, rescored)

    def rescored(self, conversation_id: str) -> list[Rescored]:
        """The further scores of a conversation, newest first."""
        return self._database.read(rescores.of_conversation, conversation_id)

    def save_calibration(self, calibration: Calibration) -> None:
        """Write a calibration, once."""
        self._database.write(rescores.save_calibration, calibration)

    def calibration(self, epoch: str) -> Calibration | None:
        """The newest calibration of an epoch; where it has none, the newest of any."""
        return self._database.read(rescores.calibration, epoch)

    # what the rules remember

    def baseline(self, suite: str, epoch: str) -> Baseline | None:
        """The memory of a suite's rules under an epoch; None before its first check."""
        return self._database.read(baselines.load, suite, epoch)

    def newest_baseline(self, suite: str) -> Baseline | None:
        """The memory of a suite's rules under its newest epoch; None before its first check."""
        return self._database.read(baselines.newest, suite)

    def rebaseline(self, after: Baseline, changes: AlertChanges) -> None:
        """Write what the rules remember from now on, and what that changes in the alerts. Raises StaleWrite."""
        self._database.write(closing.rebaseline, after, changes)

    # canaries

    def save_canary_run(self, run: CanaryRun) -> None:
        """Write a run of the canaries, once."""
        self._database.write(canaries.save, run)

    def canary_run(self, epoch: str | None = None) -> CanaryRun | None:
        """The newest run of the canaries, of one epoch or of any."""
        return self._database.read(canaries.newest, epoch)

    def canary_baseline(self, epoch: str, fingerprint: str) -> CanaryRun | None:
        """The first run of an epoch with these canaries that raised no alarm."""
        return self._database.read(canaries.baseline, epoch, fingerprint)

    def retire_canary_runs(self, *, older_than: datetime, batch: int) -> int:
        """Delete one batch of runs from before `older_than`, baselines in use aside; how many. Call it until 0."""
        return self._database.write(canaries.retire, older_than=older_than, batch=batch)

    # tool calls reported beside conversations

    def save_reported(self, reported: ReportedCall) -> Receipt:
        """Write a report, once; the same one again is taken again."""
        return self._database.write(reports.save, reported)

    def reported(self, conversation_id: str) -> list[ReportedCall]:
        """The calls that were reported of a conversation, oldest first."""
        return self._database.read(reports.of_conversation, conversation_id)

    def retire_reported(self, *, older_than: datetime, batch: int) -> int:
        """Delete one batch of reports that came before `older_than`; how many. Call it until 0."""
        return self._database.write(reports.retire, older_than=older_than, batch=batch)

    # alerts

    def alert_state(self, scope: str) -> AlertState:
        """The alert of a scope; a fresh one when nothing is stored."""
        return self._database.read(alerts.load_state, scope)

    def alert_states(self) -> list[AlertState]:
        """Every stored alert, by scope."""
        return self._database.read(alerts.states)

    def save_alert_state(self, state: AlertState) -> None:
        """Write the version after the stored one. Raises StaleWrite when another got there first."""
        self._database.write(alerts.save_state_once, state)

    def change_alerts(self, changes: AlertChanges) -> None:
        """Write a step of the alert machine that no check made. Raises StaleWrite when another got there first."""
        self._database.write(closing.change_alerts_once, changes)

    def incident(self, incident_id: str) -> Incident | None:
        """One incident."""
        return self._database.read(alerts.load_incident, incident_id)

    def incidents(self, *, open_only: bool = False, limit: int = 50) -> list[Incident]:
        """The newest incidents, newest first."""
        return self._database.read(alerts.incidents, open_only=open_only, limit=limit)

    def notifications(self, incident_id: str | None = None, *, limit: int = 200) -> list[Notification]:
        """The newest messages, in the order in which they were put into the outbox."""
        return self._database.read(outbox.load, incident_id, limit)

    # silences, and what people did

    def add_silence(self, silence: Silence, entry: AuditEntry) -> None:
        """Write a silence and who asked for it, once."""
        self._database.write(silences.add, silence, entry)

    def expire_silence(self, silence_id: str, entry: AuditEntry) -> Silence | None:
        """End a silence at the time of the entry, unless it is over; as it is now, None if there is none."""
        return self._database.write(silences.expire, silence_id, entry)

    def silences(self, *, lasting_at: datetime | None = None, limit: int | None = None) -> list[Silence]:
        """Silences, newest first; with `lasting_at` only those that are not over then, begun or not."""
        return self._database.read(silences.newest, lasting_at=lasting_at, limit=limit)

    def retire_silences(self, *, older_than: datetime, batch: int) -> int:
        """Delete one batch of silences that were over before `older_than`; how many. Call it until 0."""
        return self._database.write(silences.retire, older_than=older_than, batch=batch)

    def retire_audit(self, *, older_than: datetime, batch: int) -> int:
        """Delete one batch of what people did before `older_than`; how many. Call it until 0."""
        return self._database.write(silences.retire_record, older_than=older_than, batch=batch)

    def append_audit(self, entry: AuditEntry) -> None:
        """Record what somebody did that changed nothing else in the store."""
        self._database.write(silences.record, entry)

    def audit(self, *, subject: str | None = None, limit: int = 200) -> list[AuditEntry]:
        """What people did, newest first: all, or what was done to one thing."""
        return self._database.read(silences.recorded, subject=subject, limit=limit)

    # outbox

    def enqueue(self, *drafts: NotificationDraft) -> None:
        """Put messages into the outbox that belong to no check."""
        self._database.write(outbox.put, closing.with_ids(drafts))

    def claim_notification(
        self,
        *,
        now: datetime,
        lease_seconds: float,
        owner: str,
        channel: str | None = None,
        orphans: Orphans | None = None,
    ) -> Claim | None:
        """Lease the oldest message, of one channel, of orphans or any, that is due and first in its queue; None without
        one.
        """
        lease_until = now + timedelta(seconds=lease_seconds)
        return self._database.write(
            outbox.claim, owner=owner, now=now, lease_until=lease_until, channel=channel, orphans=orphans
        )

    def begin_attempt(self, claim: Claim, *, now: datetime) -> Notification:
        """Write, before the call, that it is about to be made. Raises StaleWrite when the lease was lost."""
        return self._database.write(outbox.begin_attempt, claim, now=now)

    def finish_notification(
        self,
        notification_id: str,
        status: NotificationStatus,
        *,
        now: datetime,
        owner: str,
        reference: str | None = None,
        error: str = "",
    ) -> None:
        """Write how a message ended. Raises StaleWrite when `owner` does not hold it any more."""
        end = {"status": status, "ended_at": now, "reference": reference, "last_error": error}
        self._database.write(outbox.finish, notification_id, owner, end)

    def retry_notification(self, notification_id: str, *, at: datetime, error: str, owner: str) -> None:
        """Give a message back, due again at `at`. Raises StaleWrite when `owner` does not hold it any more."""
        self._database.write(outbox.retry, notification_id, owner, at=at, error=error)

    def supersede(self, ids: Sequence[str], *, now: datetime) -> None:
        """Drop messages that were overtaken before any attempt. Raises StaleWrite when one was attempted."""
        self._database.write(outbox.supersede, ids, now=now)

    def undelivered(self, *, since: datetime, limit: int = 500) -> list[Notification]:
        """The newest messages that are still to be sent, or were given up since then; oldest first. Without those of
        channels that have taken another one afterwards.
        """
        return self._database.read(outbox.undelivered, since, limit)

    # what the world sees

    def snapshot(self, suites: Mapping[str, Watched], *, now: datetime) -> Snapshot:
        """Everything that `/metrics` shows."""
        return self._database.read(snapshot.take, suites, now=now)

    def retire(self, *, older_than: datetime, batch: int) -> int:
        """Delete one batch of conversations that finished before `older_than`; how many. Call it until 0."""
        return self._database.write(conversations.retire, older_than=older_than, batch=batch)

    def tidy(self) -> None:
        """Move what was committed from SQLite's log into its file, which keeps no writer waiting; otherwise the next
        commit of whoever makes the log too long does so. Nothing on PostgreSQL, which does it by itself.
        """
        self._database.checkpoint()


def _open_check(connection: Connection, check: CheckRecord, slot: Slot | None) -> None:
    if slot:
        slots.fence(connection, slot)
    checks.insert(connection, check)


def _wall_clock(connection: Connection) -> datetime | None:
    if connection.dialect.name != "postgresql":
        return None
    told: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return told


def _examine(connection: Connection) -> None:
    finding = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if finding != "ok":
        raise corrupt(str(finding))
