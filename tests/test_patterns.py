"""Patterns that people write, held against texts that strangers write."""

from __future__ import annotations

import time

import pytest

from monitor.errors import PatternTooSlow
from monitor.intent import Forbidden, JsonSchema, RequiredFact
from monitor.patterns import SEARCH_SECONDS, refuse_empty, search
from monitor.redact import Redactor
from monitor.scorers.facts import score_required_fact
from monitor.scorers.items import score_forbidden
from monitor.scorers.json_items import score_json_schema
from tests.parties import transcript

SLOW = "(x+x+)+y"
HOSTILE = "x" * 5000


def test_a_pattern_is_found_whatever_its_case() -> None:
    assert search("30.days", "You have 30 DAYS.") == "30 DAYS"
    assert search("40.days", "You have 30 days.") is None


def test_a_search_ends_with_its_time() -> None:
    began = time.monotonic()
    with pytest.raises(PatternTooSlow, match=r"took longer than 0\.5 s; write it without nested repetition"):
        search(SLOW, HOSTILE)
    assert time.monotonic() - began < SEARCH_SECONDS + 5


@pytest.mark.parametrize(("pattern", "why"), [("(", "not a regular expression"), ("a?", "matches the empty text")])
def test_a_pattern_that_is_none_or_says_nothing_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        refuse_empty(pattern)


def test_an_item_whose_pattern_takes_too_long_is_not_measured() -> None:
    talk = transcript("?", HOSTILE)
    schema = {"type": "object", "properties": {"a": {"pattern": SLOW}}}
    for scored in (
        score_required_fact(RequiredFact(id="f", patterns=(SLOW,)), talk),
        score_forbidden(Forbidden(id="f", patterns=(SLOW,)), talk),
        score_json_schema(JsonSchema(id="f", schema=schema), transcript("?", f'{{"a": "{HOSTILE}"}}')),
    ):
        assert scored.value is None
        assert scored.reason.startswith(f"not measured: the pattern '{SLOW}' took longer")


def test_what_was_found_counts_beside_a_pattern_that_takes_too_long() -> None:
    talk = transcript("?", f"secret {HOSTILE}")
    assert score_forbidden(Forbidden(id="f", patterns=(SLOW, "secret")), talk).value == 0.0
    assert score_required_fact(RequiredFact(id="f", patterns=("secret", SLOW)), talk).value == 1.0


def test_a_text_that_a_redaction_is_not_done_with_is_hidden_whole() -> None:
    assert Redactor({"slow": SLOW}).redact(f"my card is {HOSTILE}") == "[redacted:slow]"
