"""Replaces secrets and configured patterns in text by placeholders. Pure.

Knows nothing of where secrets come from. No built-in pattern matches a placeholder, so redacting twice changes nothing.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar
from urllib.parse import quote, quote_plus

from monitor.check import Conversation
from monitor.score import ItemScore, UserValidity

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


def placeholder(name: str) -> str:
    """What stands in a text for a secret of this name."""
    return f"[redacted:{name}]"


class Redactor:
    """Replaces secrets (in any form they are likely to be echoed in), then patterns, by `[redacted:NAME]`.

    `patterns` come on top of the built-in PATTERNS, and before them. Where a pattern has a group `secret`, only that
    group is replaced. A secret under SHORTEST_SECRET characters is not looked for; `too_short` names these.
    Raises ValueError for a pattern that is no regular expression or matches the empty text, and for a name that would
    not fit into a placeholder.
    """

    def __init__(self, patterns: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None) -> None:
        given, hidden = patterns or {}, {name: secret.strip() for name, secret in (secrets or {}).items()}
        for name in (*given, *hidden):
            if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
                raise ValueError(f"{name!r} cannot name a secret: letters, digits, _ . - only")
        self.too_short = tuple(name for name, secret in hidden.items() if len(secret) < SHORTEST_SECRET)
        self._forms = _forms({name: secret for name, secret in hidden.items() if name not in self.too_short})
        self._secrets = re.compile("|".join(re.escape(form) for form in self._forms)) if self._forms else None
        self._patterns = [(name, _compile(name, pattern)) for name, pattern in {**given, **_missing(given)}.items()]

    def redact(self, text: str) -> str:
        """The text with a placeholder for every secret and every match of a pattern."""
        if self._secrets is not None:
            text = self._secrets.sub(lambda match: placeholder(self._forms[match.group()]), text)
        for name, pattern in self._patterns:
            text = pattern.sub(partial(_replacement, name), text)
        return text


def _missing(given: Mapping[str, str]) -> dict[str, str]:
    return {name: pattern for name, pattern in PATTERNS.items() if name not in given}


def _compile(name: str, pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as exc:
        raise ValueError(f"pattern {name} is no regular expression: {exc}") from exc
    if compiled.search("") is not None:
        raise ValueError(f"pattern {name} matches the empty text")
    return compiled


def _replacement(name: str, match: re.Match[str]) -> str:
    whole = match.group()
    if "secret" not in match.re.groupindex or match.group("secret") is None:
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
    components = tuple(
        replace(component, reason=clean(component.reason), items=tuple(_told(item, clean) for item in component.items))
        for component in conversation.score.components
    )
    score = replace(conversation.score, reason=clean(conversation.score.reason), components=components)
    validity = conversation.validity and _told(conversation.validity, clean)
    return replace(conversation, transcript=transcript, score=score, validity=validity)


Told = TypeVar("Told", ItemScore, UserValidity)


def _told(told: Told, clean: Callable[[str], str]) -> Told:
    """A finding with its reason and its evidence redacted."""
    evidence = tuple(replace(seen, quote=clean(seen.quote)) for seen in told.evidence)
    return replace(told, reason=clean(told.reason), evidence=evidence)
