"""A check that is over and not yet in the database, as a value, as bytes, and joined with what it becomes there.

Pure. All text in it was redacted before it came here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self, TypeVar
from uuid import NAMESPACE_OID, uuid5

from pydantic import TypeAdapter

from monitor.check import CheckRecord, Conversation, Slot
from monitor.closing import Known
from monitor.incident import Incident
from monitor.machine import AlertState, NotificationKind, Phase
from monitor.rounds import Heard
from monitor.store import AlertChanges, Closing, NotificationDraft, joined
from monitor.store.types import plain

C = TypeVar("C", bound=AlertChanges)

MOOT = "closed: what had been told of it could not be decided anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was heard, to be decided anew when the database is back, and the opens that are told meanwhile.

    `heard` None: there was no room for it; what was told must be taken back then. `aside` are conversations that were
    not saved and do not count.
    """

    check: CheckRecord
    slot: Slot | None
    heard: Heard | None
    ended_at: datetime
    aside: tuple[Conversation, ...] = ()
    told: tuple[NotificationDraft, ...] = ()

    @classmethod
    def of(cls, closing: Closing, check: CheckRecord, heard: Heard, aside: tuple[Conversation, ...]) -> Self:
        """A check as it was before its end, and the opens of the end that was decided on what was known then."""
        opens = tuple(draft for draft in closing.notifications if draft.kind is NotificationKind.OPEN)
        ended_at = closing.check.finished_at
        assert ended_at is not None, "it is over"
        return cls(check=check, slot=closing.slot, heard=heard, ended_at=ended_at, aside=aside, told=opens)

    @property
    def attempted(self) -> list[NotificationDraft]:
        """The opens that a channel may know of."""
        return [draft for draft in self.told if draft.delivery]


_KEPT = TypeAdapter(Kept)


def to_bytes(kept: Kept) -> bytes:
    """JSON, as the database's documents are written. Raises ValueError for a number that is not finite."""
    return json.dumps(plain(_KEPT.dump_python(kept, mode="json")), separators=(",", ":")).encode()


def from_bytes(payload: bytes) -> Kept:
    """The same value. Raises ValueError for what is none, as of another version."""
    return _KEPT.validate_json(payload)


def with_told(changes: C, told: Sequence[NotificationDraft], known: Mapping[str, Known]) -> C:
    """The changes, knowing what was told already: nothing is told twice, and what was told in vain is taken back.

    `known`: the alerts of the scopes before the changes.
    """
    delivered = {(draft.channel, draft.dedup_key): draft.delivery for draft in told if draft.delivery}
    drafts = [
        replace(draft, delivery=delivered.pop((draft.channel, draft.dedup_key), None))
        if draft.kind is NotificationKind.OPEN
        else draft
        for draft in changes.notifications
    ]
    changes = replace(changes, notifications=tuple(drafts))
    for draft in told:
        if (draft.channel, draft.dedup_key) in delivered:
            changes = _with_stray(changes, draft, known.get(draft.scope))
    return changes


def _with_stray(changes: C, draft: NotificationDraft, known: Known | None) -> C:
    """With an open that these changes do not tell: it is of the incident that is open, or of one that is over."""
    after = next((state for state in changes.states if state.scope == draft.scope), None)
    state = after or (known.state if known else None)
    if state is None or state.phase is not Phase.FIRING or state.incident_id is None:
        return _taken_back(changes, draft)
    more = AlertChanges(notifications=(replace(draft, incident_id=state.incident_id),))
    if draft.channel not in state.channels:
        states = [other for other in changes.states if other is not after]
        changes = replace(changes, states=(*states, _told_there(state, draft.channel, is_new=after is None)))
    return _joined(changes, more)


def _told_there(state: AlertState, channel: str, *, is_new: bool) -> AlertState:
    """The alert with a channel that must hear of its end."""
    version = state.version + 1 if is_new else state.version
    return replace(state, channels=(*state.channels, channel), version=version)


def _taken_back(changes: C, draft: NotificationDraft) -> C:
    """An incident that began and is over, and its end for the channel that was told of it."""
    incident = stray_incident(draft)
    told = replace(draft, incident_id=incident.id)
    end = replace(
        told,
        kind=NotificationKind.RESOLVE,
        delivery=None,
        alert=replace(draft.alert, incident_id=incident.id, reason=MOOT),
    )
    is_there = any(other.id == incident.id for other in changes.opened)
    return _joined(changes, AlertChanges(opened=() if is_there else (incident,), notifications=(told, end)))


def stray_incident(draft: NotificationDraft) -> Incident:
    """What was told of a scope and is not so; one for all channels."""
    return Incident(
        id=uuid5(NAMESPACE_OID, f"told/{draft.incident_id}").hex,
        scope=draft.scope,
        dedup_key=draft.dedup_key,
        rule=draft.alert.rule,
        severity=draft.alert.severity,
        opened_at=draft.at,
        opened_by_check=draft.alert.check_id,
        reason=draft.alert.reason,
        closed_at=draft.at,
        close_reason=MOOT,
    )


def _joined(changes: C, more: AlertChanges) -> C:
    """Both, in the class of the first."""
    both = joined([changes, more])
    return replace(changes, opened=both.opened, notifications=both.notifications, states=both.states)
