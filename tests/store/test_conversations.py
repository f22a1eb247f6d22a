from __future__ import annotations

import math
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from monitor.errors import StaleWrite, StoreFailure
from monitor.score import ComponentScore, ItemScore, Score
from monitor.store import Closing, Store
from monitor.store.database import Database
from monitor.transcript import Role, Turn
from tests.store.samples import NOW, a_check, a_conversation, a_score, a_transcript, after, an_ended_check


@pytest.fixture(autouse=True)
def running_check(store: Store) -> None:
    store.open_check(a_check(), None)


def rows_of(database: Database, table: str) -> int:
    def number(connection: Connection) -> int:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())

    return database.read(number)


def test_a_conversation_comes_back_as_it_was(store: Store) -> None:
    store.save_conversation(a_conversation(), None)
    assert store.conversation("v1") == a_conversation()
    assert store.conversation("v2") is None


def test_conversations_of_a_check_come_by_round_and_intent(store: Store) -> None:
    for conversation_id, number in (("v1", 1), ("v2", 0)):
        store.save_conversation(a_conversation(conversation_id, round=number), None)
    store.save_conversation(a_conversation("v3", intent_id="a-refund"), None)
    assert [c.id for c in store.conversations("c1")] == ["v3", "v2", "v1"]
    assert store.conversations("c1")[1] == a_conversation("v2")


def test_a_conversation_without_turns_or_score_comes_back_too(store: Store) -> None:
    nothing = Score(value=None, reason="the judge was away", gate=1.0, components=())
    conversation = a_conversation(transcript=a_transcript(turns=(), final=None, cuts=()), score=nothing)
    store.save_conversation(conversation, None)
    assert store.conversation("v1") == conversation


def test_saving_a_conversation_twice_keeps_and_counts_it_once(store: Store) -> None:
    store.save_conversation(a_conversation(), None)
    store.save_conversation(a_conversation(), None)
    assert len(store.conversations("c1")) == 1
    assert list(store.snapshot({}, now=NOW).conversations.values()) == [1]


def test_a_conversation_of_a_check_that_is_over_is_refused(store: Store) -> None:
    store.close_check(Closing(check=an_ended_check()))
    with pytest.raises(StaleWrite, match="not running"):
        store.save_conversation(a_conversation(), None)


def test_a_conversation_of_no_check_is_refused(store: Store) -> None:
    with pytest.raises(StaleWrite, match="not running"):
        store.save_conversation(a_conversation(check_id="c9"), None)


def test_characters_that_no_database_takes_are_replaced_visibly(store: Store) -> None:
    turn = Turn(role=Role.ASSISTANT, text="a\x00b\ud800c", at=NOW, finish_reason="\x00")
    item = ItemScore(id="x", kind="judge", value=None, reason="\udfff")
    score = Score(
        value=None, reason="\x00", gate=1.0, components=(ComponentScore(name="t", value=None, items=(item,)),)
    )
    store.save_conversation(a_conversation(transcript=a_transcript(turns=(turn,), cuts=("\x00",)), score=score), None)
    read = store.conversation("v1")
    assert read and read.transcript.turns[0].text == "a\ufffdb\ufffdc"
    assert (read.transcript.cuts, read.score.items[0].reason) == (("\ufffd",), "\ufffd")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_before_it_is_written(store: Store, number: float) -> None:
    turns = a_transcript().turns
    transcript = a_transcript(turns=(turns[0], replace(turns[1], latency_seconds=number)))
    with pytest.raises(ValueError, match="not finite"):
        store.save_conversation(a_conversation(transcript=transcript), None)
    assert store.conversations("c1") == []


def test_the_database_itself_refuses_a_score_outside_zero_to_one(store: Store, database: Database) -> None:
    def spoil(connection: Connection) -> None:
        connection.execute(text("UPDATE conversation SET score = 1.5"))

    store.save_conversation(a_conversation(), None)
    with pytest.raises(StoreFailure, match="score_is_share") as caught:
        database.write(spoil)
    assert isinstance(caught.value.__cause__, SQLAlchemyError)
    assert "How long?" not in str(caught.value)


def test_old_conversations_are_retired_oldest_first_in_batches(store: Store, database: Database) -> None:
    for number in range(5):
        transcript = a_transcript(finished_at=after(number))
        store.save_conversation(a_conversation(f"v{number}", transcript=transcript), None)
    store.close_check(Closing(check=an_ended_check()))
    assert [store.retire(older_than=after(3), batch=2) for _ in range(3)] == [2, 1, 0]
    assert [c.id for c in store.conversations("c1")] == ["v3", "v4"]
    assert (rows_of(database, "turn"), rows_of(database, "score_item")) == (4, 2)


def test_conversations_of_a_running_check_are_not_retired(store: Store) -> None:
    store.save_conversation(a_conversation(), None)
    assert store.retire(older_than=after(3600), batch=10) == 0


def test_items_are_kept_under_their_component(store: Store) -> None:
    task = a_score().components[0]
    score = replace(a_score(), components=(task, ComponentScore(name="conduct", value=1.0, items=task.items * 2)))
    store.save_conversation(a_conversation(score=score), None)
    read = store.conversation("v1")
    assert read and [len(component.items) for component in read.score.components] == [1, 2]
