"""From the conversations of a check to the evidence that the rules look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from monitor.check import Conversation
from monitor.intent import Intent
from monitor.rules.evidence import Evidence, IntentEvidence
from monitor.transcript import Fault, Outcome


def gather(
    conversations: Iterable[Conversation],
    intents: Sequence[Intent],
    *,
    at: datetime,
    rounds: int,
    confirming_from: int | None = None,
) -> Evidence:
    """The evidence of a check. `rounds` were played for every intent; of several attempts at one place the last counts.

    A conversation that failed through the assistant's fault is a failure of its intent; one that failed through ours
    says nothing.
    """
    last: dict[tuple[str, int], Conversation] = {}
    for conversation in conversations:
        place = (conversation.intent_id, conversation.round)
        if place not in last or last[place].attempt < conversation.attempt:
            last[place] = conversation
    return Evidence(
        at=at,
        intents=tuple(_of_intent(intent, last) for intent in intents),
        rounds=rounds,
        confirming_from=confirming_from,
        rate_limited=sum(1 for c in last.values() if c.round < rounds and c.transcript.outcome is Outcome.RATE_LIMITED),
    )


def _of_intent(intent: Intent, last: dict[tuple[str, int], Conversation]) -> IntentEvidence:
    numbers = [number for intent_id, number in last if intent_id == intent.id]
    played = [last.get((intent.id, number)) for number in range(max(numbers, default=-1) + 1)]
    return IntentEvidence(
        intent_id=intent.id,
        fingerprint=intent.fingerprint,
        weight=intent.weight,
        critical=intent.critical,
        values=tuple(c.value if c else None for c in played),
        passed=tuple(_passed(c) for c in played),
        errors=tuple(c is not None and c.transcript.outcome.fault is Fault.ASSISTANT for c in played),
    )


def _passed(conversation: Conversation | None) -> bool | None:
    if conversation is None or not conversation.is_valid:
        return None
    return bool(conversation.score.passed)
