"""Whose time the time of a check was, when it is up before every conversation has ended. Pure; knows no clock.

An assistant that slows down until the check's deadline keeps conversations from even beginning: those are its timeouts
too, and not conversations that we cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from monitor.check import Conversation
from monitor.scorers.scoring import not_scored
from monitor.transcript import EndReason, Outcome, Role, Transcript


@dataclass(slots=True)
class TimeSpent:
    """Seconds that conversations of a check took so far, and how many of them went by in waiting for the assistant."""

    total_seconds: float = 0.0
    assistant_seconds: float = 0.0

    def add(self, transcript: Transcript, seconds: float) -> None:
        """Count a conversation that took so many seconds, scoring and all."""
        self.total_seconds += seconds
        self.assistant_seconds += min(seconds, waited_seconds(transcript))

    @property
    def is_the_assistants(self) -> bool:
        """Whether more than half of the time was the assistant's."""
        return self.assistant_seconds > self.total_seconds / 2

    def blamed(self, conversation: Conversation) -> Conversation:
        """The conversation as the assistant's timeout if the check's deadline ended it and the assistant took the time;
        else as it is.
        """
        talk = conversation.transcript
        if talk.end is not EndReason.CHECK_DEADLINE or not self.is_the_assistants:
            return conversation
        end = EndReason.CONVERSATION_DEADLINE
        share = self.assistant_seconds / self.total_seconds
        detail = f"the check's time was up, {share:.0%} of it spent waiting for the assistant"
        return replace(
            conversation,
            transcript=replace(talk, end=end, outcome=end.outcome, detail=detail),
            score=not_scored(f"the conversation ended as {end.outcome}: {end}"),
        )


def spared(conversation: Conversation) -> Conversation:
    """A conversation beyond the least rounds, under way when the check's time was up: nobody's fault, however long the
    assistant might have taken, for the check had no more time for it. It was wanted to be surer, and is left out.
    """
    talk = conversation.transcript
    if talk.end is not EndReason.CONVERSATION_DEADLINE:
        return conversation
    end = EndReason.CHECK_DEADLINE
    return replace(conversation, transcript=replace(talk, end=end, outcome=end.outcome))


def waited_seconds(transcript: Transcript) -> float:
    """How long a conversation waited for the assistant: its replies, and what the one took that never came."""
    turns = transcript.turns
    replies = sum(turn.latency_seconds or 0.0 for turn in turns if turn.role is Role.ASSISTANT)
    if transcript.outcome is not Outcome.ASSISTANT_TIMEOUT:
        return replies
    users = sum(turn.latency_seconds or 0.0 for turn in turns if turn.role is Role.USER)
    return max(replies, transcript.duration_seconds - users)
