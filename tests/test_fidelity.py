"""How simulated users spoke, in numbers; what authors wrote is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.fidelity import MEASURES, PUBLISHED, Fidelity, content_words, measure
from monitor.intent import Intent
from monitor.transcript import EndReason, Sampled, Transcript
from tests.parties import intent, transcript

DRAWN = Sampled(tokens=5, p_end=0.1)
ENDED = Sampled(tokens=1, tries=1, p_end=0.9)
OPENER = "how long can shoes be returned"


def talk(*texts: str, end: EndReason = EndReason.USER_ENDED, drawn: Sampled = DRAWN) -> tuple[Intent, Transcript]:
    final = ENDED if end is EndReason.USER_ENDED else None
    return intent(), transcript(*texts, end=end, sampled=drawn, final=final)


def measured(*talks: tuple[Intent, Transcript]) -> Fidelity:
    found = measure(talks)
    assert found is not None
    return found


def test_turns_are_counted_to_the_end_of_completed_conversations() -> None:
    found = measured(
        talk(OPENER, "30 days"), talk(OPENER, "30", "ok", "bye", "and boots", "no", end=EndReason.MAX_TURNS)
    )
    assert (found.turns_to_end, found.ended_by_user) == (2.0, 0.5)


def test_a_conversation_that_failed_has_turns_and_no_end() -> None:
    found = measured(talk(OPENER, end=EndReason.CONNECTION_FAILED))
    assert (found.conversations, found.turns, found.turns_to_end, found.ended_by_user) == (1, 1, None, None)


def test_openers_are_measured_in_words() -> None:
    assert measured(talk("may i", "?"), talk("may i return shoes", "?")).opener_words == 3.0


def test_the_overlap_with_the_intent_is_that_of_content_words() -> None:
    assert content_words(intent().description) == {"long", "shoes", "returned"}
    assert measured(talk("how long can i return shoes", "?")).intent_overlap == pytest.approx(2 / 4)


def test_diversity_compares_first_turns_of_one_intent_only() -> None:
    same = (talk(OPENER, "?"), talk(OPENER, "?"))
    other = (intent(id="other"), talk(OPENER, "?")[1])
    assert measured(*same).first_turn_diversity == 0.0
    assert measured(same[0], other).first_turn_diversity is None
    assert measured(talk("a b", "?"), talk("b c", "?")).first_turn_diversity == pytest.approx(2 / 3)


def test_words_that_come_again_lower_type_token() -> None:
    assert measured(talk("shoes and shoes and", "?", "shoes", "?")).type_token == 2 / 5


def test_the_end_is_expected_where_it_came_and_where_it_did_not() -> None:
    found = measured(talk(OPENER, "?"), talk(OPENER, "?", end=EndReason.MAX_TURNS))
    assert found.p_end_at_end == pytest.approx(0.9)
    assert found.p_end_before == pytest.approx(0.1)


def test_tries_and_guardrail_hits_are_counted_per_turn_ends_included() -> None:
    found = measured(talk(OPENER, "?", drawn=Sampled(tokens=5, tries=3, hits=("too_long", "repetition"))))
    assert (found.tries_per_turn, found.hits_per_turn) == (2.0, 1.0)
    assert found.hits == {"repetition": 1, "too_long": 1}


def test_what_an_author_wrote_is_left_out() -> None:
    written = (intent(), transcript("first words", "?", "more words", "?"))
    assert measure([written]) is None
    assert measured(written, talk(OPENER, "?")).conversations == 1


def test_a_fixed_opening_is_no_opener_and_its_follow_ups_count() -> None:
    wanted, sampled = talk("fixed", "?", "what about boots", "?")
    opening, *rest = sampled.turns
    found = measured((wanted, replace(sampled, turns=(replace(opening, sampled=None), *rest))))
    assert (found.turns, found.opener_words, found.intent_overlap) == (1, None, None)


def test_every_measure_is_a_field_and_what_is_published_is_one_of_them() -> None:
    fields = set(Fidelity.__dataclass_fields__)
    assert set(PUBLISHED) <= set(MEASURES) == fields - {"conversations", "turns", "hits"}
