from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.audit import AuditEntry
from monitor.store import Store
from monitor.store.closing import AlertChanges
from monitor.suppression import Silence
from tests.store.samples import NOW, a_state, after


def an_entry(action: str, hours: float = 0) -> AuditEntry:
    return AuditEntry(at=NOW + timedelta(hours=hours), actor="ann", action=action, subject="s1", detail="deploy")


def a_silence(silence_id: str = "s1") -> Silence:
    return Silence(
        id=silence_id,
        scope_pattern="main/*",
        created_by="ann",
        reason="deploy",
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=2),
    )


def test_a_silence_is_written_once_with_who_asked_for_it(store: Store) -> None:
    store.add_silence(a_silence(), an_entry("silence.add"))
    store.add_silence(a_silence(), an_entry("silence.add"))
    assert store.silences() == [a_silence()]
    assert store.audit() == [an_entry("silence.add")]


def test_a_silence_lasts_until_its_end(store: Store) -> None:
    store.add_silence(a_silence(), an_entry("silence.add"))
    assert store.silences(lasting_at=NOW - timedelta(days=1)) == [a_silence()]
    assert store.silences(lasting_at=NOW + timedelta(hours=2)) == []


def test_a_silence_is_taken_back_once(store: Store) -> None:
    store.add_silence(a_silence(), an_entry("silence.add"))
    expired = store.expire_silence("s1", an_entry("silence.expire", 1))
    assert expired is not None
    assert expired.expired_at == NOW + timedelta(hours=1)
    assert store.expire_silence("s1", an_entry("silence.expire", 1.5)) == expired
    assert store.silences(lasting_at=NOW + timedelta(hours=1)) == []
    assert [entry.action for entry in store.audit()] == ["silence.expire", "silence.add"]
    assert [entry.action for entry in store.audit(subject="s1", limit=1)] == ["silence.expire"]
    assert store.audit(subject="s2") == []


def test_a_silence_that_is_over_or_unknown_cannot_be_taken_back(store: Store) -> None:
    store.add_silence(a_silence(), an_entry("silence.add"))
    assert store.expire_silence("s1", an_entry("silence.expire", 3)) == a_silence()
    assert store.expire_silence("s2", an_entry("silence.expire", 1)) is None
    assert len(store.audit()) == 1


def test_the_record_of_a_step_is_written_with_it_once(store: Store) -> None:
    changes = AlertChanges(states=(a_state(since=after(0)),), audit=(an_entry("incident.ack"),))
    store.change_alerts(changes)
    store.change_alerts(changes)
    store.append_audit(an_entry("reload"))
    assert [entry.action for entry in store.audit(limit=5)] == ["reload", "incident.ack"]


def test_silences_are_forgotten_some_time_after_they_were_over_in_batches(store: Store) -> None:
    for number in range(3):
        store.add_silence(a_silence(f"old{number}"), an_entry("silence.add"))
    store.add_silence(replace(a_silence("long"), ends_at=NOW + timedelta(days=9)), an_entry("silence.add"))
    store.expire_silence("old2", an_entry("silence.expire", 1))
    assert store.retire_silences(older_than=NOW + timedelta(hours=1.5), batch=2) == 1
    assert store.retire_silences(older_than=NOW + timedelta(days=1), batch=1) == 1
    assert store.retire_silences(older_than=NOW + timedelta(days=1), batch=2) == 1
    assert [silence.id for silence in store.silences()] == ["long"]


def test_the_oldest_deeds_are_forgotten_first_in_batches(store: Store) -> None:
    for hours in range(4):
        store.append_audit(an_entry(f"deed{hours}", hours))
    assert store.retire_audit(older_than=NOW + timedelta(hours=3), batch=2) == 2
    assert store.retire_audit(older_than=NOW + timedelta(hours=3), batch=2) == 1
    assert [entry.action for entry in store.audit()] == ["deed3"]
