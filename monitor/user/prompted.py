"""A user played by any language model, by example: few-shot text with `Person:` and `Assistant:` lines.

Told through its chat template to play a user, a small assistant model talks like an assistant and never ends; as the
continuation of written examples it does both better. The end is the exact line `[end]`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from monitor.completions import Completion, CompletionRequest
from monitor.errors import CompletionFailure
from monitor.intent import Intent
from monitor.prompt import FewShotFormat, Rendered
from monitor.transcript import Foreseen, Turn
from monitor.user.contract import UserTurn
from monitor.user.sampling import Draw, Drawn, UserModel, end_is_banned, fixed_opening, sample_turn

END = "[end]"
STOPS = ("\n", "Assistant:", "Person:", "Goal:")


class PromptedUser:
    """A `UserSimulator`."""

    def __init__(self, model: UserModel, chat: FewShotFormat) -> None:
        self._model = model
        self._chat = chat
        self._end = tuple(model.vocabulary.plain(f" {END}"))
        self._banned_first = model.banned_first_ids()

    async def first_turn(self, intent: Intent, *, seed: int, conversation: str) -> UserTurn:
        """The intent's fixed opening if it has one, else a sampled turn."""
        return fixed_opening(intent) or await self.next_turn(intent, (), seed=seed, conversation=conversation)

    async def next_turn(self, intent: Intent, turns: Sequence[Turn], *, seed: int, conversation: str) -> UserTurn:
        """A sampled turn, or the end. Raises SimulatorInvalid, CompletionFailure or EngineFailure."""
        prompt = self._model.prompt(self._chat, goal(intent.description), turns)
        banned = (END, f" {END}") if end_is_banned(intent, turns, self._model.guardrails) else ()

        async def draw(how: Draw) -> Drawn:
            completion = await self._model.client.complete(
                CompletionRequest(
                    prompt=prompt.ids,
                    max_tokens=self._model.sampling.max_tokens,
                    temperature=how.temperature,
                    top_p=how.top_p,
                    seed=how.seed,
                    stop=STOPS,
                    stop_ids=self._model.end_ids,
                    banned_first_ids=self._allowing_end(banned),
                    bad_words=banned,
                    conversation=conversation,
                )
            )
            return _read(completion)

        turn = await sample_turn(
            draw,
            intent,
            turns,
            seed=seed,
            model=self._model,
            p_end=lambda _: (None, None),
            cuts=prompt.cuts,
        )
        probability, reason = await self._p_end(prompt, conversation)
        return replace(turn, sampled=replace(turn.sampled, p_end=probability, p_end_reason=reason))

    async def foresee(
        self, intent: Intent, turns: Sequence[Turn], texts: Sequence[str], *, conversation: str
    ) -> Foreseen:
        """How likely each of `texts` is as the next turn. Raises CompletionFailure or EngineFailure."""
        endings = [*(self._model.vocabulary.plain(f" {text}\n") for text in texts), self._end]
        return await self._model.foresee(
            self._chat, goal(intent.description), turns, endings, conversation=conversation
        )

    def forget(self, conversation: str) -> None:
        """The conversation is over."""
        self._model.client.forget(conversation)

    def _allowing_end(self, banned: tuple[str, ...]) -> tuple[int, ...]:
        """First-token bans; `[end]` opens with punctuation, which stays allowed while the end is."""
        return self._banned_first if banned else tuple(id_ for id_ in self._banned_first if id_ != self._end[0])

    async def _p_end(self, prompt: Rendered, conversation: str) -> tuple[float | None, str | None]:
        try:
            (score,) = await self._model.client.score(prompt.ids, [self._end], conversation=conversation)
        except CompletionFailure as exc:
            return None, str(exc)
        return math.exp(min(0.0, score)), None


def goal(description: str) -> str:
    """The intent as the examples word it: without "You are a user who wants to"."""
    prefix = "you are a user who wants to "
    return description[len(prefix) :] if description.lower().startswith(prefix) else description


def _read(completion: Completion) -> Drawn:
    text = completion.text.strip()
    if text == END:
        return Drawn(text=None, completion=completion)
    if not completion.is_finished:
        return Drawn(text=None, completion=completion, defect="unfinished")
    if END in text:
        return Drawn(text=None, completion=completion, defect="text_before_end")
    if completion.stopped_by in ("Person:", "Goal:"):
        return Drawn(text=None, completion=completion, defect="control_text")
    return Drawn(text=text, completion=completion)
