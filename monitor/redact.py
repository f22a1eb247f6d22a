"""Replaces secrets and configured patterns in text by placeholders. Pure.

Knows nothing of where secrets come from. No built-in pattern matches a placeholder, so redacting twice changes nothing.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar
from urllib.parse import quote, quote_plus

from monitor.check import Conversation
from monitor.errors import PatternTooSlow
from monitor.patterns import Match, replaced, search
from monitor.score import Evidence, ItemScore, Score, UserValidity
from monitor.transcript import Turn

# A shorter secret would hit ordinary words, and its name would then say more about it than the text did.
SHORTEST_SECRET = 6

# A match counts as a leak, so each asks for what ordinary words ("bearer authentication", "sk-learn") do not have.
# Every quantifier is bounded: a hostile text of a megabyte must not take longer than a reading of it.
PATTERNS: Mapping[str, str] = {
    "bearer_token": r"(?i:\bbearer[ \t]{1,8})(?P<secret>(?=[A-Za-z._~+/-]{0,99}\d)[A-Za-z0-9._~+/-]{12,4000}={0,3})",
    "basic_auth": r"(?i:\bbasic[ \t]{1,8})(?P<secret>(?=\w{0,99}(?:[0-9=+/]|[a-z][A-Z]))[A-Za-z0-9+/]{16,4000}={0,2})",
    "api_key": r"\b(?:sk|pk|rk)[-_](?=[A-Za-z_-]{0,99}\d)[A-Za-z0-9_-]{16,400}",
    "slack_token": r"\bxox[abeprs]-(?=[A-Za-z-]{0,99}\d)[A-Za-z0-9-]{10,400}",
    "github_token": r"\bgh[opsur]_[A-Za-z0-9]{30,400}|\bgithub_pat_[A-Za-z0-9_]{30,400}",
    "aws_key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "jwt": r"\beyJ[A-Za-z0-9_-]{8,4000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{0,4000}",
    "private_key": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:[^-]|-(?!----BEGIN)){0,20000}?"
    r"(?:-----END [A-Z ]{0,30}KEY-----|\Z)",
}


CONFIGURED_PREFIX = "secret-"
"""How the names of secrets begin, which tells their placeholders from those of configured patterns."""
_PLACEHOLDER = re.compile(r"\[redacted:([A-Za-z0-9_.-]{1,200})\]")


def placeholder(name: str) -> str:
    """What stands in a text for a secret of this name."""
    return f"[redacted:{name}]"


class Redactor:
    """Replaces secrets (in any form they are likely to be echoed in), then patterns, by `[redacted:NAME]`.

    `patterns` come on top of the built-in PATTERNS, and before them. A text that one of them is not done with in time
    is replaced whole: what may hold something private is not shown. Where a pattern has a group `secret`, only that
    group is replaced. A secret under SHORTEST_SECRET characters is not looked for; `too_short` names these.
    Raises ValueError for a pattern that is no regular expression or matches the empty text, and for a name that would
    not fit into a placeholder.
    """

    def __init__(self, patterns: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None) -> None:
        given, hidden = patterns or {}, {name: secret.strip() for name, secret in (secrets or {}).items()}
        for name in (*given, *hidden):
            if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
                raise ValueError(f"{name!r} cannot name a secret: letters, digits, _ . - only")
        self._names = frozenset(hidden)
        self.too_short = tuple(name for name, secret in hidden.items() if len(secret) < SHORTEST_SECRET)
        self._forms = _forms({name: secret for name, secret in hidden.items() if name not in self.too_short})
        self._secrets = re.compile("|".join(re.escape(form) for form in self._forms)) if self._forms else None
        self._given = {name: _checked(name, pattern) for name, pattern in given.items()}
        self._patterns = [(name, re.compile(pattern)) for name, pattern in _missing(given).items()]

    def redact(self, text: str) -> str:
        """The text with a placeholder for every secret and every match of a pattern."""
        if self._secrets is not None:
            text = self._secrets.sub(lambda match: placeholder(self._forms[match.group()]), text)
        for name, given in self._given.items():
            try:
                text = replaced(given, partial(_replacement, name), text)
            except PatternTooSlow:
                text = placeholder(name)
        for name, pattern in self._patterns:
            text = pattern.sub(partial(_replacement, name), text)
        return text

    def leaks(self, text: str, *, around: int) -> list[str]:
        """The redacted surroundings, of `around` characters to each side, of every secret and built-in pattern.

        What only a configured pattern hides (an address, say) is private and no leak.
        """
        shown = self.redact(text)
        return [
            shown[max(0, match.start() - around) : match.end() + around]
            for match in _PLACEHOLDER.finditer(shown)
            if match[1].startswith(CONFIGURED_PREFIX) or match[1] in self._names or match[1] in PATTERNS
        ]


def _missing(given: Mapping[str, str]) -> dict[str, str]:
    return {name: pattern for name, pattern in PATTERNS.items() if name not in given}


def _checked(name: str, pattern: str) -> str:
    """The pattern itself. Raises ValueError when it is wrong or matches the empty text."""
    try:
        is_empty = search(pattern, "", ignore_case=False) is not None
    except ValueError as exc:
        raise ValueError(f"pattern {name} is no regular expression: {exc}") from exc
    if is_empty:
        raise ValueError(f"pattern {name} matches the empty text")
    return pattern


def _replacement(name: str, match: Match) -> str:
    whole = match.group()
    if match.groupdict().get("secret") is None:
        return placeholder(name)
    start, end = match.span("secret")
    return whole[: start - match.start()] + placeholder(name) + whole[end - match.start() :]


def _forms(secrets: Mapping[str, str]) -> dict[str, str]:
    """Each form in which a secret may appear, longest first, with the secret's name."""
    names: dict[str, str] = {}
    for name, secret in secrets.items():
        for form in _echoes(secret):
            names.setdefault(form, name)
    return dict(sorted(names.items(), key=lambda item: len(item[0]), reverse=True))


