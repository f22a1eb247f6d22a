"""A conversation as token ids for the model that plays the user, and what is left out when it grows too long.

Two formats: the model's own chat template with the intent as system message (`ChatFormat`, for models trained to play
the user), and few-shot text (`FewShotFormat`, for any other model).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from monitor.errors import EngineFailure
from monitor.tokens import Control, Plain, Vocabulary
from monitor.transcript import Role, Turn

KEPT_SHARE = 0.6
GAP = " [...] "
MOST_CHARACTERS = 32
"""More characters than this a token does not hold on average, in any text worth keeping."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A user's turn and the reply to it."""

    user: str
    assistant: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """Token ids of a prompt, and a line for everything that was left out of it."""

    ids: tuple[int, ...]
    cuts: tuple[str, ...] = ()


class Format(Protocol):
    """How one kind of model wants to see a conversation in which the next words are the user's."""

    vocabulary: Vocabulary

    def head(self, description: str) -> list[Control | Plain]:
        """What comes before the first exchange."""
        ...

    def exchange(self, exchange: Exchange) -> list[Control | Plain]:
        """One exchange, up to where the next user turn begins."""
        ...


def exchanges(turns: Sequence[Turn]) -> list[Exchange]:
    """Pair the turns; turns of one role in a row are joined by a blank line, empty ones are left out."""
    pairs: list[Exchange] = []
    said: dict[Role, list[str]] = {Role.USER: [], Role.ASSISTANT: []}
    for turn in turns:
        if turn.role is Role.USER and said[Role.ASSISTANT]:
            pairs.append(_pair(said))
            said = {Role.USER: [], Role.ASSISTANT: []}
        if turn.text.strip():
            said[turn.role].append(turn.text.strip())
    if said[Role.USER] or said[Role.ASSISTANT]:
        pairs.append(_pair(said))
    return pairs


def _pair(said: dict[Role, list[str]]) -> Exchange:
    return Exchange("\n\n".join(said[Role.USER]), "\n\n".join(said[Role.ASSISTANT]))


def render(chat: Format, description: str, turns: Sequence[Turn], window: int, reserve: int) -> Rendered:
    """The prompt for the next user turn within `window` tokens, `reserve` of them kept for the turn itself.

    The intent always stays. Where the history would overflow, whole old exchanges go until it fits into 60 % of the
    room, so that the next turns share a prefix again; a last exchange longer than the room keeps head and tail of
    the reply. Raises EngineFailure when not even the intent fits.
    """
    head = tuple(chat.vocabulary.encode(chat.head(description)))
    room = window - reserve - len(head)
    if room <= 0:
        raise EngineFailure(f"an intent of {len(head)} tokens does not fit a window of {window} less {reserve}")
    history = exchanges(turns)
    encoded = [_encoded(chat, exchange, room) for exchange in history]
    first = _first_kept([len(ids) for ids in encoded], room)
    cuts = [f"exchanges 1 to {first} left out"] if first else []
    if encoded and len(encoded[-1]) > room:
        encoded[-1], cut = _shortened(chat, history[-1], room)
        cuts.append(cut)
    ids = head + tuple(id_ for exchange in encoded[first:] for id_ in exchange)
    return Rendered(ids, tuple(cuts))


def _encoded(chat: Format, exchange: Exchange, room: int) -> tuple[int, ...]:
    """Its ids; more than `room` of them, the last ones without meaning, for what is too long to be read to its end."""
    limit = (room + 1) * MOST_CHARACTERS
    ids = chat.vocabulary.encode(
        chat.exchange(Exchange(_clipped(exchange.user, limit), _clipped(exchange.assistant, limit)))
    )
    is_clipped = max(len(exchange.user), len(exchange.assistant)) > limit
    return (*ids, *([0] * (room + 1 - len(ids)))) if is_clipped else tuple(ids)


def _first_kept(sizes: Sequence[int], room: int) -> int:
    """Index of the oldest exchange kept. Replays the growth, so that it moves rarely and always the same way."""
    first = total = 0
    for last, size in enumerate(sizes):
        total += size
        if total <= room:
            continue
        while first < last and total > KEPT_SHARE * room:
            total -= sizes[first]
            first += 1
    return first


