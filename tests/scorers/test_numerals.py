"""Numbers and amounts of money as people write them."""

from __future__ import annotations

import pytest

from monitor.intent import Amount, RequiredFact
from monitor.scorers.facts import score_required_fact
from monitor.scorers.numerals import numbers
from tests.parties import transcript

EUR_1299 = Amount(currency="EUR", number=1299)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1299", 1299.0),
        ("1,299.00", 1299.0),
        ("1.299,00", 1299.0),
        ("1 299,00", 1299.0),
        ("1\u202f299", 1299.0),
        ("1'299.00", 1299.0),
        ("1.299.000", 1_299_000.0),
        ("1.299", 1.299),
        ("12,5", 12.5),
        ("12,50", 12.5),
    ],
)
def test_a_number_is_read_as_it_is_meant(text: str, value: float) -> None:
    assert [found for found, _ in numbers(f"It is {text}, I think.")] == [value]


def test_a_list_of_numbers_is_no_decimal() -> None:
    assert [found for found, _ in numbers("1,2,3")] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "text",
    [
        "EUR 1299",
        "1,299.00 EUR",
        "1.299,00 €",
        "€1,299",
        "€ 1.299",
        "1299 euros",
        "1299EUR",
        "EUR1299",
        "1.299,- €",
        "**€1,299**",
    ],
)
def test_an_amount_is_found_however_it_is_written(text: str) -> None:
    scored = score_required_fact(RequiredFact(id="f", amount=EUR_1299), transcript("?", f"It costs {text}."))
    assert scored.value == 1.0, text


@pytest.mark.parametrize("text", ["1299", "$1299", "€1298", "-€1299", "1299 EURX", "€12990", "1299 pounds"])
def test_another_currency_or_number_is_another_amount(text: str) -> None:
    scored = score_required_fact(RequiredFact(id="f", amount=EUR_1299), transcript("?", f"It costs {text}."))
    assert scored.value == 0.0
    assert scored.reason == "not in any reply: the amount EUR 1299"


def test_a_dollar_of_another_country_is_told_from_ours() -> None:
    item = RequiredFact(id="f", amount=Amount(currency="USD", number=5))
    found = [score_required_fact(item, transcript("?", text)).value for text in ("$5", "US$5", "5 USD", "C$5", "A$5")]
    assert found == [1.0, 1.0, 1.0, 0.0, 0.0]


def test_evidence_holds_the_currency_too() -> None:
    scored = score_required_fact(RequiredFact(id="f", amount=EUR_1299), transcript("?", "It costs 1.299,00 € now."))
    assert [(seen.turn, seen.quote) for seen in scored.evidence] == [(1, "1.299,00 €")]
