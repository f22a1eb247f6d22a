"""The report as one JSON object, held against its schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from monitor.check import CheckRecord, Group
from monitor.check_report import CheckReport
from monitor.check_report.document import describe, render
from monitor.store import Store
from tests.check_report.hostile import hostile_check
from tests.check_report.samples import begin, fallen, reported, run
from tests.web.examples import SUMMARY, USERS

SCHEMA = json.loads((Path(__file__).parents[2] / "config" / "schema" / "report.v1.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


def read(report: CheckReport) -> Any:
    text = render(report)
    assert text.isascii()
    document = json.loads(text)
    VALIDATOR.validate(document)
    return document


@pytest.mark.parametrize("make", [fallen, run, hostile_check, lambda store: begin(store, "new")])
def test_every_report_is_valid(make: Callable[[Store], CheckRecord], sqlite_store: Store) -> None:
    read(reported(sqlite_store, make(sqlite_store)))


def test_the_schema_names_all_that_is_told(report: CheckReport) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]) == set(SCHEMA["required"]) == set(describe(report))
    for name in ("intents", "results", "verdicts", "trend"):
        assert set(SCHEMA["properties"][name]["items"]["properties"]) == set(describe(report)[name][0])
    assert set(SCHEMA["properties"]["compared"]["properties"]) == set(describe(report)["compared"])


def test_it_has_the_words_of_old(report: CheckReport) -> None:
    document = read(report)
    assert (document["average_score"], document["status"]) == (pytest.approx(0.4625), "degraded")
    assert (document["total_tests"], document["error_count"], document["average_turns"]) == (12, 1, 2.0)
    assert document["success_rate"] == pytest.approx(7 / 12)
    assert len(document["results"]) == 12


def test_a_change_has_both_ends_and_says_whether_it_is_sure(report: CheckReport) -> None:
    change = read(report)["intents"][0]["change"]
    assert (change["before"], change["now"], change["is_sure"]) == (pytest.approx(0.9), pytest.approx(0.1), True)
    assert change["interval"][0] < change["difference"] < change["interval"][1] < 0


def test_what_was_not_measured_is_null(sqlite_store: Store) -> None:
    document = read(reported(sqlite_store, begin(sqlite_store, "new")))
    names = ("average_score", "interval", "success_rate", "compared", "finished_at", "duration_seconds", "fidelity")
    assert {name: document[name] for name in names} == dict.fromkeys(names)


def test_users_are_told_beside_what_is_published(report: CheckReport) -> None:
    summary = replace(SUMMARY, fidelity=USERS, in_spec=Group(conversations=2, mean=0.9))
    document = read(replace(report, check=replace(report.check, summary=summary)))
    assert document["in_spec"] == {"conversations": 2, "average_score": 0.9}
    assert document["out_of_spec"] is None
    assert (document["fidelity"]["opener_words"], document["fidelity"]["intent_overlap"]) == (7.5, None)
    assert document["fidelity"]["published"] == {
        "first_turn_diversity": {"people": 0.9401, "UserLM-8b": 0.9455, "GPT-4o": 0.7442}
    }
