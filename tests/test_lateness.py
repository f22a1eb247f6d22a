"""Whose time a check's time was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.check import Conversation
from monitor.lateness import TimeSpent, spared, waited_seconds
from monitor.scorers.scoring import not_scored
from monitor.transcript import EndReason, Outcome, Role, Transcript
from tests.parties import T0, transcript


def took(user: float, assistant: float, *, end: EndReason = EndReason.USER_ENDED, lasted: float = 9.0) -> Transcript:
    """One exchange of these latencies, in seconds."""
    talk = transcript("how long", "30 days", end=end)
    latency = {Role.USER: user, Role.ASSISTANT: assistant}
    turns = tuple(replace(turn, latency_seconds=latency[turn.role]) for turn in talk.turns)
    return replace(talk, turns=turns, finished_at=T0 + timedelta(seconds=lasted))


def cut_off(end: EndReason = EndReason.CHECK_DEADLINE) -> Conversation:
    talk = Transcript(turns=(), end=end, outcome=end.outcome, started_at=T0, finished_at=T0)
    return Conversation(
        id="c",
        check_id="k",
        intent_id="i",
        fingerprint="f",
        persona=None,
        round=0,
        attempt=1,
        seed=1,
        epoch="e",
        transcript=talk,
        score=not_scored("cancelled"),
    )


def test_a_wait_for_a_reply_that_never_came_is_the_assistants() -> None:
    assert waited_seconds(took(1.0, 2.0)) == 2.0
    assert waited_seconds(took(1.0, 2.0, end=EndReason.TURN_DEADLINE)) == 8.0


@pytest.mark.parametrize(("assistant", "outcome"), [(6.0, Outcome.ASSISTANT_TIMEOUT), (5.0, Outcome.CANCELLED)])
def test_what_the_checks_deadline_ends_is_whose_time_was_more_than_half(assistant: float, outcome: Outcome) -> None:
    spent = TimeSpent()
    spent.add(took(1.0, assistant), 10.0)
    assert spent.blamed(cut_off()).transcript.outcome is outcome


def test_a_conversation_that_ended_otherwise_stays_as_it_is() -> None:
    spent = TimeSpent()
    spent.add(took(1.0, 9.0), 10.0)
    stopped = cut_off(EndReason.KILL_SWITCH)
    assert spent.blamed(stopped) is stopped


def test_where_nothing_was_heard_nobody_is_blamed() -> None:
    assert TimeSpent().blamed(cut_off()).transcript.outcome is Outcome.CANCELLED


def test_what_the_checks_end_cut_off_beyond_the_least_rounds_is_nobodys() -> None:
    assert spared(cut_off(EndReason.CONVERSATION_DEADLINE)).transcript.outcome is Outcome.CANCELLED
    failed = cut_off(EndReason.HTTP_STATUS)
    assert spared(failed) is failed
