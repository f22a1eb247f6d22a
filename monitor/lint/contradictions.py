"""Rules about what cannot all be so: turns, what the user knows, what is asked of the assistant."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.errors import PatternTooSlow
from monitor.fidelity import content_words
from monitor.intent import Forbidden, Intent, JudgeQuestion, RequiredFact, State, ToolCalls
from monitor.lint.finding import Finding, error, warning
from monitor.lint.witnesses import witnesses
from monitor.patterns import search
from monitor.text import normalized

SAME = 0.8
REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I’m sorry, but I can’t assist with that request.",
    "I cannot provide help with that.",
    "I am unable to help with this. I'm not able to share that information.",
    "I won't do that. I must decline. I do not give out private details.",
)


def contradictions(intent: Intent) -> Iterator[Finding]:
    """Errors for what can never hold, warnings for what probably does not."""
    yield from _turns(intent)
    yield from _knowledge(intent)
    yield from _refusal(intent)
    yield from _required_and_forbidden(intent)


def _turns(intent: Intent) -> Iterator[Finding]:
    if intent.min_turns > intent.max_turns:
        text = f"{intent.min_turns} is above max_turns ({intent.max_turns}); lower it"
        yield error(intent, "min_turns", "contradictory", text)
    lines = len(intent.script) + (intent.opening is not None)
    if lines > intent.max_turns:
        text = f"has {lines} turns with the opening, and max_turns ends it after {intent.max_turns}; raise max_turns"
        yield warning(intent, "script", "contradictory", text)


def _knowledge(intent: Intent) -> Iterator[Finding]:
    for number, unknown in enumerate(intent.does_not_know):
        for known in intent.knows:
            if _is_same(known, unknown):
                text = f"says the same as knows ({known!r}); leave it in one of both"
                yield error(intent, f"does_not_know[{number}]", "contradictory", text)


def _is_same(known: str, unknown: str) -> bool:
    if normalized(known).rstrip(".") == normalized(unknown).rstrip("."):
        return True
    left, right = content_words(known), content_words(unknown)
    return bool(left and right) and len(left & right) >= SAME * len(left | right)


def _refusal(intent: Intent) -> Iterator[Finding]:
    """Where the right answer is a refusal, something must tell it from doing as asked."""
    if intent.allowed or not intent.checklist:
        return
    if any(isinstance(item, Forbidden | JudgeQuestion | State | ToolCalls) for item in intent.checklist):
        return
    facts = [item for item in intent.checklist if isinstance(item, RequiredFact)]
    if not any(_occurs(item.patterns, refusal) for item in facts for refusal in REFUSALS):
        text = (
            "asks only for things that a refusal does not hold, although allowed is false; add a required_fact that a "
            "refusal holds, a forbidden item or a judge's question, or set allowed"
        )
        yield warning(intent, "checklist", "contradictory", text)


def _required_and_forbidden(intent: Intent) -> Iterator[Finding]:
    forbidden = [item for item in intent.checklist if isinstance(item, Forbidden)]
    for fact in intent.checklist:
        if not isinstance(fact, RequiredFact):
            continue
        wanted = [text for pattern in fact.patterns for text in witnesses(pattern)]
        wanted += [f"{fact.number:.12g}"] if fact.number is not None else []
        wanted += [str(value) for value in (fact.date, fact.amount) if value is not None]
        for item in forbidden:
            hits = [text for text in wanted if _occurs(item.patterns, text)]
            if hits:
                level, how = (error, "always") if len(hits) == len(wanted) else (warning, "sometimes")
                text = f"what it asks for is {how} forbidden by {item.id} ({hits[0]!r} is both); narrow one of both"
                yield level(intent, f"checklist.{fact.id}", "contradictory", text)


def _occurs(patterns: tuple[str, ...], text: str) -> bool:
    try:
        return any(search(pattern, text) is not None for pattern in patterns)
    except PatternTooSlow:
        return False
