"""All components of one conversation put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import reduce
from operator import add
from types import MappingProxyType

from monitor.redact import Redactor
from monitor.score import ComponentScore, Score, compose
from monitor.scorers.contract import Answers, Case, Judge, Scorer
from monitor.scorers.leaks import with_leaks
from monitor.scorers.passes import PASSES, further, is_close, together
from monitor.seeds import derive
from monitor.transcript import Outcome, Transcript


class Scoring:
    """Scores completed conversations with the scorers that the configuration turns on, by their weights.

    A judge whose answers are draws is asked three times in all where the first answers make it a close call (`passes`).
    """

    def __init__(
        self,
        scorers: Sequence[Scorer],
        weights: Mapping[str, float],
        judge: Judge | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self._scorers = [scorer for scorer in scorers if scorer.name in weights]
        self._weights = dict(weights)
        self._judge = judge
        self._redactor = redactor

    @property
    def judge(self) -> Judge | None:
        """Who answers the questions; None: nobody."""
        return self._judge

    def without(self, component: str) -> Scoring:
        """The same less one component."""
        other = copy(self)
        other._scorers = [scorer for scorer in self._scorers if scorer.name != component]
        other._weights = {name: weight for name, weight in self._weights.items() if name != component}
        return other

    async def score(self, case: Case, *, seed: int = 0) -> Score:
        """The score, or None with the reason for a conversation that did not complete. Raises JudgeFailure."""
        transcript = case.transcript
        if transcript.outcome is not Outcome.COMPLETED:
            return not_scored(f"the conversation ended as {transcript.outcome}: {transcript.end}")
        asked = {scorer.name: scorer.questions(case) for scorer in self._scorers}
        questions = [question for some in asked.values() for question in some]
        if self._judge is None or not questions:
            return self._composed(await self._components(case, {}), transcript)
        first = await self._judge.ask(questions, case, seed=seed)
        components = await self._components(case, first.answers)
        score = self._composed(components, transcript)
        if not (self._judge.is_sampled and is_close(score)):
            return replace(score, judged=first.usage)
        seeds = [derive(seed, "pass", number) for number in range(1, PASSES)]
        passes = [first, *await further(self._judge, questions, case, seeds, earlier=first.usage)]
        answers = together([one.answers for one in passes])
        kept = {component.name: component for component in components if not asked[component.name]}
        score = self._composed(await self._components(_with_states(case, components), answers, kept), transcript)
        return replace(score, judged=reduce(add, [one.usage for one in passes]))

    async def _components(
        self, case: Case, answers: Answers, known: Mapping[str, ComponentScore] = MappingProxyType({})
    ) -> list[ComponentScore]:
        """Each component; those that are `known` as they are."""
        return [known.get(scorer.name) or await scorer.score(case, answers) for scorer in self._scorers]

    def _composed(self, components: Sequence[ComponentScore], transcript: Transcript) -> Score:
        whole = tuple(components)
        if self._redactor is not None:
            whole = with_leaks(whole, transcript, self._redactor)
        return compose(whole, self._weights)


def _with_states(case: Case, components: Sequence[ComponentScore]) -> Case:
    """The case with what was found of the world just now: each system is asked once in a scoring."""
    found = {item.id: item for component in components for item in component.items if item.kind == "state"}
    return replace(case, known={**case.known, **found})


def not_scored(reason: str) -> Score:
    """A score that is not there, and why."""
    return Score(value=None, reason=reason, gate=1.0, components=())
