"""The report as JUnit XML, held against the schema that its readers share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema

from monitor.check import CheckStatus
from monitor.check_report import CheckReport
from monitor.check_report.junit import render
from monitor.store import Store
from monitor.transcript import EndReason
from tests.check_report.hostile import hostile_check
from tests.check_report.samples import FALLEN, begin, play, reported, run

SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


def read(report: CheckReport) -> ET.Element:
    """The suite of a valid document."""
    text = render(report)
    SCHEMA.validate(text.encode())
    root = ET.fromstring(text)
    (suite,) = root
    return suite


def results(suite: ET.Element) -> dict[str, str | None]:
    """By case: failure, error, skipped, or None."""
    return {case.attrib["name"]: next((child.tag for child in case), None) for case in suite.iter("testcase")}


def test_intents_are_cases_and_the_suite_is_one_more(report: CheckReport) -> None:
    suite = read(report)
    assert results(suite) == {"overall": "failure", "refund": "failure", "opening-hours": "error", "shoes": None}
    counts = [suite.attrib[name] for name in ("tests", "failures", "errors", "skipped")]
    assert counts == ["4", "2", "1", "0"]


def test_a_failure_says_why_and_shows_the_worst_conversation(report: CheckReport) -> None:
    failure = read(report).find("testcase[@name='refund']/failure")
    assert failure is not None
    assert failure.attrib["message"] == "average 0.10 (95 %: 0.00 to 0.38) is below 0.75; 0 of 4 passed"
    assert failure.text is not None
    assert "days: the pattern '30 days' was not found (now-refund-1)" in failure.text
    assert "assistant: Within 30 days, unworn." in failure.text


def test_times_are_seconds_and_the_moment_has_no_zone(report: CheckReport) -> None:
    suite = read(report)
    assert (suite.attrib["time"], suite.attrib["timestamp"]) == ("180.000", "2026-03-01T12:00:00")
    assert [case.attrib["time"] for case in suite.iter("testcase")] == ["180.000", "48.000", "48.000", "48.000"]


def test_properties_name_epoch_mean_and_threshold(report: CheckReport) -> None:
    known = {one.attrib["name"]: one.attrib["value"] for one in read(report).iter("property")}
    assert (known["epoch"], known["mean"], known["threshold"]) == ("e1", "0.4625", "0.75")
    assert known["url"] == "https://monitor.example/checks/now"


def test_an_intent_without_a_valid_conversation_is_skipped(sqlite_store: Store) -> None:
    scores = {**FALLEN, "shoes": (EndReason.GUARDRAILS,) * 4}
    skipped = read(reported(sqlite_store, run(sqlite_store, scores=scores))).find("testcase[@name='shoes']/skipped")
    assert skipped is not None
    assert skipped.text is not None
    assert skipped.text.startswith("shoes, round 0: simulator invalid: HTTP 503")


@pytest.mark.parametrize(
    ("worths", "result"),
    [
        ((EndReason.HTTP_STATUS,) * 4, "error"),
        ((0.9, 0.9, EndReason.HTTP_STATUS, EndReason.TURN_DEADLINE), "error"),
        ((0.2, 0.9, EndReason.HTTP_STATUS, 0.2), "failure"),
        ((1.0, 1.0, 1.0, EndReason.HTTP_STATUS), None),
    ],
)
def test_errors_of_the_assistant_are_told_from_bad_answers(
    worths: tuple[float | EndReason, ...], result: str | None, sqlite_store: Store
) -> None:
    suite = read(reported(sqlite_store, run(sqlite_store, scores={**FALLEN, "shoes": worths})))
    assert results(suite)["shoes"] == result


@pytest.mark.parametrize(
    ("status", "result"),
    [(CheckStatus.HEALTHY, None), (CheckStatus.DEGRADED, "failure"), (CheckStatus.INCONCLUSIVE, "skipped")],
)
def test_the_suite_is_what_the_check_says(status: CheckStatus, result: str | None, sqlite_store: Store) -> None:
    assert results(read(reported(sqlite_store, run(sqlite_store, status=status))))["overall"] == result


def test_a_running_check_is_skipped_and_a_lost_one_an_error(sqlite_store: Store) -> None:
    check = begin(sqlite_store, "new")
    sqlite_store.save_conversation(play("new", {"refund": (0.1,)})[0], None)
    assert results(read(reported(sqlite_store, check))) == {"overall": "skipped", "refund": "failure"}
    lost = replace(check, status=CheckStatus.ABORTED, reason="its process is gone")
    assert results(read(reported(sqlite_store, lost)))["overall"] == "error"


def test_hostile_text_is_well_formed_and_inert(sqlite_store: Store) -> None:
    suite = read(reported(sqlite_store, hostile_check(sqlite_store)))
    text = "".join(suite.itertext())
    assert "<script>alert(1)</script>" in text
    assert "⟦U+001B⟧[31mred⟦U+0007⟧ ⟦U+202E⟧gpj.exe" in text
    assert "\ufffe" not in text


def test_its_output_is_bounded(report: CheckReport) -> None:
    (first, *_) = report.intents
    many = replace(report, intents=tuple(replace(first, intent_id=f"{n}-{'x' * 200}") for n in range(1000)))
    output = read(many).findtext("system-out")
    assert output is not None
    assert 50_000 < len(output) < 51_000
