"""A user played by any language model, by example: few-shot text with `Person:` and `Assistant:` lines.

Told through its chat template to play a user, a small assistant model talks like an assistant and never ends; as the
continuation of written examples it does both better. The end is the exact line `[end]`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from monitor.completions import Completion, CompletionClient, CompletionRequest
from monitor.errors import CompletionFailure
from monitor.intent import Intent
from monitor.prompt import FewShotFormat, Rendered, render
from monitor.tokens import Vocabulary
from monitor.transcript import Sampled, Turn
from monitor.user.contract import UserTurn
from monitor.user.guardrails import Guardrails
from monitor.user.sampling import Draw, Drawn, Sampling, end_is_banned, sample_turn

END = "[end]"
STOPS = ("\n", "Assistant:", "Person:", "Goal:")


class PromptedUser:
    """A `UserSimulator`. `window` is in tokens and includes the turn to come."""

    def __init__(
        self,
        client: CompletionClient,
        vocabulary: Vocabulary,
        chat: FewShotFormat,
        *,
        end_ids: Sequence[int],
        sampling: Sampling,
        guardrails: Guardrails,
        window: int,
    ) -> None:
        self._client = client
        self._vocabulary = vocabulary
        self._chat = chat
        self._sampling = sampling
        self._guardrails = guardrails
        self._window = window
        self._end_ids = tuple(end_ids)
        self._end = tuple(vocabulary.plain(f" {END}"))
        banned = vocabulary.first_tokens(guardrails.banned_first_words)
        self._banned_first = banned + (vocabulary.punctuation() if guardrails.ban_leading_punctuation else ())

    async def first_turn(self, intent: Intent, *, seed: int) -> UserTurn:
        """The intent's fixed opening if it has one, else a sampled turn."""
        if intent.opening is not None:
            return UserTurn(text=intent.opening, sampled=Sampled(p_end_reason="a fixed opening"))
        return await self.next_turn(intent, (), seed=seed)

    async def next_turn(self, intent: Intent, turns: Sequence[Turn], *, seed: int) -> UserTurn:
        """A sampled turn, or the end. Raises SimulatorInvalid, CompletionFailure or EngineFailure."""
        prompt = render(self._chat, goal(intent.description), turns, self._window, self._sampling.max_tokens)
        banned = (END, f" {END}") if end_is_banned(intent, turns, self._guardrails) else ()

        async def draw(how: Draw) -> Drawn:
            completion = await self._client.complete(
                CompletionRequest(
                    prompt=prompt.ids,
                    max_tokens=self._sampling.max_tokens,
                    temperature=how.temperature,
                    top_p=how.top_p,
                    seed=how.seed,
                    stop=STOPS,
                    stop_ids=self._end_ids,
                    banned_first_ids=self._allowing_end(banned),
                    bad_words=banned,
                )
            )
            return _read(completion)

        turn = await sample_turn(
            draw,
            intent,
            turns,
            seed=seed,
            sampling=self._sampling,
            guardrails=self._guardrails,
            p_end=lambda _: (None, None),
            cuts=prompt.cuts,
        )
        probability, reason = await self._p_end(prompt)
        return replace(turn, sampled=replace(turn.sampled, p_end=probability, p_end_reason=reason))

    def _allowing_end(self, banned: tuple[str, ...]) -> tuple[int, ...]:
        """First-token bans; `[end]` opens with punctuation, which stays allowed while the end is."""
        return self._banned_first if banned else tuple(id_ for id_ in self._banned_first if id_ != self._end[0])

    async def _p_end(self, prompt: Rendered) -> tuple[float | None, str | None]:
        try:
            return math.exp(min(0.0, await self._client.score(prompt.ids, self._end))), None
        except CompletionFailure as exc:
            return None, str(exc)


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
