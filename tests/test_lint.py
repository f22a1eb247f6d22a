"""Intents that are allowed and probably not meant are found, and the shipped ones are fair."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from monitor.intent import ExpectedCall, Forbidden, Intent, JsonSchema, JudgeQuestion, RequiredFact, State, ToolCalls
from monitor.lint import Finding, Severity, lint
from monitor.lint.witnesses import witnesses
from tests.parties import intent
from tests.shipped import shipped_intents

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FORTNIGHT = RequiredFact(id="fortnight", patterns=("14 days",), critical=True)


def findings(found_in: Intent, *, for_userlm: bool = True) -> list[Finding]:
    return lint([found_in], for_userlm=for_userlm, now=NOW)


def rules(**changes: object) -> set[tuple[str, str]]:
    """Field and rule of everything found in the intent with these changes."""
    return {(finding.field, finding.rule) for finding in findings(intent(**changes))}


@pytest.mark.parametrize("name", ["baseline", "demo"])
def test_the_shipped_intents_are_fair(name: str) -> None:
    assert [str(f) for f in lint(shipped_intents(name), for_userlm=True, now=NOW)] == []


def test_a_fair_intent_gives_no_finding() -> None:
    assert rules() == set()


@pytest.mark.parametrize(
    "description",
    [
        "You are a user who wants to do something.",
        "You are a user who wants help.",
        "You are a user who wants to know something about a shop.",
        "You are a user who wants to chat with the assistant.",
        "You are a user.",
        "Shoes",
    ],
)
def test_a_description_without_verb_or_object_is_vague(description: str) -> None:
    assert ("description", "vague") in rules(description=description)


@pytest.mark.parametrize(
    "description",
    [
        "You are a user who wants to know what time it is.",
        "You are a user who wants to find a hotel.",
        "You are a user who wants to return something that was a present.",
    ],
)
def test_a_plain_wish_is_not_vague(description: str) -> None:
    assert ("description", "vague") not in rules(description=description)


def test_a_long_description_is_too_long_for_userlm_sooner_than_for_others() -> None:
    long = intent(description=f"You are a user who wants to return shoes{' and other boots' * 20}.")
    assert "over-long" in {finding.rule for finding in findings(long)}
    assert "over-long" not in {finding.rule for finding in findings(long, for_userlm=False)}


@pytest.mark.parametrize(
    "description",
    [
        "Sie sind ein Benutzer, der wissen möchte, wie lange man Schuhe zurückgeben kann.",
        "Vous êtes un utilisateur qui veut savoir si on peut rendre les chaussures.",
        "Eres un usuario que quiere saber hasta cuándo puede devolver los zapatos.",
        "Вы пользователь",
    ],
)
def test_userlm_is_told_in_english(description: str) -> None:
    told = intent(description=description)
    assert "not-english" in {finding.rule for finding in findings(told)}
    assert "not-english" not in {finding.rule for finding in findings(told, for_userlm=False)}


def test_userlm_is_told_in_the_words_it_was_trained_with() -> None:
    assert ("description", "frame") in rules(description="Return shoes that do not fit")


@pytest.mark.parametrize("unknown", ["the order number is 4711", "The order number is 4711."])
def test_nobody_knows_and_does_not_know_the_same(unknown: str) -> None:
    (finding,) = findings(intent(knows=("The order number is 4711.",), does_not_know=(unknown,)))
    assert (finding.field, finding.rule, finding.severity) == ("does_not_know[0]", "contradictory", Severity.ERROR)


def test_fewest_turns_are_not_above_most() -> None:
    assert ("min_turns", "contradictory") in rules(min_turns=4, max_turns=3)


def test_lines_that_can_never_be_said_are_told() -> None:
    assert ("script", "contradictory") in rules(script=("how long?", "and boots?", "and socks?"), max_turns=2)


def test_a_wish_that_is_not_allowed_needs_something_that_a_refusal_passes() -> None:
    assert ("checklist", "contradictory") in rules(allowed=False)
    refuses = RequiredFact(id="refuses", patterns=(r"\bcan['’]t (?:help|assist)",), critical=True)
    assert rules(allowed=False, checklist=(refuses,)) == set()
    assert rules(allowed=False, checklist=(FORTNIGHT, JudgeQuestion(id="refuses", question="Does it refuse?"))) == set()


@pytest.mark.parametrize(
    ("patterns", "forbidden", "severity"),
    [
        ((r"\b14 days\b",), r"\d+ days", Severity.ERROR),
        ((r"\b(?:14|fourteen) days\b",), r"\d+ days", Severity.WARNING),
        ((r"\bfree (?:returns?|shipping)\b",), "free shipping", Severity.WARNING),
    ],
)
def test_what_is_required_is_not_forbidden(patterns: tuple[str, ...], forbidden: str, severity: Severity) -> None:
    fact = RequiredFact(id="fact", patterns=patterns, critical=True)
    (finding,) = findings(intent(checklist=(fact, Forbidden(id="never", patterns=(forbidden,)))))
    assert (finding.field, finding.rule, finding.severity) == ("checklist.fact", "contradictory", severity)


def test_a_required_number_is_not_forbidden() -> None:
    fact = RequiredFact(id="fact", number=14, critical=True)
    (finding,) = findings(intent(checklist=(fact, Forbidden(id="never", patterns=(r"\b14\b",)))))
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize(
    "pattern",
    [
        r"\b(?:45|forty-five)\b(?: \w+)? days\b",
        r"\b2(?:18(?:[.,]\d+)?|20)(?!\d)",
        r"(?:^|\n)[ \t]*(?:[-*•–]|\d[.)])\s.*",
        r"(?P<year>\d{4})[^a-z]+?x{2,3}[\]\-]*",
        r"(?<!\w)-9\b",
    ],
)
def test_texts_are_made_that_a_pattern_matches(pattern: str) -> None:
    assert witnesses(pattern)


@pytest.mark.parametrize("pattern", ["(?i)days", "(?<=a)b", r"(a)\1"])
def test_a_pattern_that_is_not_understood_gives_no_text(pattern: str) -> None:
    assert witnesses(pattern) == []


def test_a_checklist_wants_something_critical() -> None:
    assert ("checklist", "no-checklist") in rules(checklist=())
    assert ("checklist", "no-critical") in rules(checklist=(RequiredFact(id="days", patterns=("14 days",)),))
    assert ("checklist", "no-critical") in rules(checklist=(Forbidden(id="never", patterns=("60 days",)),))


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "You are a user who wants to return shoes within 14 days."},
        {"opening": "May I return shoes within 14 days?"},
        {"script": ("May I return shoes?", "After 14 days?")},
        {"knows": ("Returns are taken for 14 days.",)},
    ],
)
def test_what_the_intent_says_itself_is_given_away(changes: dict[str, object]) -> None:
    (finding,) = [f for f in findings(intent(**changes, checklist=(FORTNIGHT,))) if f.rule == "given-away"]
    assert (finding.field, finding.severity) == ("checklist.fortnight", Severity.ERROR)
    assert "'14 days'" in finding.text


def test_what_the_user_does_not_know_gives_nothing_away() -> None:
    assert rules(checklist=(FORTNIGHT,), does_not_know=("That it is 14 days.",)) == set()


def test_a_document_of_the_user_gives_a_schema_away() -> None:
    schema = JsonSchema(id="json", schema={"type": "object", "required": ["a"]}, critical=True)
    assert ("checklist.json", "given-away") in rules(opening='Tidy this up: {"a": 1}', checklist=(schema,))


def test_quoting_the_user_is_not_forbidden() -> None:
    never = Forbidden(id="never", patterns=("shoes",))
    assert ("checklist.never", "forbids-the-user") in rules(checklist=(FORTNIGHT, never))


@pytest.mark.parametrize(
    "text", ["{{ product }}", "TODO: a name", "Hi <NAME>", "[YOUR CITY]", "${city}", "Lorem ipsum"]
)
def test_placeholders_are_errors_and_in_a_pasted_opening_warnings(text: str) -> None:
    (finding,) = findings(intent(knows=(text,)))
    assert (finding.field, finding.rule, finding.severity) == ("knows[0]", "placeholder", Severity.ERROR)
    (finding,) = findings(intent(opening=text))
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize("day", ["2026-05-03", "3 May 2026", "the 3rd of May 2026", "May 3, 2026"])
def test_a_day_that_is_over_cannot_be_booked(day: str) -> None:
    assert ("script[0]", "past-date") in rules(script=(f"Please book a table for {day}.",))
    assert rules(script=(f"Please book a table for {day.replace('2026', '2036')}.",)) == set()
    assert rules(script=(f"Which weekday was {day}?",)) == set()


@pytest.mark.parametrize("day", ["tomorrow", "next week", "this year", "in 3 days"])
def test_a_day_that_moves_is_told_where_the_checklist_stays(day: str) -> None:
    friday = RequiredFact(id="day", patterns=(r"\bfriday\b",), critical=True)
    thanks = RequiredFact(id="thanks", patterns=(r"\bthank \w+ very\b",), critical=True)
    assert ("script[0]", "relative-date") in rules(script=(f"Come {day}.",), checklist=(friday,))
    assert rules(script=(f"Come {day}.",), checklist=(thanks,)) == set()


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("My card is 4539 1488 0343 6467.", Severity.ERROR),
        ("Pay from DE89 3704 0044 0532 0130 00 please.", Severity.ERROR),
        ("Write to jane.miller@gmail.com.", Severity.WARNING),
        ("Call +49 30 2345 6789 please.", Severity.WARNING),
        ("Call (212) 736-5000 please.", Severity.WARNING),
    ],
)
def test_personal_data_is_found(text: str, severity: Severity) -> None:
    (finding,) = findings(intent(knows=(text,)))
    assert (finding.field, finding.rule, finding.severity) == ("knows[0]", "personal-data", severity)


@pytest.mark.parametrize(
    "text",
    [
        "My card is 4539 1488 0343 6468.",
        "My card is 4111 1111 1111 1111.",
        "Pay from DE89 3704 0044 0532 0130 01 please.",
        "Write to jane@example.com or joe@shop.example.",
        "Call 212-555-0142 please.",
        "The order 100-2000-3000 costs 1,250.00 and came on 2024-05-03.",
    ],
)
def test_what_is_nobodys_is_no_personal_data(text: str) -> None:
    assert findings(intent(knows=(text,))) == []


def test_a_finding_tells_where_and_what_would_be_right() -> None:
    (finding,) = findings(intent(min_turns=4, max_turns=3))
    assert str(finding) == "returns: min_turns: 4 is above max_turns (3); lower it"


def test_errors_come_before_warnings() -> None:
    found = findings(intent(description="You are a user who wants help.", knows=("TODO",)))
    assert [finding.severity for finding in found] == [Severity.ERROR, Severity.WARNING]


def test_a_tool_that_must_not_be_called_is_nothing_that_is_wanted() -> None:
    calls = ToolCalls(id="no-refund", only=("refund",), critical=True)
    assert ("checklist", "no-critical") in rules(checklist=(calls,))
    wanted = ToolCalls(id="refund", calls=(ExpectedCall(name="refund"),), critical=True)
    assert rules(checklist=(wanted,)) == set()


def test_a_required_day_stays_where_tomorrow_does_not() -> None:
    day = RequiredFact(id="day", date=date(2036, 5, 3), critical=True)
    assert ("script[0]", "relative-date") in rules(script=("Come tomorrow.",), checklist=(day,))


@pytest.mark.parametrize(
    "schema", [{}, {"title": "order"}, {"required": []}, {"properties": {}}, {"items": {"type": "string"}}]
)
def test_a_schema_that_an_empty_document_of_any_kind_satisfies_checks_nothing(schema: dict[str, object]) -> None:
    empty = JsonSchema(id="json", schema=schema, critical=True)
    (finding,) = findings(intent(checklist=(empty,), opening='Tidy this up: {"a": 1}'))
    assert (finding.field, finding.rule, finding.severity) == ("checklist.json", "checks-nothing", Severity.ERROR)
    assert "type, and required and properties of an object, minItems of an array" in finding.text
    state = State(id="json", source="shop", path="/orders", schema=schema, critical=True)
    assert ("checklist.json", "checks-nothing") in rules(checklist=(state,))


@pytest.mark.parametrize("schema", [{"type": "object"}, {"minItems": 1}, {"required": ["a"]}, {"minLength": 1}])
def test_a_schema_that_one_of_them_fails_checks_something(schema: dict[str, object]) -> None:
    assert rules(checklist=(JsonSchema(id="json", schema=schema, critical=True),)) == set()


def test_a_schema_without_an_end_is_an_error() -> None:
    endless = JsonSchema(id="json", schema={"allOf": [{"$ref": "#"}]}, critical=True)
    assert ("checklist.json", "endless-schema") in rules(checklist=(endless,))
