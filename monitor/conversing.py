"""One conversation from its first word to what is stored: simulate -> was the user fair -> score -> redact.

Whoever asks for it gets a `Conversation`, whatever became of it. Knows no check, no store and no alert.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.assistants.contract import Assistant, ConversationContext
from monitor.check import Conversation
from monitor.errors import CompletionFailure, EngineFailure, JudgeFailure, StoreFailure
from monitor.intent import Intent
from monitor.judge_usage import JudgeUsage, together
from monitor.redact import Redactor, redacted
from monitor.reporting import Reports, with_reported
from monitor.score import Departure, Score, UserValidity
from monitor.scorers.contract import Case
from monitor.scorers.scoring import Scoring, not_scored
from monitor.simulate import simulate
from monitor.transcript import EndReason, Outcome, Transcript, Turn
from monitor.user.contract import UserSimulator
from monitor.validity import as_unfair, defect_of, departure_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversing:
    """The two parties of conversations, and what is made of what they say. `now` tells UTC; `reports`, where calls
    can be reported at all, gives those of a conversation.
    """

    user: UserSimulator
    assistant: Assistant
    scoring: Scoring
    redactor: Redactor
    epoch: str
    now: Callable[[], datetime]
    reports: Reports | None = None

    async def play(
        self,
        intent: Intent,
        context: ConversationContext,
        *,
        seed: int,
        number: int = 0,
        attempt: int = 1,
        on_turn: Callable[[Turn], None] = lambda _: None,
    ) -> Conversation:
        """Play `intent` once, as the `attempt`-th of round `number`; `on_turn` hears every turn as it is said."""
        transcript, score, validity = await self._talk_and_score(intent, context, seed, on_turn)
        return redacted(
            Conversation(
                id=context.conversation_id,
                check_id=context.check_id,
                intent_id=intent.id,
                fingerprint=intent.fingerprint,
                persona=intent.persona,
                round=number,
                attempt=attempt,
                seed=seed,
                epoch=self.epoch,
                transcript=transcript,
                score=score,
                validity=validity,
            ),
            self.redactor,
        )

    async def _talk_and_score(
        self, intent: Intent, context: ConversationContext, seed: int, on_turn: Callable[[Turn], None]
    ) -> tuple[Transcript, Score, UserValidity | None]:
        """One conversation with its score. A fault of ours ends this conversation, never the check."""
        started_at = self.now()
        transcript = usage = None
        try:
            transcript = await simulate(
                intent, self.user, self.assistant, context, seed=seed, now=self.now, on_turn=on_turn
            )
            if self.reports is not None:
                transcript = await with_reported(
                    transcript, intent, context.conversation_id, self.reports, self.redactor.redact
                )
            case = Case(
                intent=intent,
                transcript=transcript,
                conversation_id=context.conversation_id,
                is_fresh=True,
                hears_reports=self.reports is not None,
            )
            return await self._score(case, seed)
        except JudgeFailure as exc:
            end, detail, usage = EndReason.JUDGE, str(exc), exc.usage
        except (CompletionFailure, EngineFailure) as exc:
            end, detail = EndReason.ENGINE, str(exc)
        except StoreFailure as exc:
            end, detail = EndReason.INTERNAL, str(exc)
        except Exception as exc:
            log.exception("conversation_broke intent=%s conversation_id=%s", intent.id, context.conversation_id)
            end, detail = EndReason.INTERNAL, f"{type(exc).__name__}: {exc}"
        talk = transcript or Transcript(
            turns=(), end=end, outcome=end.outcome, started_at=started_at, finished_at=self.now()
        )
        return (
            replace(talk, end=end, outcome=end.outcome, detail=detail),
            replace(not_scored(detail), judged=usage),
            None,
        )

    async def _score(self, case: Case, seed: int) -> tuple[Transcript, Score, UserValidity | None]:
        """The score of a fair conversation; one whose user was unfair or hindered the assistant has none."""
        if defect := defect_of(case):
            return _unfair(case.transcript, str(defect))
        if case.transcript.outcome is not Outcome.COMPLETED:
            return case.transcript, await self.scoring.score(case, seed=seed), None
        departed = await departure_of(case, self.scoring.judge, seed=seed)
        if departed.validity.departure is Departure.HINDERED:
            why = f"what the user invented made the task harder: {departed.validity.reason}"
            return _unfair(case.transcript, why, departed.validity, departed.usage)
        try:
            score = await self.scoring.score(case, seed=seed)
        except JudgeFailure as exc:
            exc.add_usage(departed.usage)
            raise
        return case.transcript, _with_usage(score, departed.usage), departed.validity


def _unfair(
    transcript: Transcript, why: str, validity: UserValidity | None = None, judged: JudgeUsage | None = None
) -> tuple[Transcript, Score, UserValidity | None]:
    score = not_scored(f"the user was not a fair one: {why}")
    return as_unfair(transcript, why), replace(score, judged=judged), validity


def _with_usage(score: Score, usage: JudgeUsage | None) -> Score:
    """The score with what was asked about its user counted in."""
    return replace(score, judged=together(usage, score.judged))
