"""The conversations of a check as tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.store import ConversationLine
from monitor.transcript import EndReason
from monitor.web.matrix import cell, matrix, spread, worst_first
from tests.web.examples import T0

LINE = ConversationLine(
    id="c1",
    check_id="k1",
    intent_id="a",
    round=0,
    attempt=0,
    outcome=EndReason.USER_ENDED.outcome,
    end=EndReason.USER_ENDED,
    started_at=T0,
    finished_at=T0,
    value=0.8,
    passed=True,
)


def line(**changes: object) -> ConversationLine:
    return replace(LINE, **changes)  # type: ignore[arg-type]


def ended(end: EndReason, value: float | None, passed: bool | None) -> ConversationLine:
    return line(end=end, outcome=end.outcome, value=value, passed=passed)


@pytest.mark.parametrize(
    ("shown", "word", "sign", "tone"),
    [
        (LINE, "passed", "✓", "good"),
        (line(value=0.8, passed=False), "failed", "✗", "bad"),
        (ended(EndReason.HTTP_STATUS, 0.0, False), "assistant_error", "E", "bad"),
        (ended(EndReason.TURN_DEADLINE, 0.0, False), "assistant_timeout", "T", "bad"),
        (ended(EndReason.JUDGE, None, None), "judge_error", "?", "plain"),
        (line(value=None, passed=None), "not scored", "?", "plain"),
    ],
)
def test_a_cell_tells_what_became_of_a_conversation_and_a_completed_one_is_not_green_for_that(
    shown: ConversationLine, word: str, sign: str, tone: str
) -> None:
    found = cell(shown)
    assert (found.word, found.sign, found.tone) == (word, sign, tone)


def test_rows_are_the_intents_that_are_named_and_columns_the_rounds() -> None:
    lines = [line(id="a0"), line(id="a2", round=2), line(id="b1", intent_id="b", round=1)]
    rows = matrix(lines, ["b", "a", "gone"])
    assert [row.intent_id for row in rows] == ["b", "a", "gone"]
    assert [[shown and shown.line.id for shown in row.cells] for row in rows] == [
        [None, "b1", None],
        ["a0", None, "a2"],
        [None, None, None],
    ]


def test_of_several_attempts_the_last_one_counts() -> None:
    lines = [line(id="again", attempt=1), line(id="first", value=0.0, passed=False)]
    (row,) = matrix(lines, ["a"])
    assert [shown and shown.line.id for shown in row.cells] == ["again"]
    assert [(found.low, found.count) for found in spread(lines) if found.count] == [(0.8, 1)]


def test_without_conversations_there_is_nothing_to_draw() -> None:
    assert matrix([], ["a"])[0].cells == ()
    assert spread([line(value=None, passed=None)]) == []


def test_scores_are_spread_over_tenths_the_last_with_its_upper_end() -> None:
    values = [0.0, 0.3, 0.7, 0.7, 0.999, 1.0]  # 0.3 and 0.7 are a little less as floats than 3 and 7 tenths
    found = spread([line(id=str(n), round=n, value=value) for n, value in enumerate(values)])
    assert [one.count for one in found] == [1, 0, 0, 1, 0, 0, 0, 2, 0, 2]
    assert [one.share for one in found if one.count] == [0.5, 0.5, 1.0, 1.0]


def test_conversations_come_worst_first_and_those_that_say_nothing_last() -> None:
    lines = [line(id="none", value=None, passed=None), line(id="good"), line(id="bad", value=0.1, passed=False)]
    assert [one.id for one in worst_first(lines)] == ["bad", "good", "none"]
