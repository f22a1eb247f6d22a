"""Checklist items as they are written: those of facts, tool calls and state."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from monitor.bootstrap.parts import state_sources
from monitor.intent import Amount, ExpectedCall, RequiredFact, State, ToolCalls
from monitor.scorers.state import StateSource
from tests.config.samples import CONFIG, loaded, problems

SOURCE = (
    f"{CONFIG}state_sources:\n  orders: {{url: 'https://orders.example.com/api', token_env: ORDERS, timeout: 3s}}\n"
)
ENV = {"ORDERS": "let-me-in-please"}


def item(text: str) -> str:
    return f"intents:\n  - id: a\n    description: b\n    script: [hi]\n    checklist:\n      - {{{text}}}\n"


def only_item(folder: Path, text: str) -> object:
    (intent,) = loaded(folder, SOURCE, item(text), ENV).suites["baseline"].intents
    return intent.checklist[0]


@pytest.mark.parametrize("text", ["2026-03-31", "'2026-03-31'"])
def test_a_date_may_stand_in_quotes_or_not(tmp_path: Path, text: str) -> None:
    assert only_item(tmp_path, f"id: x, kind: required_fact, date: {text}") == RequiredFact(
        id="x", date=date(2026, 3, 31)
    )


@pytest.mark.parametrize(("text", "number"), [("EUR 12.50", 12.5), ("EUR 12", 12.0), ("EUR -3", -3.0)])
def test_an_amount_is_a_currency_and_a_number(tmp_path: Path, text: str, number: float) -> None:
    found = only_item(tmp_path, f"id: x, kind: required_fact, amount: {text}")
    assert found == RequiredFact(id="x", amount=Amount(currency="EUR", number=number))


def test_tool_calls_map_one_to_one_on_the_values(tmp_path: Path) -> None:
    text = "id: x, kind: tool_call, calls: [{name: cancel, arguments: {order: A1, n: [1]}}], only: [cancel], wait: 5s"
    assert only_item(tmp_path, text) == ToolCalls(
        id="x",
        calls=(ExpectedCall(name="cancel", arguments={"order": "A1", "n": [1]}),),
        only=("cancel",),
        wait_seconds=5.0,
    )


def test_a_state_maps_one_to_one_on_the_values(tmp_path: Path) -> None:
    text = (
        "id: x, kind: state, source: orders, path: '/of/{conversation_id}?all=1', status: 404, patterns: [gone], "
        "schema: {type: object}, wait: 2s, critical: true"
    )
    assert only_item(tmp_path, text) == State(
        id="x",
        source="orders",
        path="/of/{conversation_id}?all=1",
        status=404,
        patterns=("gone",),
        schema={"type": "object"},
        wait_seconds=2.0,
        critical=True,
    )


def test_a_source_is_read_with_its_secret_which_is_never_shown(tmp_path: Path) -> None:
    config = loaded(tmp_path, SOURCE, env=ENV)
    assert state_sources(config) == {
        "orders": StateSource(url="https://orders.example.com/api", token="let-me-in-please", timeout_seconds=3.0)
    }
    assert "let-me-in-please" in {secret.reveal() for secret in config.secrets}
    assert "let-me-in-please" not in f"{state_sources(config)}{config.settings}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("id: x, kind: required_fact, date: 31.03.2026", "date: not a date; write year, month and day: '2026-03-31'"),
        ("id: x, kind: required_fact, date: '2026-02-30'", "date: not a date"),
        ("id: x, kind: required_fact, amount: 12.50", "amount: not an amount; write the currency's three letters"),
        ("id: x, kind: required_fact, amount: 12.50 EUR", "amount: not an amount"),
        ("id: x, kind: tool_call", "can never fail; add calls, only, or both"),
        ("id: x, kind: tool_call, calls: [cancel]", "calls[0]: is text; must be a mapping"),
        ("id: x, kind: tool_call, calls: [{arguments: {}}]", "calls[0].name: is required"),
        ("id: x, kind: tool_call, calls: [{name: x, args: {}}]", "calls[0].args: unknown key; did you mean arguments?"),
        ("id: x, kind: tool_call, only: [x], wait: 5", "wait: a duration without a unit"),
        ("id: x, kind: tool_call, only: [x], wait: 1h", "wait: must be 600.0 or less"),
        ("id: x, kind: state, source: orders", "path: is required"),
        ("id: x, kind: state, source: orders, path: of", "path: not a path of a URL; write it from its first slash on"),
        ("id: x, kind: state, source: orders, path: '/a b'", "path: not a path of a URL"),
        ("id: x, kind: state, source: orders, path: '/{id}'", "path: holds a placeholder that is not known"),
        ("id: x, kind: state, source: orders, path: /a, status: 99", "status: must be 100 or more"),
        ("id: x, kind: state, source: orders, path: /a, patterns: ['(']", "patterns[0]: not a regular expression"),
        ("id: x, kind: state, source: orders, path: /a, schema: {type: x}", "schema: not a JSON schema"),
    ],
)
def test_an_item_that_makes_no_sense_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    found = problems(tmp_path, SOURCE, item(text), ENV)
    where = "intents.yaml:6: intents[0].checklist[0]"
    assert any(line.startswith((f"{where}.{problem}", f"{where}: {problem}")) for line in found), found


def test_waiting_for_reports_that_nobody_takes_is_refused(tmp_path: Path) -> None:
    deaf, waits = f"{CONFIG}server: {{pages: null}}\n", "id: x, kind: tool_call, only: [pay], wait: 5s"
    assert problems(tmp_path, deaf, item(waits)) == [
        "intents.yaml:2: intents[0].checklist: x waits for reported tool calls, and server.pages, which takes them, is "
        "off; set an address there, or leave wait out"
    ]
    assert loaded(tmp_path, CONFIG, item(waits))
    assert loaded(tmp_path, deaf, item("id: x, kind: tool_call, only: [pay]"))


def test_a_source_that_is_not_configured_is_refused(tmp_path: Path) -> None:
    text = item("id: x, kind: state, source: billing, path: /a")
    assert problems(tmp_path, SOURCE, text, ENV) == [
        "intents.yaml:2: intents[0].checklist: x asks billing, which state_sources does not name; known: orders"
    ]
    assert problems(tmp_path, CONFIG, text)[0].endswith("known: none")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{}", "state_sources.orders.url: is required"),
        ("{url: 'ftp://h'}", "state_sources.orders.url: not a URL"),
        ("{url: 'http://h?a=1'}", "state_sources.orders.url: has a query"),
        ("{url: 'http://h', token: x}", "state_sources.orders.token: a secret is never written here; use token_file"),
        ("{url: 'http://h', token_env: NONE}", "state_sources.orders.token_env: this environment variable is not set"),
        ("{url: 'http://h', timeout: 3}", "state_sources.orders.timeout: a duration without a unit"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(tmp_path: Path, source: str, problem: str) -> None:
    (found,) = problems(tmp_path, f"{CONFIG}state_sources:\n  orders: {source}\n")
    assert problem in found
