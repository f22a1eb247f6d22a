"""All components of one conversation put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.intent import Intent
from monitor.score import Score, compose
from monitor.scorers.contract import Scorer
from monitor.transcript import Outcome, Transcript


class Scoring:
    """Scores completed conversations with the scorers that the configuration turns on, by their weights."""

    def __init__(self, scorers: Sequence[Scorer], weights: Mapping[str, float]) -> None:
        self._scorers = [scorer for scorer in scorers if scorer.name in weights]
        self._weights = dict(weights)

    async def score(self, intent: Intent, transcript: Transcript) -> Score:
        """The score, or None with the reason for a conversation that did not complete. Raises JudgeFailure."""
        if transcript.outcome is not Outcome.COMPLETED:
            return not_scored(f"the conversation ended as {transcript.outcome}: {transcript.end}")
        components = tuple([await scorer.score(intent, transcript) for scorer in self._scorers])
        return compose(components, self._weights)


def not_scored(reason: str) -> Score:
    """A score that is not there, and why."""
    return Score(value=None, reason=reason, gate=1.0, components=())
