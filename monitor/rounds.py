"""A check's conversations, admitted round by round for as long as the rules want to hear more.

Whole waves are admitted at once, so that the assistant is kept busy; what is not begun when the rules have heard enough
is never begun. Knows nothing of what is said in a conversation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count

from monitor.check import Conversation
from monitor.intent import Intent
from monitor.rules.stopping import More
from monitor.transcript import Outcome

Play = Callable[[Intent, int], Awaitable[Conversation]]
Ask = Callable[["Heard"], More | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was played so far. `rounds` are complete: every intent has a conversation in each of them; some intents may
    have more. `confirming_from`: rounds from this one on were played to confirm a regression; None: none were.
    """

    conversations: tuple[Conversation, ...]
    rounds: int
    confirming_from: int | None = None


@dataclass(slots=True, kw_only=True)
class Rounds:
    """Plays `least` rounds, and then what `ask` wants after each complete one. At most `at_once` conversations run at a
    time; `may_begin` False: no further wave is begun, nor after a budget or a stop forbade a conversation.
    """

    intents: Sequence[Intent]
    least: int
    at_once: int
    play: Play
    ask: Ask
    may_begin: Callable[[], bool] = lambda: True
    _done: dict[tuple[str, int], Conversation] = field(default_factory=dict)
    _confirming_from: int | None = None

    async def run(self) -> Heard:
        """All of it. What `play` raises ends the whole, the conversations under way are cancelled."""
        await self._wave(self._common(0, self.least))
        while self.may_begin() and not self._is_cut and (more := self.ask(self.heard)):
            if more.fingerprints is not None:
                await self._wave(self._own(more.fingerprints, more.rounds))
                continue
            first = self.heard.rounds
            if more.is_confirming:
                self._confirming_from = first
                await self._wave(self._common(first, more.rounds))
            else:
                await self._wave(self._common(first, more.rounds), has_enough=self._has_enough)
        return self.heard

    @property
    def heard(self) -> Heard:
        """What was played so far, by round and intent."""
        place = {intent.id: number for number, intent in enumerate(self.intents)}
        order = sorted(self._kept(), key=lambda key: (key[1], place[key[0]]))
        return Heard(
            conversations=tuple(self._done[key] for key in order),
            rounds=self._complete(),
            confirming_from=self._confirming_from,
        )

    def _kept(self) -> list[tuple[str, int]]:
        """What counts: a conversation beyond the least rounds that a budget or a stop forbade was never wanted."""
        return [key for key, conversation in self._done.items() if not self._is_forbidden(key[1], conversation)]

    def _is_forbidden(self, number: int, conversation: Conversation) -> bool:
        return number >= self.least and conversation.transcript.outcome is Outcome.CANCELLED

    @property
    def _is_cut(self) -> bool:
        """Whether further conversations are forbidden by now."""
        return any(self._is_forbidden(number, conversation) for (_, number), conversation in self._done.items())

    def _complete(self) -> int:
        """How many rounds every intent has been played in."""
        kept = set(self._kept())
        return next(number for number in count() if any((intent.id, number) not in kept for intent in self.intents))

    def _common(self, first: int, rounds: int) -> list[tuple[Intent, int]]:
        """What is missing of these rounds."""
        wanted = ((intent, number) for number in range(first, first + rounds) for intent in self.intents)
        return [(intent, number) for intent, number in wanted if (intent.id, number) not in self._done]

    def _own(self, fingerprints: frozenset[str], rounds: int) -> list[tuple[Intent, int]]:
        """The next rounds of some intents."""
        last: dict[str, int] = {}
        for intent_id, number in self._done:
            last[intent_id] = max(number, last.get(intent_id, -1))
        return [
            (intent, last[intent.id] + 1 + number)
            for number in range(rounds)
            for intent in self.intents
            if intent.fingerprint in fingerprints
        ]

    def _has_enough(self) -> bool:
        """Whether the rules want no more rounds of all intents."""
        more = self.ask(self.heard)
        return more is None or more.fingerprints is not None or more.is_confirming

    async def _wave(self, wanted: Iterable[tuple[Intent, int]], has_enough: Callable[[], bool] = lambda: False) -> None:
        """Play all of it, in order, until there is enough after a complete round."""
        left = iter(wanted)
        is_enough = False

        async def work() -> None:
            nonlocal is_enough
            while not is_enough and (place := next(left, None)):
                before = self._complete()
                intent, number = place
                self._done[intent.id, number] = await self.play(intent, number)
                is_enough |= self._is_cut or (self._complete() > before and has_enough())

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.at_once):
                    group.create_task(work())
        except ExceptionGroup as several:
            raise several.exceptions[0] from several
