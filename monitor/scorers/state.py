"""The checklist item `state`: whether what the assistant was to bring about is so, asked of a system by HTTP.

A system that does not answer, or refuses the monitor, says nothing about the assistant: then there is no value. One
that answers 404 or 410 does say something: the thing that the path names does not exist, which counts against the
assistant unless that is the `status` that is expected. So a path that is written wrong fails every conversation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from monitor.errors import HttpFailure, PatternTooSlow
from monitor.http import HttpClient, HttpResponse, parse_json, trust
from monitor.intent import State
from monitor.json_values import count_values
from monitor.patterns import search
from monitor.score import Evidence, ItemScore
from monitor.scorers.arguments import Redact
from monitor.scorers.contract import Case
from monitor.scorers.items import QUOTE_CHARACTERS, answered
from monitor.scorers.json_items import MOST_VALUES, TOO_LARGE, problem_of
from monitor.text import fold_whitespace, without_surrogates

CONVERSATION = "{conversation_id}"
PAUSE_SECONDS = 0.5
"""Between two questions at first; doubled each time."""
LONGEST_PAUSE_SECONDS = 5.0
MOST_BYTES = 1_000_000
_OURS = frozenset({401, 403, 407, 408, 429})
"""What a system answers when it is the monitor that it will not hear; so are all from 500 on."""
_ABSENT = frozenset({404, 410})
"""What a system answers when there is no such thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSource:
    """A system that is asked: where its API begins, what it is shown, and how long one answer may take."""

    url: str
    token: str | None = field(default=None, repr=False)
    timeout_seconds: float = 10.0


Sources = Mapping[str, StateSource]


async def score_state(
    item: State,
    case: Case,
    sources: Sources,
    redact: Redact = str,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> ItemScore:
    """1 when the state is as expected, or becomes so within the time; 0 when it is another or there is nothing by that
    path; else None. What is `known` of the item is not asked for again.
    """
    if known := case.known.get(item.id):
        return replace(known, weight=item.weight, critical=item.critical)
    source = sources.get(item.source)
    if source is None or not case.is_fresh:
        why = "no such source is configured" if source is None else "it was not asked for when the conversation ended"
        return answered(item, None, f"not measured: {why}", is_on=False)
    left, pause = item.wait_seconds, PAUSE_SECONDS
    async with _client() as http:
        while True:
            found = await _look(item, case, source, http, redact)
            if found.value == 1.0 or left <= 0:
                return found
            await sleep(min(pause, left))
            left, pause = left - pause, min(2 * pause, LONGEST_PAUSE_SECONDS)


def _client() -> aclosing[HttpClient]:
    return aclosing(HttpClient(max_response_bytes=MOST_BYTES, max_connections=1, verify=trust()))


async def _look(item: State, case: Case, source: StateSource, http: HttpClient, redact: Redact) -> ItemScore:
    """One question."""
    path = item.path.replace(CONVERSATION, quote(case.conversation_id, safe=""))
    headers = {"accept": "application/json, */*;q=0.5"}
    if source.token:
        headers["authorization"] = f"Bearer {source.token}"
    try:
        response = await http.request(
            "GET", source.url.rstrip("/") + path, deadline_seconds=source.timeout_seconds, headers=headers
        )
    except HttpFailure as exc:
        return answered(item, None, f"not measured: {item.source} did not answer: {redact(str(exc))}")
    if response.status != item.status and (response.status in _OURS or response.status >= 500):
        return answered(item, None, f"not measured: {item.source} answered with HTTP {response.status}")
    return _judged(item, case, response, redact)


def _judged(item: State, case: Case, response: HttpResponse, redact: Redact) -> ItemScore:
    """What an answer says of the state."""
    text = without_surrogates(response.body.decode("utf-8", "replace"))
    evidence = (Evidence(turn=max(0, len(case.transcript.turns) - 1), quote=_excerpt(text, response.status, redact)),)
    if response.status != item.status:
        what = ": what the path names does not exist" if response.status in _ABSENT else ""
        return answered(item, 0.0, f"HTTP {response.status} in place of {item.status}{what}", evidence)
    try:
        if item.patterns and all(search(pattern, text) is None for pattern in item.patterns):
            return answered(item, 0.0, f"not in the answer: {' or '.join(map(repr, item.patterns))}", evidence)
        document = None if item.schema is None else parse_json(text)
        if count_values(document, MOST_VALUES) > MOST_VALUES:
            return answered(item, None, f"not measured: {TOO_LARGE}", evidence)
        problem = "" if item.schema is None else problem_of(document, item.schema)
    except PatternTooSlow as exc:
        return answered(item, None, f"not measured: {exc}", evidence)
    except HttpFailure as exc:
        problem = exc.detail
    if problem:
        return answered(item, 0.0, redact(problem), evidence)
    return answered(item, 1.0, "as expected", evidence)


def _excerpt(text: str, status: int, redact: Redact) -> str:
    """The beginning of the answer, redacted before it is cut: half a secret would not be known for one."""
    return f"HTTP {status}: {fold_whitespace(redact(text))}"[:QUOTE_CHARACTERS]
