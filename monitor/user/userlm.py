"""A user played by a model that was trained to play the user (UserLM-8b, or one made like it).

The end of a conversation is a token of its own; it is decided on ids, never on text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.completions import Completion, CompletionRequest
from monitor.intent import Intent
from monitor.prompt import ChatFormat
from monitor.transcript import Foreseen, Turn
from monitor.user.contract import UserTurn
from monitor.user.sampling import Draw, Drawn, UserModel, end_is_banned, fixed_opening, sample_turn

END_MARKER = "<|endconversation|>"


class UserLm:
    """A `UserSimulator`. Raises EngineFailure when `end_marker` is not one token of the model."""

    def __init__(self, model: UserModel, chat: ChatFormat, *, end_marker: str = END_MARKER) -> None:
        self._model = model
        self._chat = chat
        self._end = model.vocabulary.token(end_marker)
        self._turn_end = chat.turn_end()
        self._stops = tuple(sorted({self._end, self._turn_end, *model.end_ids}))
        self._banned_first = model.banned_first_ids()
        self._controls = frozenset(model.vocabulary.added.values()) - set(self._stops)

    async def first_turn(self, intent: Intent, *, seed: int, conversation: str) -> UserTurn:
        """The intent's fixed opening if it has one, else a sampled turn."""
        return fixed_opening(intent) or await self.next_turn(intent, (), seed=seed, conversation=conversation)

    async def next_turn(self, intent: Intent, turns: Sequence[Turn], *, seed: int, conversation: str) -> UserTurn:
        """A sampled turn, or the end. Raises SimulatorInvalid, CompletionFailure or EngineFailure."""
        prompt = self._model.prompt(self._chat, intent.description, turns)
        banned = (self._end,) if end_is_banned(intent, turns, self._model.guardrails) else ()

        async def draw(how: Draw) -> Drawn:
            completion = await self._model.client.complete(
                CompletionRequest(
                    prompt=prompt.ids,
                    max_tokens=self._model.sampling.max_tokens,
                    temperature=how.temperature,
                    top_p=how.top_p,
                    seed=how.seed,
                    stop_ids=self._stops,
                    banned_ids=banned,
                    banned_first_ids=self._banned_first,
                    watch=(self._end,),
                    conversation=conversation,
                )
            )
            return self._read(completion)

        return await sample_turn(
            draw,
            intent,
            turns,
            seed=seed,
            model=self._model,
            p_end=self._p_end,
            cuts=prompt.cuts,
        )

    async def foresee(
        self, intent: Intent, turns: Sequence[Turn], texts: Sequence[str], *, conversation: str
    ) -> Foreseen:
        """How likely each of `texts` is as the next turn. Raises CompletionFailure or EngineFailure."""
        said = ([*self._model.vocabulary.plain(text), self._turn_end] for text in texts)
        return await self._model.foresee(
            self._chat, intent.description, turns, [*said, [self._end]], conversation=conversation
        )

    def forget(self, conversation: str) -> None:
        """The conversation is over."""
        self._model.client.forget(conversation)

    def _read(self, completion: Completion) -> Drawn:
        if completion.stopped_by == self._end:
            defect = "text_before_end" if completion.ids else None
            return Drawn(text=None, completion=completion, defect=defect)
        if not completion.is_finished:
            return Drawn(text=None, completion=completion, defect="unfinished")
        if any(id_ in self._controls for id_ in completion.ids):
            return Drawn(text=None, completion=completion, defect="control_token")
        return Drawn(text=self._model.vocabulary.decode(completion.ids).strip(), completion=completion)

    def _p_end(self, completion: Completion) -> tuple[float | None, str | None]:
        value = completion.watched.get(self._end)
        if value is None:
            return None, "the server gives no log-probabilities of chosen tokens"
        return math.exp(min(0.0, value)), None