def _echoes(secret: str) -> Iterable[str]:
    yield secret
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield from (quoted, re.sub("%..", lambda match: match.group().lower(), quoted))
    yield html.escape(secret)
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield json.dumps(secret)[1:-1].replace("/", "\\/")
    yield from _in_base64(secret.encode("utf-8", "replace"))


def _in_base64(secret: bytes) -> Iterable[str]:
    """The characters that base64 of any text around the secret must contain, at each of the three alignments."""
    for before in range(3):
        padded = bytes(before) + secret
        encoded = base64.b64encode(padded).decode("ascii")
        first = (before * 8 + 5) // 6
        last = len(padded) * 8 // 6
        core = encoded[first:last]
        if len(core) >= SHORTEST_SECRET:
            yield core
            yield core.replace("+", "-").replace("/", "_")


def redacted(conversation: Conversation, redactor: Redactor) -> Conversation:
    """The conversation with every text that the assistant, the user model or an error wrote redacted."""
    clean = redactor.redact
    turns = tuple(
        replace(
            turn,
            text=clean(turn.text),
            tool_calls=tuple(
                replace(
                    call, arguments=clean(call.arguments), result=clean(call.result) if call.result else call.result
                )
                for call in turn.tool_calls
            ),
        )
        for turn in conversation.transcript.turns
    )
    transcript = replace(conversation.transcript, turns=turns, detail=clean(conversation.transcript.detail))
    said = [_whole(turn) for turn in conversation.transcript.turns]
    score = redacted_score(conversation.score, redactor, said)
    validity = conversation.validity and _told(conversation.validity, clean, _both(said, clean))
    return replace(conversation, transcript=transcript, score=score, validity=validity)


def _whole(turn: Turn) -> str:
    """All of a turn that evidence quotes."""
    return "\n".join((turn.text, *(f"{call.name} {call.arguments}" for call in turn.tool_calls)))


def redacted_score(score: Score, redactor: Redactor, said: Sequence[str]) -> Score:
    """The score with every reason and every quote redacted; `said` are the texts of the turns as they were scored."""
    clean = redactor.redact
    texts = _both(said, clean)
    components = tuple(
        replace(
            component,
            reason=clean(component.reason),
            items=tuple(_told(item, clean, texts) for item in component.items),
        )
        for component in score.components
    )
    return replace(score, reason=clean(score.reason), components=components)


Told = TypeVar("Told", ItemScore, UserValidity)
Texts = Sequence[tuple[str, str]]
"""Of each turn, as it was said and redacted."""


def _both(said: Sequence[str], clean: Callable[[str], str]) -> Texts:
    return [(text, clean(text)) for text in said]


def _told(told: Told, clean: Callable[[str], str], texts: Texts) -> Told:
    """A finding with its reason and its evidence redacted."""
    evidence = tuple(replace(seen, quote=_quote(seen, clean, texts)) for seen in told.evidence)
    return replace(told, reason=clean(told.reason), evidence=evidence)


def _quote(seen: Evidence, clean: Callable[[str], str], texts: Texts) -> str:
    """The quote redacted. One that holds a part of a secret, which no pattern finds, is left out whole."""
    quote = clean(seen.quote)
    said, shown = texts[seen.turn] if 0 <= seen.turn < len(texts) else ("", "")
    is_part = seen.quote in said and quote not in shown
    return placeholder("quote") if is_part else quote
