"""The checklist item `tool_call`: whether the assistant called what it had to, and nothing that it must not.

A call that was answered with an error changed nothing, so it neither fulfils nor violates. A call without an answer
counts: a protocol that does not tell results leaves none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.intent import ExpectedCall, ToolCalls
from monitor.score import Evidence, ItemScore
from monitor.scorers.arguments import Redact, differences, matches, read_arguments
from monitor.scorers.items import QUOTE_CHARACTERS, answered
from monitor.transcript import Outcome, ToolCall, Transcript

_ERROR = re.compile(r"\s*[\[(]?(?:error(?=[\s:.!,)\]]|$)|[a-z_.]*(?:error|exception):|traceback \(most)", re.IGNORECASE)
QUOTED_CALLS = 20


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A call with the index of its turn."""

    turn: int
    call: ToolCall

    @property
    def evidence(self) -> Evidence:
        """The call as a quote."""
        return Evidence(turn=self.turn, quote=f"{self.call.name} {self.call.arguments}"[:QUOTE_CHARACTERS])


def says_error(result: str) -> bool:
    """Whether a tool's answer says that the call failed.

    It begins with the word `Error` or an exception's name (`ValueError:`), or is a JSON object with an `error` that
    says something, a true `is_error` or `isError`, or `error` as its `status`.
    """
    if _ERROR.match(result):
        return True
    found = read_arguments(result) if result.lstrip().startswith("{") else None
    if not isinstance(found, Mapping):
        return False
    is_marked = found.get("is_error") is True or found.get("isError") is True
    return bool(found.get("error")) or is_marked or found.get("status") == "error"


def has_failed(call: ToolCall) -> bool:
    """Whether the call was answered with an error."""
    return call.is_error or (call.result is not None and says_error(call.result))


def score_tool_calls(item: ToolCalls, transcript: Transcript, redact: Redact = str) -> ItemScore:
    """1 when every expected call has a call of its own, and no other call of a tool in `only` was made; else 0."""
    if transcript.outcome is not Outcome.COMPLETED:
        return answered(item, 0.0, f"the conversation did not finish: {transcript.end}")
    made = _made(transcript)
    pairs = _paired(item.calls, made, redact)
    missing = [wanted for place, wanted in enumerate(item.calls) if place not in pairs]
    used = set(pairs.values())
    spare = [call for place, call in enumerate(made) if place not in used]
    further = [call for call in spare if call.call.name in item.only]
    problems = [_why_missing(wanted, spare, redact) for wanted in missing]
    problems += [f"{call.call.name} was called beyond what is expected" for call in further]
    if problems:
        near = [call for call in spare if call.call.name in {wanted.name for wanted in missing}]
        seen = tuple(dict.fromkeys(call.evidence for call in [*further, *near]))
        return answered(item, 0.0, "; ".join(problems), seen[:QUOTED_CALLS])
    reason = "called as expected" if item.calls else f"never called: {', '.join(item.only)}"
    return answered(item, 1.0, reason, tuple(made[place].evidence for place in sorted(used))[:QUOTED_CALLS])


def has_further(item: ToolCalls, transcript: Transcript, redact: Redact = str) -> bool:
    """Whether a tool of `only` was called beyond what is expected, which no later call makes good."""
    made = _made(transcript)
    used = set(_paired(item.calls, made, redact).values())
    return any(call.call.name in item.only for place, call in enumerate(made) if place not in used)


def _made(transcript: Transcript) -> list[MadeCall]:
    return [MadeCall(turn, call) for turn, call in _calls(transcript) if not has_failed(call)]


def _calls(transcript: Transcript) -> Iterator[tuple[int, ToolCall]]:
    for turn, said in enumerate(transcript.turns):
        for call in said.tool_calls:
            yield turn, call


def _paired(expected: Sequence[ExpectedCall], made: Sequence[MadeCall], redact: Redact) -> dict[int, int]:
    """As many expected calls as can be, each with the place of a call of its own (Kuhn's algorithm)."""
    fitting = [
        [place for place, call in enumerate(made) if _is_expected(wanted, call.call, redact)] for wanted in expected
    ]
    owner: dict[int, int] = {}

    def place_for(wanted: int, tried: set[int]) -> bool:
        for place in fitting[wanted]:
            if place in tried:
                continue
            tried.add(place)
            if place not in owner or place_for(owner[place], tried):
                owner[place] = wanted
                return True
        return False

    for wanted in range(len(expected)):
        place_for(wanted, set())
    return {wanted: place for place, wanted in owner.items()}


def _is_expected(wanted: ExpectedCall, call: ToolCall, redact: Redact) -> bool:
    return wanted.name == call.name and matches(wanted.arguments, read_arguments(call.arguments), redact)


def _why_missing(wanted: ExpectedCall, spare: Sequence[MadeCall], redact: Redact) -> str:
    """That nothing of the kind was called, or in what the nearest call differs. No argument's value is told."""
    given = [read_arguments(call.call.arguments) for call in spare if call.call.name == wanted.name]
    if not given:
        return f"{wanted.name} was not called"
    wrong = [differences(wanted.arguments, one, redact) for one in given if isinstance(one, Mapping)]
    if not wrong:
        return f"{wanted.name} was called with arguments that are no JSON object"
    nearest = min(wrong, key=len)
    return f"{wanted.name} was called with another {', '.join(nearest)}"
