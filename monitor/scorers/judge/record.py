"""A transcript as a judge is shown it: one JSON object a line between two fences, secrets replaced, of bounded length.

What the parties said is untrusted. JSON keeps it on its line, so that nobody can forge a turn; the fence is drawn anew
for each call and occurs nowhere in it; what begins like a model's control token is escaped. Knows no questions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.score import Evidence
from monitor.scorers.contract import Case
from monitor.scorers.items import QUOTE_CHARACTERS
from monitor.seeds import derive
from monitor.text import without_surrogates
from monitor.transcript import EndReason, ToolCall, Turn

CALLS_SHOWN = 8
NAME_CHARACTERS = 100
CONTROL_TOKEN = re.compile(r"<|\[(?=/?[A-Z_]{2,30}\])")
"""As of ChatML, Llama, Gemma and Mistral: a tokenizer that knows these may read them in any text."""
ENDS = {EndReason.USER_ENDED: "the user left", EndReason.MAX_TURNS: "the limit of turns was reached"}
_QUOTES = {**dict.fromkeys("'\u2018\u2019", "['\u2018\u2019]"), **dict.fromkeys('"\u201c\u201d', '["\u201c\u201d]')}
Redact = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a judge sees of a conversation. `cuts` says what it does not see; `said` are the redacted turns."""

    fence: str
    text: str
    cuts: tuple[str, ...]
    said: tuple[tuple[str, ...], ...]

    @property
    def cut_note(self) -> str:
        """What was not shown, to be put behind a reason; "" when all was."""
        return f" (not shown to the judge: {', '.join(self.cuts)})" if self.cuts else ""

    def find(self, quote: str, turn: int | None) -> Evidence | None:
        """Where a quote stands, in the record's own words: in the turn that is named, else in any; None: nowhere.

        Case, white space and the shape of quotation marks may differ.
        """
        pattern = _pattern(quote)
        if pattern is None:
            return None
        order = sorted(range(len(self.said)), key=lambda index: index != turn)
        for index in order:
            for text in self.said[index]:
                if match := pattern.search(text):
                    return Evidence(turn=index, quote=match.group()[: 2 * QUOTE_CHARACTERS])
        return None


def record(case: Case, *, seed: int, redact: Redact, limit: int) -> Record:
    """The conversation as data, of about `limit` characters at most."""
    turns = case.transcript.turns
    said = tuple(_texts(turn, redact) for turn in turns)
    lines, cuts = _within([_line(index, turn, redact, limit) for index, turn in enumerate(turns)], limit)
    end = ENDS.get(case.transcript.end)
    text = "\n".join([*lines, *([_json({"end": end})] if end else [])])
    cut_inside = '"left_out_characters"' in text or '"left_out_calls"' in text
    inside = ("parts of long texts",) if cut_inside else ()
    return Record(fence=_fence(seed, text), text=text, cuts=(*cuts, *inside), said=said)


def _fence(seed: int, text: str) -> str:
    """A line that does not occur in the text."""
    number = 0
    while (fence := f"=={derive(seed, 'fence', number):016x}==") in text:
        number += 1
    return fence


def _texts(turn: Turn, redact: Redact) -> tuple[str, ...]:
    parts = [turn.text]
    for call in turn.tool_calls:
        parts += [call.arguments, call.result or ""]
    return tuple(redact(without_surrogates(part)) for part in parts)


def _line(index: int, turn: Turn, redact: Redact, limit: int) -> str:
    document: dict[str, object] = {"turn": index, "role": turn.role.value}
    document |= _shortened(redact(turn.text), limit // 4)
    if turn.tool_calls:
        document["tool_calls"] = [_call(call, redact, limit // 32) for call in turn.tool_calls[:CALLS_SHOWN]]
    if len(turn.tool_calls) > CALLS_SHOWN:
        document["left_out_calls"] = len(turn.tool_calls) - CALLS_SHOWN
    return _json(document)


def _call(call: ToolCall, redact: Redact, limit: int) -> dict[str, object]:
    shown: dict[str, object] = {"name": call.name[:NAME_CHARACTERS]}
    shown |= _shortened(redact(call.arguments), limit, "arguments")
    if call.result is not None:
        shown |= _shortened(redact(call.result), limit, "error" if call.is_error else "result")
    elif call.is_error:
        shown["error"] = "the call failed"
    return shown


def _shortened(text: str, limit: int, key: str = "text") -> dict[str, object]:
    """The text under its key; a long one as its beginning and its end with the count between."""
    if len(text) <= limit:
        return {key: text}
    head, tail = text[: limit * 3 // 4], text[len(text) - limit // 4 :]
    left_out = {"left_out_characters": len(text) - len(head) - len(tail)}
    return {key: head, f"{key}_left_out": left_out, f"{key}_end": tail}


def _within(lines: Sequence[str], limit: int) -> tuple[list[str], tuple[str, ...]]:
    """The lines, or the first third and the last two thirds of what the limit allows, a whole line each at least."""
    if sum(map(len, lines)) <= limit:
        return list(lines), ()
    first = _fitting(lines, limit // 3)
    last = min(_fitting(lines[::-1], limit - limit // 3), len(lines) - first)
    start, stop = first, len(lines) - last
    if start >= stop:
        return list(lines), ()
    cut = f"turns {start} to {stop - 1}"
    return [*lines[:start], _json({"left_out": cut}), *lines[stop:]], (cut,)


def _fitting(lines: Sequence[str], limit: int) -> int:
    """How many of the first lines fit; at least one."""
    total = 0
    for count, line in enumerate(lines):
        total += len(line)
        if total > limit:
            return max(1, count)
    return len(lines)


def _json(document: dict[str, object]) -> str:
    text = without_surrogates(json.dumps(document, ensure_ascii=False))
    return CONTROL_TOKEN.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _pattern(quote: str) -> re.Pattern[str] | None:
    words = quote.strip().strip("\"'\u201c\u201d\u2026").removesuffix("...")[:QUOTE_CHARACTERS].split()
    if not words:
        return None
    return re.compile(r"\s+".join("".join(_QUOTES.get(c, re.escape(c)) for c in word) for word in words), re.IGNORECASE)
