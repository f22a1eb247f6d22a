"""What an intent is known by."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from monitor.intent import (
    Amount,
    ChecklistItem,
    ExpectedCall,
    Forbidden,
    Intent,
    JsonSchema,
    JudgeQuestion,
    RequiredFact,
    State,
    ToolCalls,
)

FACT = RequiredFact(id="days", patterns=("30 days",), number=30)
INTENT = Intent(
    id="returns",
    description="You are a user who wants to return shoes.",
    checklist=(
        FACT,
        Forbidden(id="no", patterns=("x",)),
        JsonSchema(id="j", schema={"type": "object"}),
        JudgeQuestion(id="q", question="Is it polite?"),
    ),
    knows=("a",),
)


def test_an_intent_that_uses_no_newer_field_keeps_its_fingerprint() -> None:
    """Baselines and rescores hang on it: it is the one that this intent had before facts could be dates and amounts."""
    assert INTENT.fingerprint == "d7e1677fb7844954"


def test_whatever_an_item_asks_is_part_of_the_fingerprint() -> None:
    call = ExpectedCall(name="cancel", arguments={"order": "A1"})
    calls, state = ToolCalls(id="t", calls=(call,)), State(id="s", source="orders", path="/")
    variants: list[ChecklistItem] = [
        FACT,
        replace(FACT, date=date(2026, 3, 3)),
        replace(FACT, date=date(2026, 3, 4)),
        replace(FACT, amount=Amount(currency="EUR", number=30)),
        replace(FACT, amount=Amount(currency="USD", number=30)),
        calls,
        replace(calls, only=("cancel",)),
        replace(calls, calls=(replace(call, arguments={"order": "B2"}),)),
        state,
        replace(state, status=404),
        replace(state, schema={"type": "object"}),
    ]
    assert len({replace(INTENT, checklist=(item,)).fingerprint for item in variants}) == len(variants)
