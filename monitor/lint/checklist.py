"""Rules about a checklist: whether it tells a good answer from a bad one, and from the user's own words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from monitor.errors import PatternTooSlow
from monitor.intent import ChecklistItem, Forbidden, Intent, JsonSchema, RequiredFact, State, ToolCalls
from monitor.lint.finding import Finding, error, texts, warning
from monitor.score import ItemScore
from monitor.scorers.facts import score_required_fact
from monitor.scorers.items import score_forbidden
from monitor.scorers.json_items import problem_of, score_json_schema
from monitor.transcript import EndReason, Role, Transcript, Turn

NOTHING: tuple[object, ...] = ({}, [], "")
"""Documents that say nothing."""
UNUSABLE = "cannot be held against the schema: RecursionError"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def checklist_findings(intent: Intent) -> Iterator[Finding]:
    """Warnings for what is missing, errors for what anybody passes who repeats the user."""
    if not intent.checklist:
        text = "is empty, so only manners are scored; add an item that a good answer passes and a wrong one fails"
        yield warning(intent, "checklist", "no-checklist", text)
    elif not any(item.critical and _wants_something(item) for item in intent.checklist):
        text = "has no critical item that wants something; mark the one without which the user went away with nothing"
        yield warning(intent, "checklist", "no-critical", text)
    for item in intent.checklist:
        empty = list(_empty_schema(intent, item))
        yield from empty or _given_away(intent, item)


def _empty_schema(intent: Intent, item: ChecklistItem) -> Iterator[Finding]:
    """A schema that every document satisfies, or that no document can be held against."""
    if not isinstance(item, JsonSchema | State) or item.schema is None:
        return
    try:
        problems = [problem_of(document, item.schema) for document in NOTHING]
    except PatternTooSlow:
        return
    if not any(problems):
        text = (
            'is satisfied by {}, [] and "" alike, so it checks nothing; say what is right: type, and required and '
            "properties of an object, minItems of an array"
        )
        yield error(intent, f"checklist.{item.id}", "checks-nothing", text)
    elif any(problem.startswith(UNUSABLE) for problem in problems):
        text = "has a schema that refers to itself without end; put properties or items between both"
        yield error(intent, f"checklist.{item.id}", "endless-schema", text)


def _wants_something(item: ChecklistItem) -> bool:
    """Whether an assistant that does nothing at all fails it."""
    return not isinstance(item, Forbidden) and not (isinstance(item, ToolCalls) and not item.calls)


def _given_away(intent: Intent, item: ChecklistItem) -> Iterator[Finding]:
    """An item that the intent's own words pass, or that forbids them."""
    for field, text in texts(intent):
        score = None if field.startswith("does_not_know") else _score(item, text)
        if score is None or score.passed is None or score.passed is (score.kind == "forbidden"):
            continue
        quote = f" ({score.evidence[0].quote!r})" if score.evidence else ""
        if score.kind == "forbidden":
            what = f"forbids what {field} says{quote}, so quoting the user zeroes the score; narrow the pattern"
            yield warning(intent, f"checklist.{item.id}", "forbids-the-user", what)
        else:
            what = (
                f"is passed by {field} itself{quote}, so repeating the user is enough; ask for what only an answer says"
            )
            yield error(intent, f"checklist.{item.id}", "given-away", what)
        return


def _score(item: ChecklistItem, reply: str) -> ItemScore | None:
    """What the item says to a reply; None where a transcript alone does not decide."""
    talk = Transcript(
        turns=(Turn(role=Role.ASSISTANT, text=reply, at=_LONG_AGO),),
        end=EndReason.USER_ENDED,
        outcome=EndReason.USER_ENDED.outcome,
        started_at=_LONG_AGO,
        finished_at=_LONG_AGO,
    )
    match item:
        case RequiredFact():
            return score_required_fact(item, talk)
        case Forbidden():
            return score_forbidden(item, talk)
        case JsonSchema():
            return score_json_schema(item, talk)
        case _:
            return None
