"""Secrets become placeholders, in every form in which they may come back."""

import base64
import html
import json
import re
from dataclasses import replace
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.redact import Redactor, redacted, redacted_score
from monitor.score import ComponentScore, Evidence, ItemScore, Score
from monitor.transcript import ToolCall
from tests.store.samples import a_conversation, a_transcript

SECRET = 'p@ss/w+rd "é" & 100%'


@pytest.mark.parametrize(
    "echo",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET),
        quote_plus(SECRET),
        re.sub("%..", lambda match: match.group().lower(), quote(SECRET, safe="")),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET).replace("/", "\\/")[1:-1],
        html.escape(SECRET),
    ],
)
def test_a_secret_is_found_in_every_form(echo: str) -> None:
    redacted = Redactor(secrets={"token": SECRET}).redact(f"you sent <{echo}> to us")
    assert redacted == "you sent <[redacted:token]> to us"


@given(st.binary(max_size=12), st.binary(max_size=12), st.booleans())
def test_a_secret_inside_base64_is_found_at_any_alignment(before: bytes, after: bytes, url_safe: bool) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    encoded = encode(before + b"hunter2-hunter2?>" + after).decode()
    redacted = Redactor(secrets={"token": "hunter2-hunter2?>"}).redact(encoded)
    assert "[redacted:token]" in redacted


def test_the_longest_secret_wins_where_one_contains_another() -> None:
    redactor = Redactor(secrets={"short": "hunter2", "long": "hunter2-and-more"})
    assert redactor.redact("hunter2-and-more, hunter2") == "[redacted:long], [redacted:short]"


def test_a_secret_is_text_and_not_a_pattern() -> None:
    redactor = Redactor(secrets={"token": "a.c(d)*e"})
    assert redactor.redact("abc(d)*e a.c(d)*e") == "abc(d)*e [redacted:token]"


def test_white_space_around_a_secret_is_not_part_of_it() -> None:
    assert Redactor(secrets={"token": "hunter2\n"}).redact("hunter2") == "[redacted:token]"


def test_a_secret_too_short_to_tell_from_a_word_is_named_and_left_alone() -> None:
    redactor = Redactor(secrets={"key": "EMPTY", "none": "", "token": "hunter2"})
    assert redactor.too_short == ("key", "none")
    assert redactor.redact("EMPTY hunter2") == "EMPTY [redacted:token]"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Authorization: Bearer abcdef0123456789==", "Authorization: Bearer [redacted:bearer_token]"),
        ("Authorization: Basic YWRtaW46aHVudGVyMg==", "Authorization: Basic [redacted:basic_auth]"),
        ("key sk-proj-Ab3dEf6hIj9lMn0pQr!", "key [redacted:api_key]!"),
        ("xoxb-123456789012-abcdef", "[redacted:slack_token]"),
        ("ghp_" + "a1" * 18, "[redacted:github_token]"),
        ("AKIAIOSFODNN7EXAMPLE", "[redacted:aws_key]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "[redacted:jwt]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----.", "[redacted:private_key]."),
        ("-----BEGIN PRIVATE KEY-----\nMIIE and cut", "[redacted:private_key]"),
    ],
)
def test_what_looks_like_a_credential_is_redacted_unasked(text: str, redacted: str) -> None:
    assert Redactor().redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "We use bearer authentication for this.",
        "That is one of the basic responsibilities of a seller.",
        "Try the sk-learn-based-pipelines-for-text package.",
        "The risk-assessment-2024-for-all-customers is attached.",
        "Order 2024-11-03-000017 arrives in 30 days.",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert Redactor().redact(text) == text


def test_configured_patterns_are_replaced_by_their_name() -> None:
    redactor = Redactor(patterns={"iban": r"\bDE\d{20}\b", "pin": r"PIN (?P<secret>\d{4})"})
    assert redactor.redact("DE12345678901234567890, PIN 1234") == "[redacted:iban], PIN [redacted:pin]"


def test_a_configured_pattern_takes_the_place_of_a_built_in_one() -> None:
    assert Redactor(patterns={"aws_key": "never"}).redact("AKIAIOSFODNN7EXAMPLE") == "AKIAIOSFODNN7EXAMPLE"


@pytest.mark.parametrize(
    ("patterns", "problem"),
    [({"a": "("}, "no regular expression"), ({"a": "x*"}, "matches the empty text"), ({"a b": "x"}, "cannot name")],
)
def test_a_pattern_that_cannot_work_is_refused(patterns: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Redactor(patterns=patterns)


@given(st.text(st.sampled_from("hunter2 Bearer abc0123456789 sk-[]:_redacted"), max_size=60))
def test_redacting_twice_changes_nothing(text: str) -> None:
    redactor = Redactor(secrets={"token": "hunter2"})
    once = redactor.redact(f"{text} hunter2 {text}")
    assert "hunter2" not in once
    assert redactor.redact(once) == once


@pytest.mark.parametrize(
    "piece", ["sk-", "xoxb-", "bearer ", "basic ", "eyJaaaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "a", "ghp_", " "]
)
def test_a_megabyte_of_beginnings_is_read_through(piece: str) -> None:
    hostile = piece * (1_000_000 // len(piece))
    assert len(Redactor().redact(hostile)) <= len(hostile)


def test_a_quote_that_holds_a_part_of_a_secret_is_left_out() -> None:
    said = "the key is hunter2-hunter2, keep it"
    quotes = {
        "key is hunter2": "[redacted:quote]",
        "key is": "key is",
        "hunter2-hunter2": "[redacted:token]",
        "2 s": "2 s",
    }
    items = tuple(
        ItemScore(id=str(n), kind="k", value=0.0, reason="", evidence=(Evidence(turn=0, quote=quote),))
        for n, quote in enumerate(quotes)
    )
    score = Score(value=0.0, reason="", gate=1.0, components=(ComponentScore(name="c", value=0.0, items=items),))
    shown = redacted_score(score, Redactor(secrets={"token": "hunter2-hunter2"}), [said])
    assert [seen.quote for item in shown.items for seen in item.evidence] == list(quotes.values())


def test_a_quote_of_a_tool_call_that_ends_within_a_secret_is_left_out_whole() -> None:
    call = ToolCall(name="send", arguments='{"to": "ann", "key": "hunter2-hunter2"}')
    said = a_transcript()
    turns = (said.turns[0], replace(said.turns[1], tool_calls=(call,)))
    seen = Evidence(turn=1, quote='send {"to": "ann", "key": "hunter2-h')
    item = ItemScore(id="sent", kind="tool_call", value=1.0, reason="", evidence=(seen,))
    score = Score(value=1.0, reason="", gate=1.0, components=(ComponentScore(name="task", value=1.0, items=(item,)),))
    talk = a_conversation(transcript=replace(said, turns=turns), score=score)
    clean = redacted(talk, Redactor(secrets={"key": "hunter2-hunter2"}))
    assert [one.quote for one in clean.score.items[0].evidence] == ["[redacted:quote]"]
    assert "hunter2" not in repr(clean)
