"""Sampling of one user turn: draw, hold against the guardrails, throw away and draw again with the next try's seed."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from monitor.completions import Completion, Completions
from monitor.errors import SimulatorInvalid
from monitor.intent import Intent
from monitor.prompt import Format, Rendered, render
from monitor.seeds import derive
from monitor.tokens import Vocabulary
from monitor.transcript import Foreseen, Role, Sampled, Turn
from monitor.user.contract import UserTurn
from monitor.user.guardrails import Guardrails, broken_bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a turn is drawn; the defaults are UserLM's model card."""

    temperature: float = 1.0
    top_p: float = 0.8
    max_tokens: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class UserModel:
    """A language model that plays users, however it is told to: where it is, and within which bounds.

    `end_ids`: the model's own ends of text; `window`: tokens that it is shown, the turn to come included.
    """

    client: Completions
    vocabulary: Vocabulary
    end_ids: tuple[int, ...]
    sampling: Sampling
    guardrails: Guardrails
    window: int

    def prompt(self, chat: Format, description: str, turns: Sequence[Turn]) -> Rendered:
        """The conversation as the model sees it. Raises EngineFailure."""
        return render(chat, description, turns, self.window, self.sampling.max_tokens)

    async def foresee(
        self,
        chat: Format,
        description: str,
        turns: Sequence[Turn],
        endings: Sequence[Sequence[int]],
        *,
        conversation: str,
    ) -> Foreseen:
        """How likely each of `endings` (token ids) is after `turns`; the last of them is the end of the conversation.

        The conversation is over, and is forgotten. Raises CompletionFailure or EngineFailure.
        """
        reserve = max(self.sampling.max_tokens, 1 + max(map(len, endings)))
        prompt = render(chat, description, turns, self.window, reserve)
        try:
            *said, end = await self.client.score(prompt.ids, endings, conversation=conversation)
        finally:
            self.client.forget(conversation)
        nlls = tuple(-score / len(ids) for score, ids in zip(said, endings, strict=False))
        return Foreseen(nlls=nlls, p_end=math.exp(min(0.0, end)))

    def banned_first_ids(self) -> tuple[int, ...]:
        """Tokens that no turn may begin with."""
        words = self.vocabulary.first_tokens(self.guardrails.banned_first_words)
        return words + (self.vocabulary.punctuation() if self.guardrails.ban_leading_punctuation else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One try: what to sample with."""

    seed: int
    temperature: float
    top_p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What one try gave. `text` None: the user ends; `defect`: why it must not be used, whatever its text."""

    text: str | None
    completion: Completion
    defect: str | None = None


def fixed_opening(intent: Intent) -> UserTurn | None:
    """The intent's own first turn, if it has one: said as it is, outside the guardrails."""
    if intent.opening is None:
        return None
    return UserTurn(text=intent.opening, sampled=Sampled(p_end_reason="a fixed opening"))


def end_is_banned(intent: Intent, turns: Sequence[Turn], guardrails: Guardrails) -> bool:
    """Whether the user has not yet said enough to be allowed to end."""
    said = sum(1 for turn in turns if turn.role is Role.USER)
    return said < max(intent.min_turns, guardrails.end_banned_turns)


async def sample_turn(
    draw: Callable[[Draw], Awaitable[Drawn]],
    intent: Intent,
    turns: Sequence[Turn],
    *,
    seed: int,
    model: UserModel,
    p_end: Callable[[Completion], tuple[float | None, str | None]],
    cuts: tuple[str, ...],
) -> UserTurn:
    """The first acceptable draw. Raises SimulatorInvalid after the last try; what `draw` raises passes through."""
    said = [turn.text for turn in turns if turn.role is Role.USER]
    hits: list[str] = []
    for number in range(model.guardrails.tries):
        drawn = await draw(_draw(derive(seed, number), hits, model))
        hit = drawn.defect
        if hit is None and drawn.text is not None:
            hit = broken_bound(drawn.text, said, intent.description, model.guardrails)
        if hit is None:
            probability, reason = p_end(drawn.completion)
            sampled = Sampled(
                tries=number + 1,
                hits=tuple(hits),
                tokens=len(drawn.completion.ids),
                log_likelihood=drawn.completion.log_likelihood,
                p_end=probability,
                p_end_reason=reason,
            )
            return UserTurn(text=drawn.text, sampled=sampled, cuts=cuts)
        hits.append(hit)
    raise SimulatorInvalid(tuple(hits))


def _draw(seed: int, hits: list[str], model: UserModel) -> Draw:
    sampling, guardrails = model.sampling, model.guardrails
    repeated = bool(hits) and hits[-1] in {"repetition", "intent_repeated"}
    temperature = guardrails.repeat_temperature if repeated else None
    top_p = guardrails.repeat_top_p if repeated else None
    return Draw(
        seed=seed,
        temperature=sampling.temperature if temperature is None else temperature,
        top_p=sampling.top_p if top_p is None else top_p,
    )
