"""Numbers and amounts of money as people write them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.intent import Amount, RequiredFact
from monitor.scorers.amounts import amounts
from monitor.scorers.facts import READ_CHARACTERS, score_required_fact
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
        ("1,00,000", 100_000.0),
        ("12,34,567.50", 1_234_567.5),
        ("45days", 45.0),
        ("12 million", 12_000_000.0),
        ("1.25 million", 1_250_000.0),
        ("12k", 12_000.0),
        ("thirty days", 30.0),
        ("Twenty-five", 25.0),
        ("two hundred and ten", 210.0),
        ("a hundred", 100.0),
        ("one million", 1_000_000.0),
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


@pytest.mark.parametrize("text", ["one of them", "A12", "12th", "12ab", "v2", "often", "12.5.3"])
def test_what_is_part_of_a_word_or_a_name_is_no_number(text: str) -> None:
    assert list(numbers(f"It is {text}, I think.")) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$12 CAD", {"CAD": [12]}),
        ("CAD $12", {"CAD": [12]}),
        ("$12 (CAD)", {"CAD": [12]}),
        ("$12 Canadian", {"CAD": [12]}),
        ("€12 million", {"EUR": [12e6]}),
        ("€1.25 million", {"EUR": [1.25e6]}),
        ("12 million euros", {"EUR": [12e6]}),
        ("€1–2 million", {"EUR": [1e6, 2e6]}),
        ("€1.2m", {"EUR": [1.2e6]}),
        ("₹1,00,000", {"INR": [1e5]}),
        ("US$45–60", {"USD": [45, 60]}),
        ("45-60 EUR", {"EUR": [45, 60]}),
        ("€45 to 60 per day", {"EUR": [45, 60]}),
        ("€45 to 60 days", {"EUR": [45]}),
        ("twelve euros", {"EUR": [12]}),
    ],
)
def test_an_amount_is_of_the_currency_and_size_that_is_meant(text: str, found: dict[str, list[float]]) -> None:
    read = {code: [amount.number for amount, _ in amounts(text, code)] for code in ("USD", "CAD", "EUR", "INR")}
    assert {code: values for code, values in read.items() if values} == found


def test_a_code_right_before_another_number_is_of_that_one() -> None:
    assert [amount.number for amount, _ in amounts("$12 EUR 10", "USD")] == [12]


def test_a_range_is_quoted_whole() -> None:
    assert [quote for _, quote in amounts("It is $45–60 a day.", "USD")] == ["$45–60", "$45–60"]


@pytest.mark.parametrize("separator", [" ", "."])
def test_a_value_beyond_what_is_read_of_a_reply_is_not_found_and_the_reason_says_so(separator: str) -> None:
    item = RequiredFact(id="f", amount=EUR_1299, patterns=("never",))
    far = separator.ljust(READ_CHARACTERS - 2, separator) + " €1299 "
    scored = score_required_fact(item, transcript("?", far))
    assert scored.value == 0.0
    assert scored.reason.endswith("(of a reply, 20000 characters are read)")
    assert score_required_fact(item, transcript("?", far[9:])).value == 1.0
    assert score_required_fact(replace(item, patterns=("€1299",)), transcript("?", far)).value == 1.0


def test_a_number_that_is_cut_through_is_not_read() -> None:
    item = RequiredFact(id="f", number=12)
    assert score_required_fact(item, transcript("?", " " * (READ_CHARACTERS - 2) + "1299 days")).value == 0.0
