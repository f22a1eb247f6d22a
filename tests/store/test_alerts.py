from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.errors import StaleWrite
from monitor.machine import AlertState
from monitor.store import Store
from monitor.store.closing import AlertChanges
from tests.store.samples import a_draft, a_state, after, an_incident


def test_a_scope_that_was_never_stored_has_a_fresh_state(store: Store) -> None:
    assert store.alert_state("main/overall") == AlertState(scope="main/overall")
    assert store.alert_states() == []


def test_a_state_comes_back_as_it_was(store: Store) -> None:
    store.save_alert_state(a_state(unresolved=("slack",)))
    store.save_alert_state(a_state(scope="a"))
    assert store.alert_states() == [a_state(scope="a"), a_state(unresolved=("slack",))]


def test_of_two_next_versions_only_the_first_is_written(store: Store, other: Store) -> None:
    store.save_alert_state(a_state(1))
    store.save_alert_state(a_state(2, channels=("slack",)))
    with pytest.raises(StaleWrite, match="moved on"):
        other.save_alert_state(a_state(2, channels=("pagerduty",)))
    assert store.alert_state("main/overall") == a_state(2, channels=("slack",))


def test_of_two_first_versions_only_the_first_is_written(store: Store, other: Store) -> None:
    store.save_alert_state(a_state(1))
    with pytest.raises(StaleWrite):
        other.save_alert_state(a_state(1, acked_by="another"))


def test_a_version_cannot_be_left_out(store: Store) -> None:
    store.save_alert_state(a_state(1))
    with pytest.raises(StaleWrite):
        store.save_alert_state(a_state(3))


def test_saving_the_same_version_again_changes_nothing(store: Store) -> None:
    store.save_alert_state(a_state())
    store.save_alert_state(a_state())
    assert store.alert_states() == [a_state()]


def test_alerts_change_without_a_check_whole_or_not_at_all(store: Store) -> None:
    changes = AlertChanges(states=(a_state(),), opened=(an_incident(),), notifications=(a_draft(),))
    store.change_alerts(changes)
    store.change_alerts(changes)
    with pytest.raises(StaleWrite):
        store.change_alerts(AlertChanges(states=(a_state(2),), opened=(an_incident("i2"),)))
    assert store.alert_states() == [a_state()]
    assert len(store.notifications()) == 1


def test_an_incident_may_change_in_the_step_that_closes_it(store: Store) -> None:
    store.change_alerts(AlertChanges(states=(a_state(),), opened=(an_incident(),)))
    changed = replace(an_incident(), rule="availability", acked_by="ann", acked_until=after(9))
    closed = replace(changed, closed_at=after(1), close_reason="good again")
    store.change_alerts(AlertChanges(states=(a_state(2),), updated=(changed,), closed=(closed,)))
    assert store.incident("i1") == closed


def test_only_an_open_incident_can_change(store: Store) -> None:
    with pytest.raises(StaleWrite, match="not open"):
        store.change_alerts(AlertChanges(updated=(an_incident(),)))


def test_incidents_are_listed_newest_first(store: Store) -> None:
    for number in range(3):
        opened = an_incident(f"i{number}", scope=f"s{number}", opened_at=after(number))
        store.change_alerts(AlertChanges(opened=(opened,)))
    assert [incident.id for incident in store.incidents(limit=2)] == ["i2", "i1"]
    assert store.incident("i9") is None
