"""The report as Markdown, taken apart as it is rendered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from monitor.check_report import CheckReport
from monitor.check_report.inert import block, code, in_html, inline
from monitor.check_report.markdown import LEFT_OUT, MOST_CHARACTERS, render
from monitor.store import Store
from tests.check_report.hostile import TEXT, hostile_check
from tests.check_report.pages import Element, parse
from tests.check_report.samples import NOW, begin, reported, run

GFM = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
ALLOWED = {"h2", "h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre"} | {
    "code", "a", "sub", "strong", "em",
}  # fmt: skip
LIVE = re.compile(r"@\w|#\d|\bGH-\d|://|\bwww\.|:[\w+-]+:", re.IGNORECASE)
"""What GitHub makes something of in rendered text, outside of code."""


def rendered(markdown: str) -> Element:
    return parse(GFM.render(markdown))


def prose(element: Element) -> Iterator[str]:
    """The text outside of code."""
    for child in element.children:
        if isinstance(child, str):
            yield child
        elif child.tag not in ("code", "pre"):
            yield from prose(child)


def tables(page: Element) -> list[list[list[str]]]:
    return [[[cell.text for cell in row.all("th") + row.all("td")] for row in t.all("tr")] for t in page.all("table")]


def test_it_says_what_changed_then_figures_intents_and_conversations(report: CheckReport) -> None:
    page = rendered(render(report))
    assert page.all("h2")[0].text == "❌ shop: degraded"
    assert page.all("li")[0].text.startswith("The average fell from 0.94 to 0.46 since the last healthy check")
    figures, intents, verdicts = tables(page)
    assert ["Average", "0.46"] in figures
    assert intents[1] == ["refund", "0.10 ⬇", "0.00 to 0.38", "0.90", "−0.80", "−1.00 to −0.41", "–", "0 of 4 passed"]
    assert verdicts[1][:3] == ["shop/overall", "quality", "breach"]


def test_what_surely_moved_is_bold(report: CheckReport) -> None:
    rows = rendered(render(report)).all("table")[1].all("tr")[1:]
    assert [bool(row.all("strong")) for row in rows] == [True, False, False]


def test_conversations_are_folded(report: CheckReport) -> None:
    folds = rendered(render(report)).all("details")
    assert [fold.all("summary")[0].text for fold in folds][:2] == ["Verdicts", "refund, round 1: 0.00"]
    assert "ASSISTANT: Within 30 days, unworn." in folds[1].all("pre")[0].text


def test_links_lead_to_the_pages_alone(report: CheckReport) -> None:
    targets = {link.attributes["href"] for link in rendered(render(report)).all("a")}
    assert "https://monitor.example/checks/now" in targets
    assert all(target.startswith("https://monitor.example/") for target in targets)


def test_without_pages_there_are_no_links(report: CheckReport) -> None:
    assert rendered(render(replace(report, base_url=None))).all("a") == []


def test_hostile_text_is_just_text(sqlite_store: Store) -> None:
    page = rendered(render(reported(sqlite_store, hostile_check(sqlite_store), replace(NOW, base_url=None))))
    assert {element.tag for element in page.elements} <= ALLOWED
    assert {name for element in page.elements for name in element.attributes} <= {"style", "class"}
    said = "".join(prose(page))
    assert LIVE.findall(said) == []
    assert "<script>alert(1)</script>" in said
    assert {len(row) for table in tables(page) for row in table} == {2, 4, 8}


@pytest.mark.parametrize(
    "text",
    [
        "a|b",
        "`code`",
        "**b** _i_ ~s~",
        "[a](b) ![a](b)",
        "<b>x</b> &lt;",
        "1. one",
        "2) two",
        "- a",
        "+ a",
        "= a",
        "# a",
        "> a",
        "---",
        "*",
        "a\n\nb",
        "\\| \\",
        "$x$",
        "0.46",
        "-0.5",
    ],
)
def test_a_cell_says_just_its_text(text: str) -> None:
    page = rendered(f"| head |\n|---|\n| {inline(text)} |\n\n{inline(text)}\n\n- {inline(text)}\n")
    shown = [cell.text.replace("\u200b", "") for cell in page.all("td") + page.all("p") + page.all("li")]
    assert shown == [" ".join(text.split())] * 3
    assert {element.tag for element in page.elements} == {"table", "thead", "tbody", "tr", "th", "td", "p", "ul", "li"}


@given(st.text(max_size=40) | st.text(alphabet="`*_[]()<>&#|~$\\!-+=.:@/w1g \n", max_size=30))
@example(TEXT)
def test_any_text_is_inert(text: str) -> None:
    page = rendered(f"| head |\n|---|\n| {inline(text)} |\n\nx {inline(text)}\n")
    assert {element.tag for element in page.elements} <= {"table", "thead", "tbody", "tr", "th", "td", "p"}
    assert LIVE.findall("".join(prose(page))) == []


@given(st.text(max_size=60) | st.text(alphabet="`~\n ", max_size=30))
@example(TEXT)
def test_a_block_holds_any_text(text: str) -> None:
    page = rendered(f"{block(text, 5000)}\n\nafter\n")
    assert [element.tag for element in page.elements] == ["pre", "code", "p"]
    assert page.all("p")[0].text == "after"


@given(st.text(max_size=40))
@example(TEXT)
def test_code_and_html_hold_any_text(text: str) -> None:
    assert {e.tag for e in rendered(f"x {code(text)}").elements} <= {"p", "code"}
    (summary,) = parse(f"<summary>{in_html(text)}</summary>").elements
    assert LIVE.findall(summary.text) == []


def test_a_report_of_any_size_fits_a_comment(report: CheckReport) -> None:
    (first, *_) = report.worst
    conversation = first.conversation
    (turn, *_) = conversation.transcript.turns
    long = replace(conversation.transcript, turns=(replace(turn, text="x" * 8000),) * 50)
    excerpt = replace(first, conversation=replace(conversation, transcript=long))
    text = render(replace(report, worst=(excerpt,) * 10))
    assert MOST_CHARACTERS / 2 < len(text) < 65_000
    assert text.endswith(LEFT_OUT)


def test_a_check_that_runs_is_told_so(sqlite_store: Store) -> None:
    page = rendered(render(reported(sqlite_store, begin(sqlite_store, "new"))))
    assert page.all("h2")[0].text == "⏳ shop: running"
    assert ["Average", "not measured"] in tables(page)[0]


def test_many_intents_are_cut_short_and_counted(sqlite_store: Store) -> None:
    told = reported(sqlite_store, run(sqlite_store))
    many = replace(told, intents=told.intents * 20)
    assert "35 more are not shown." in render(many)
