"""The arithmetic of a score, shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.score import ComponentScore, ItemScore
from monitor.score import compose as score_of
from monitor.web.composition import compose

FAILED = ItemScore(id="no-leak", kind="forbidden", value=0.0, reason="", critical=True, closes_gate=True)
TASK = ComponentScore(name="task", value=0.4, items=(FAILED,))
CONDUCT = ComponentScore(name="conduct", value=1.0)


def test_the_parts_add_up_to_the_score() -> None:
    score = score_of((TASK, CONDUCT), {"task": 0.5, "conduct": 0.1})
    composition = compose(score)
    assert composition
    assert [part.share for part in composition.parts] == pytest.approx([5 / 6, 1 / 6])
    assert [part.begins for part in composition.parts] == pytest.approx([0.0, 0.4 * 5 / 6])
    assert composition.mean == pytest.approx(sum(part.contribution or 0.0 for part in composition.parts))
    assert composition.mean is not None
    assert score.value == pytest.approx(composition.mean * composition.gate)


def test_what_held_a_value_down_and_what_closed_the_gate_is_named() -> None:
    composition = compose(score_of((TASK, CONDUCT), {"task": 0.5, "conduct": 0.1}))
    assert composition
    assert (composition.parts[0].cap, composition.closed_by, composition.gate) == (("no-leak",), ("no-leak",), 0.0)


def test_a_component_without_a_value_leaves_the_sum_open() -> None:
    quality = ComponentScore(name="quality", value=None, reason="no judge")
    composition = compose(score_of((CONDUCT, quality), {"conduct": 0.1, "quality": 0.25}))
    assert composition
    assert composition.mean is None


def test_a_score_whose_weights_were_not_kept_shows_no_arithmetic() -> None:
    score = score_of((CONDUCT,), {"conduct": 0.1})
    assert compose(replace(score, components=(CONDUCT,))) is None
    assert compose(replace(score, components=())) is None
