"""What is loaded equals what was saved, whatever the values."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings

from monitor.check import CheckRecord, Conversation
from monitor.incident import Notification
from monitor.store import NotificationDraft, Store
from tests.store import strategies
from tests.store.samples import a_check

FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def kept(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all examples, which are given new ids."""
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("kept") / "monitor.db")
    store = Store.open(f"sqlite:///{path}")
    yield store
    store.close()


@FEW
@given(check=strategies.checks)
def test_any_check(kept: Store, check: CheckRecord) -> None:
    check = replace(check, id=str(uuid4()))
    kept.open_check(check, None)
    assert kept.check(check.id) == check


@FEW
@given(conversation=strategies.conversations)
def test_any_conversation(kept: Store, conversation: Conversation) -> None:
    check_id = str(uuid4())
    kept.open_check(a_check(check_id), None)
    conversation = replace(conversation, id=str(uuid4()), check_id=check_id)
    kept.save_conversation(conversation, None)
    assert kept.conversation(conversation.id) == conversation


@FEW
@given(draft=strategies.drafts)
def test_any_notification(kept: Store, draft: NotificationDraft) -> None:
    draft = replace(draft, incident_id=str(uuid4()))
    kept.enqueue(draft)
    (read,) = kept.notifications(draft.incident_id)
    assert isinstance(read, Notification)
    names = ("incident_id", "scope", "channel", "kind", "dedup_key", "alert")
    assert [getattr(read, name) for name in names] == [getattr(draft, name) for name in names]
    assert read.created_at == draft.at