def _clipped(text: str, limit: int) -> str:
    """The text itself, or its head and tail in `limit` characters, marked."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return text[:half] + GAP + text[len(text) - half :]


def _shortened(chat: Format, exchange: Exchange, room: int) -> tuple[tuple[int, ...], str]:
    """The exchange in at most `room` tokens, each half without its middle; the shorter half is spared if it can be."""
    whole = len(exchange.user) + len(exchange.assistant)
    keep = min(whole, room * MOST_CHARACTERS)
    while keep > 1:
        keep = keep * 3 // 4
        short = min(len(exchange.user), len(exchange.assistant), keep // 2)
        limits = (short, keep - short) if len(exchange.user) <= len(exchange.assistant) else (keep - short, short)
        shorter = Exchange(_clipped(exchange.user, limits[0]), _clipped(exchange.assistant, limits[1]))
        ids = tuple(chat.vocabulary.encode(chat.exchange(shorter)))
        if len(ids) <= room:
            return ids, f"{whole - keep} of {whole} characters of the last exchange left out"
    raise EngineFailure(f"the last exchange cannot be made to fit {room} tokens")


class ChatFormat:
    """The model's own chat template, learnt once by rendering it around marks and cutting there.

    Raises EngineFailure when the template does not leave the word to the user: a model that opens the assistant's
    turn would silently play the wrong side.
    """

    _MARKS = ("mark-of-system", "mark-of-user", "mark-of-assistant", "mark-of-next")

    def __init__(self, vocabulary: Vocabulary, template: str | None) -> None:
        if not template:
            raise EngineFailure("the model has no chat template; a model trained to play the user brings one")
        self.vocabulary = vocabulary
        system, user, assistant, following = self._MARKS
        whole = self._render(template, (system, user, assistant, following))
        ending = self._render(template, (system, user, assistant)).partition(assistant)[2]
        self._before_system, rest = _split(whole, system)
        self._before_user, rest = _split(rest, user)
        self._before_assistant, rest = _split(rest, assistant)
        self._next_user, _ = _split(rest, following)
        if not ending.strip() or ending.rstrip("\n") != self._next_user.rstrip("\n"):
            raise EngineFailure(
                "the model's chat template does not end by opening the user's turn "
                f"(it ends in {ending[-60:]!r}); use simulator kind 'prompted' for models that play the assistant"
            )

    @classmethod
    def _render(cls, template: str, texts: tuple[str, ...]) -> str:
        roles = ("system", "user", "assistant", "user")
        messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = _refuse
        try:
            return environment.from_string(template).render(
                messages=messages, bos_token="", eos_token="", add_generation_prompt=False
            )
        except TemplateError as exc:
            raise EngineFailure(f"the model's chat template cannot be rendered: {exc}") from exc

    def head(self, description: str) -> list[Control | Plain]:
        """The intent as system message, and the opening of the first user turn."""
        return [Control(self._before_system), Plain(description), Control(self._before_user)]

    def exchange(self, exchange: Exchange) -> list[Control | Plain]:
        """A user turn, the reply, and the opening of the next user turn."""
        return [
            Plain(exchange.user),
            Control(self._before_assistant),
            Plain(exchange.assistant),
            Control(self._next_user),
        ]

    def turn_end(self) -> int:
        """The id of the token that ends a turn. Raises EngineFailure when the template ends turns otherwise."""
        ids = self.vocabulary.encode([Control(self._before_assistant)])
        if not ids or ids[0] not in self.vocabulary.added.values():
            raise EngineFailure("the chat template does not end a turn by a token of its own")
        return ids[0]


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _split(text: str, mark: str) -> tuple[str, str]:
    before, found, after = text.partition(mark)
    if not found:
        raise EngineFailure("the model's chat template drops or rewrites messages; it cannot be used for a user")
    return before, after


class FewShotFormat:
    """Example chats as plain text before the goal. The other side's words are folded to one line each."""

    def __init__(self, vocabulary: Vocabulary, examples: str) -> None:
        self.vocabulary = vocabulary
        self._examples = examples.strip()

    def head(self, description: str) -> list[Control | Plain]:
        """The examples, the goal, and the opening of the first user turn."""
        return [Plain(f"{self._examples}\n\nGoal: {_one_line(description)}\nPerson:")]

    def exchange(self, exchange: Exchange) -> list[Control | Plain]:
        """A user turn, the reply, and the opening of the next user turn."""
        return [Plain(f" {_one_line(exchange.user)}\nAssistant: {_one_line(exchange.assistant)}\nPerson:")]


def _one_line(text: str) -> str:
    return " ".join(text.split())
