"""Stored conversations scored again under the scoring of today, and how far that moved them. Old scores stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from monitor.agreement import clustered_mean
from monitor.check import Conversation, Rescored
from monitor.errors import StoreFailure
from monitor.intent import Intent
from monitor.redact import Redactor, redacted_score
from monitor.score import Evidence, ItemScore, Score
from monitor.scorers.contract import Case
from monitor.scorers.scoring import Scoring
from monitor.store import Store
from monitor.studies.pace import in_order
from monitor.studies.unscored import is_fault, why_unscored

MOVERS = 10
INTENT_GONE = "the intent is not in the configuration"
INTENT_CHANGED = "the intent has changed"
NOT_STORED = "no such conversation is stored"
Intents = Mapping[str, Mapping[str, Intent]]
"""Those of today, by the name of the suite and the id of the intent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One conversation with its old score and its new one."""

    conversation_id: str
    intent_id: str
    old_epoch: str
    old: Score
    new: Score

    @property
    def difference(self) -> float | None:
        """New less old; None where one of them is not measured."""
        return None if self.old.value is None or self.new.value is None else self.new.value - self.old.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Scores of two epochs in pairs. `difference` is the mean of new less old over the `n` pairs that have both.

    `standard_error` is clustered by intent (see `agreement.clustered_mean`); None: not to be had. `left_out` counts
    conversations by why they are not in it.
    """

    old_epochs: Mapping[str, int]
    new_epoch: str
    n: int
    difference: float | None
    standard_error: float | None
    newly_passed: int
    newly_failed: int
    movers: tuple[Pair, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def faults(self) -> int:
        """Conversations whose scoring broke in a way that nobody foresaw."""
        return sum(count for reason, count in self.left_out.items() if is_fault(reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescore:
    """Scores stored conversations again. `intents` are those of today, by the suite's name and the intent's id.

    `any_intent`: score by the intent of today where it has changed, too.
    """

    store: Store
    scoring: Scoring
    epoch: str
    redactor: Redactor
    intents: Intents
    now: Callable[[], datetime]
    any_intent: bool = False
    at_once: int = 8

    async def run(self, conversation_ids: Sequence[str], on_done: Callable[[int], None] = lambda _: None) -> Comparison:
        """One further score for each. Raises StoreFailure; any other failure leaves its conversation out."""
        pairs: list[Pair] = []
        left_out: Counter[str] = Counter()
        done = 0
        async for found in in_order(conversation_ids, self._one, at_once=self.at_once):
            done += 1
            on_done(done)
            if isinstance(found, Pair):
                pairs.append(found)
            else:
                left_out[found] += 1
        return compare(pairs, self.epoch, left_out)

    async def _one(self, conversation_id: str) -> Pair | str:
        """A conversation's scores, or why it has no new one."""
        found = await find_stored(self.store, conversation_id, self.intents, any_intent=self.any_intent)
        if isinstance(found, str):
            return found
        conversation, intent = found
        try:
            score = await self.scoring.score(case_of(conversation, intent), seed=conversation.seed)
            score = redacted_score(score, self.redactor, [turn.text for turn in conversation.transcript.turns])
        except StoreFailure:
            raise
        except Exception as exc:  # noqa: BLE001  told and logged: one conversation must not end the others
            return self.redactor.redact(why_unscored(exc, conversation.id))
        await self.store.offload(self.store.append_rescored, self._row(conversation, intent, score))
        return Pair(
            conversation_id=conversation.id,
            intent_id=intent.id,
            old_epoch=conversation.epoch,
            old=conversation.score,
            new=score,
        )

    def _row(self, conversation: Conversation, intent: Intent, score: Score) -> Rescored:
        return Rescored(
            id=uuid4().hex,
            conversation_id=conversation.id,
            epoch=self.epoch,
            fingerprint=intent.fingerprint,
            at=self.now(),
            score=score,
        )


async def find_stored(
    store: Store, conversation_id: str, intents: Intents, *, any_intent: bool = False
) -> tuple[Conversation, Intent] | str:
    """A stored conversation and its intent as it is today, or why it cannot be scored again."""
    conversation = await store.offload(store.conversation, conversation_id)
    if conversation is None:
        return NOT_STORED
    check = await store.offload(store.check, conversation.check_id)
    intent = intents.get(check.suite if check else "", {}).get(conversation.intent_id)
    if intent is None:
        return INTENT_GONE
    if intent.fingerprint != conversation.fingerprint and not any_intent:
        return INTENT_CHANGED
    return conversation, intent


def case_of(conversation: Conversation, intent: Intent) -> Case:
    """A stored conversation as a case.

    Its text is redacted, so what was forbidden and is hidden now is handed on; and so is what was found of the world
    when it ended, and that no report of a tool call could be heard.
    """
    hidden: dict[str, tuple[Evidence, ...]] = {}
    for item in conversation.score.items:
        gone = tuple(seen for seen in item.evidence if "[redacted:" in seen.quote)
        if item.kind == "forbidden" and item.passed is False and gone:
            hidden[item.id] = gone
    known = {item.id: item for item in conversation.score.items if item.kind == "state" or _was_not_heard(item)}
    return Case(
        intent=intent,
        transcript=conversation.transcript,
        conversation_id=conversation.id,
        hidden=hidden,
        known=known,
    )


def _was_not_heard(item: ItemScore) -> bool:
    return item.kind == "tool_call" and item.value is None


def compare(pairs: Sequence[Pair], new_epoch: str, left_out: Mapping[str, int]) -> Comparison:
    """Old scores against new ones, conversation by conversation."""
    both = [(pair, pair.difference) for pair in pairs if pair.difference is not None]
    reasons = Counter(left_out)
    reasons.update("one of both scores is not measured" for pair in pairs if pair.difference is None)
    mean, error = clustered_mean([(pair.intent_id, change) for pair, change in both]) if both else (None, None)
    moved = sorted(both, key=lambda entry: -abs(entry[1]))[:MOVERS]
    flips = Counter((pair.old.passed, pair.new.passed) for pair, _ in both)
    return Comparison(
        old_epochs=Counter(pair.old_epoch for pair in pairs),
        new_epoch=new_epoch,
        n=len(both),
        difference=mean,
        standard_error=error,
        newly_passed=flips[False, True],
        newly_failed=flips[True, False],
        movers=tuple(pair for pair, change in moved if abs(change) > 1e-9),
        left_out=reasons,
    )
