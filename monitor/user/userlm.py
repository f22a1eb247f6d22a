"""A user played by a model that was trained to play the user (UserLM-8b, or one made like it).

The end of a conversation is a token of its own; it is decided on ids, never on text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.completions import Completion, CompletionClient, CompletionRequest
from monitor.intent import Intent
from monitor.prompt import ChatFormat, render
from monitor.tokens import Vocabulary
from monitor.transcript import Sampled, Turn
from monitor.user.contract import UserTurn
from monitor.user.guardrails import Guardrails
from monitor.user.sampling import Draw, Drawn, Sampling, end_is_banned, sample_turn

END_MARKER = "<|endconversation|>"


class UserLm:
    """A `UserSimulator`. `window` is in tokens and includes the turn to come."""

    def __init__(
        self,
        client: CompletionClient,
        vocabulary: Vocabulary,
        chat: ChatFormat,
        *,
        end_ids: Sequence[int],
        sampling: Sampling,
        guardrails: Guardrails,
        window: int,
        end_marker: str = END_MARKER,
    ) -> None:
        """`end_ids`: the model's own ends of text. Raises EngineFailure when `end_marker` is not one token."""
        self._client = client
        self._vocabulary = vocabulary
        self._chat = chat
        self._sampling = sampling
        self._guardrails = guardrails
        self._window = window
        self._end = vocabulary.token(end_marker)
        self._stops = tuple(sorted({self._end, chat.turn_end(), *end_ids}))
        banned = vocabulary.first_tokens(guardrails.banned_first_words)
        self._banned_first = banned + (vocabulary.punctuation() if guardrails.ban_leading_punctuation else ())
        self._controls = tuple(sorted(set(vocabulary.added.values()) - set(self._stops)))

    async def first_turn(self, intent: Intent, *, seed: int) -> UserTurn:
        """The intent's fixed opening if it has one, else a sampled turn."""
        if intent.opening is not None:
            return UserTurn(text=intent.opening, sampled=Sampled(p_end_reason="a fixed opening"))
        return await self.next_turn(intent, (), seed=seed)

    async def next_turn(self, intent: Intent, turns: Sequence[Turn], *, seed: int) -> UserTurn:
        """A sampled turn, or the end. Raises SimulatorInvalid, CompletionFailure or EngineFailure."""
        prompt = render(self._chat, intent.description, turns, self._window, self._sampling.max_tokens)
        banned = (self._end,) if end_is_banned(intent, turns, self._guardrails) else ()

        async def draw(how: Draw) -> Drawn:
            completion = await self._client.complete(
                CompletionRequest(
                    prompt=prompt.ids,
                    max_tokens=self._sampling.max_tokens,
                    temperature=how.temperature,
                    top_p=how.top_p,
                    seed=how.seed,
                    stop_ids=self._stops,
                    banned_ids=banned,
                    banned_first_ids=self._banned_first,
                    watch=(self._end,),
                )
            )
            return self._read(completion)

        return await sample_turn(
            draw,
            intent,
            turns,
            seed=seed,
            sampling=self._sampling,
            guardrails=self._guardrails,
            p_end=self._p_end,
            cuts=prompt.cuts,
        )

    def _read(self, completion: Completion) -> Drawn:
        if completion.stopped_by == self._end:
            defect = "text_before_end" if completion.ids else None
            return Drawn(text=None, completion=completion, defect=defect)
        if not completion.is_finished:
            return Drawn(text=None, completion=completion, defect="unfinished")
        if any(id_ in self._controls for id_ in completion.ids):
            return Drawn(text=None, completion=completion, defect="control_token")
        return Drawn(text=self._vocabulary.decode(completion.ids).strip(), completion=completion)

    def _p_end(self, completion: Completion) -> tuple[float | None, str | None]:
        value = completion.watched.get(self._end)
        if value is None:
            return None, "the server gives no log-probabilities of chosen tokens"
        return math.exp(min(0.0, value)), None
