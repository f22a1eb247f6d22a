"""All components of one conversation put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.score import JudgeUsage, Score, compose
from monitor.scorers.contract import Answers, Case, Judge, Scorer
from monitor.transcript import Outcome


class Scoring:
    """Scores completed conversations with the scorers that the configuration turns on, by their weights."""

    def __init__(self, scorers: Sequence[Scorer], weights: Mapping[str, float], judge: Judge | None = None) -> None:
        self._scorers = [scorer for scorer in scorers if scorer.name in weights]
        self._weights = dict(weights)
        self._judge = judge

    async def score(self, case: Case, *, seed: int = 0) -> Score:
        """The score, or None with the reason for a conversation that did not complete. Raises JudgeFailure."""
        transcript = case.transcript
        if transcript.outcome is not Outcome.COMPLETED:
            return not_scored(f"the conversation ended as {transcript.outcome}: {transcript.end}")
        answers, usage = await self._judged(case, seed)
        components = tuple([await scorer.score(case, answers) for scorer in self._scorers])
        return replace(compose(components, self._weights), judged=usage)

    async def _judged(self, case: Case, seed: int) -> tuple[Answers, JudgeUsage | None]:
        """What the judge says to all that the components ask."""
        questions = [question for scorer in self._scorers for question in scorer.questions(case)]
        if self._judge is None or not questions:
            return {}, None
        judgement = await self._judge.ask(questions, case, seed=seed)
        return judgement.answers, judgement.usage


def not_scored(reason: str) -> Score:
    """A score that is not there, and why."""
    return Score(value=None, reason=reason, gate=1.0, components=())
