"""Scores for what people labelled: the stored one where it is of this epoch, else one made now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.errors import JudgeFailure, StoreFailure
from monitor.redact import Redactor, redacted_score
from monitor.score import Score
from monitor.scorers.contract import Case
from monitor.scorers.scoring import Scoring, not_scored
from monitor.store import Store
from monitor.studies.calibrate import Measured
from monitor.studies.labels import Label
from monitor.studies.lines import NEUTRAL, Given
from monitor.studies.pace import in_order
from monitor.studies.rescore import Intents, case_of, find_stored
from monitor.studies.unscored import why_unscored


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseScoring:
    """Scores cases; one whose intent asks for nothing is scored without `task`."""

    scoring: Scoring
    redactor: Redactor

    async def score(self, case: Case, *, seed: int = 0) -> Score:
        """The score, redacted. Whatever fails leaves it without a value. Raises StoreFailure."""
        scoring = self.scoring.without("task") if case.intent is NEUTRAL else self.scoring
        try:
            score = await scoring.score(case, seed=seed)
        except StoreFailure:
            raise
        except Exception as exc:  # noqa: BLE001  told and logged: one conversation must not end the others
            usage = exc.usage if isinstance(exc, JudgeFailure) else None
            score = replace(not_scored(why_unscored(exc, case.conversation_id or case.intent.id)), judged=usage)
        return redacted_score(score, self.redactor, [turn.text for turn in case.transcript.turns])


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurer:
    """Finds or makes the score of each labelled conversation under `epoch`."""

    store: Store
    scoring: CaseScoring
    epoch: str
    intents: Intents
    at_once: int = 8

    async def run(self, labels: Sequence[Label]) -> tuple[list[Measured], Counter[str]]:
        """Labels with scores, and how many have none, by the reason. Raises StoreFailure."""
        wanted = {label.key: label for label in labels}
        scores: dict[object, tuple[Score, str] | str] = {}
        keys = iter(list(wanted))
        async for found in in_order(wanted.values(), self._score, at_once=self.at_once):
            scores[next(keys)] = found
        measured: list[Measured] = []
        missing: Counter[str] = Counter()
        for label in labels:
            found = scores[label.key]
            if isinstance(found, str):
                missing[found] += 1
            else:
                measured.append(Measured(label=label, score=found[0], intent_id=found[1]))
        return measured, missing

    async def _score(self, label: Label) -> tuple[Score, str] | str:
        if isinstance(label.conversation, Given):
            case = label.conversation.case
            return await self.scoring.score(case), case.intent.id
        return await self._stored(label.conversation)

    async def _stored(self, conversation_id: str) -> tuple[Score, str] | str:
        conversation = await self.store.offload(self.store.conversation, conversation_id)
        if conversation is not None and conversation.epoch == self.epoch:
            return conversation.score, conversation.intent_id
        again = await self.store.offload(self.store.rescored, conversation_id)
        newest = next((one for one in again if one.epoch == self.epoch), None)
        if conversation is not None and newest is not None:
            return newest.score, conversation.intent_id
        found = await find_stored(self.store, conversation_id, self.intents)
        if isinstance(found, str):
            return found
        stored, intent = found
        return await self.scoring.score(case_of(stored, intent), seed=stored.seed), intent.id
