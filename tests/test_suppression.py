"""Which silences concern a scope, and when they hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.suppression import Silence, windows_of

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SILENCE = Silence(
    id="s1",
    scope_pattern="shop/*",
    created_by="ann",
    reason="deploy",
    starts_at=T0,
    ends_at=T0 + timedelta(hours=2),
)


@pytest.mark.parametrize(
    ("pattern", "is_concerned"),
    [
        ("shop/*", True),
        ("shop/refund-*", True),
        ("*", True),
        ("shop", False),
        ("Shop/*", False),
        ("shop/refund", False),
    ],
)
def test_a_pattern_matches_the_whole_scope(pattern: str, is_concerned: bool) -> None:
    assert replace(SILENCE, scope_pattern=pattern).concerns("shop/refund-late") is is_concerned


def test_a_scope_has_the_windows_of_the_silences_that_concern_it() -> None:
    other = replace(SILENCE, id="s2", scope_pattern="bank/*")
    (window,) = windows_of("shop/overall", [SILENCE, other])
    assert (window.name, window.starts_at, window.ends_at) == ("silence s1", SILENCE.starts_at, SILENCE.ends_at)


@pytest.mark.parametrize(("expired", "lasts"), [(-1, -1), (1, 1), (3, 2)])
def test_a_silence_that_was_taken_back_ends_then(expired: int, lasts: int) -> None:
    ended = replace(SILENCE, expired_at=T0 + timedelta(hours=expired))
    assert ended.window.ends_at == T0 + timedelta(hours=lasts)
