"""The report as one HTML file."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import replace

import pytest

from monitor.check_report import CheckReport
from monitor.check_report.html import render
from monitor.score import Evidence
from monitor.store import Store
from tests.check_report.hostile import hostile_check
from tests.check_report.pages import Element, parse
from tests.check_report.samples import NOW, begin, conversation, reported, run, score
from tests.check_report.samples import REFUND as INTENT

ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "a", "header", "h1", "span", "bdi", "p", "main", "section", "h2",
    "ul", "li", "div", "table", "thead", "tr", "th", "tbody", "td", "svg", "line", "circle", "dl", "dt", "dd", "figure",
    "text", "polyline", "figcaption", "h3", "details", "summary", "ol", "mark", "h4", "blockquote", "footer", "code",
    "pre",
}  # fmt: skip


@pytest.fixture
def page(report: CheckReport) -> Element:
    return parse(render(report))


@pytest.fixture
def hostile(sqlite_store: Store) -> Element:
    return parse(render(reported(sqlite_store, hostile_check(sqlite_store))))


def attributes(page: Element) -> set[str]:
    return {name for element in page.elements for name in element.attributes}


def test_it_says_what_changed_first(page: Element) -> None:
    assert [heading.text for heading in page.all("h2")] == [
        "What changed",
        "Figures and intervals",
        "Intents, worst first",
        "Verdicts",
        "Conversations to read",
    ]
    (changed,) = page.all("ul", **{"class": "card changed"})
    assert changed.text.strip().startswith("The average fell from 0.94 to 0.46")


def test_changes_are_a_table_with_what_moved_surely_marked(page: Element) -> None:
    rows = [row for row in page.all("tr") if row.all("svg")]
    assert [row.all("th")[0].text.split()[0] for row in rows] == ["refund", "opening-hours", "shoes"]
    assert [len(row.all("td", **{"class": "num sure"})) for row in rows] == [1, 0, 0]
    assert [c.attributes["class"] for row in rows for c in row.all("circle")] == ["dot fell", "dot", "dot"]


def test_its_style_is_pinned_and_nothing_else_is_allowed(report: CheckReport) -> None:
    page = parse(render(report))
    (style,) = page.all("style")
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    digest = b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    assert policy.attributes["content"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in style.text
    assert "@import" not in style.text


@pytest.mark.parametrize("which", ["page", "hostile"])
def test_nothing_in_it_runs_or_is_fetched(which: str, request: pytest.FixtureRequest) -> None:
    page: Element = request.getfixturevalue(which)
    assert {element.tag for element in page.elements} <= ALLOWED
    assert attributes(page) & {"src", "srcset", "style", "srcdoc", "action", "xlink:href", "background"} == set()
    assert not [name for name in attributes(page) if name.startswith("on")]
    targets = {element.attributes["href"] for element in page.elements if "href" in element.attributes}
    assert {target for target in targets if not target.startswith(("#", "https://monitor.example/"))} == set()


def test_hostile_text_is_shown_as_text(hostile: Element) -> None:
    (title,) = hostile.all("title")
    assert "<script>alert(1)</script>" in title.text
    assert "{{7*7}}" in title.text
    assert "⟦U+202E⟧gpj.exe" in hostile.text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ufeff\U000e0041]", hostile.text)


def test_every_link_inside_leads_somewhere_and_no_place_is_named_twice(page: Element) -> None:
    places = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    inside = [element.attributes["href"][1:] for element in page.all("a") if element.attributes["href"].startswith("#")]
    assert len(places) == len(set(places))
    assert set(inside) <= set(places)
    labels = {
        element.attributes["aria-labelledby"] for element in page.elements if "aria-labelledby" in element.attributes
    }
    assert labels <= set(places)


def test_conversations_are_folded_and_the_worst_is_open(page: Element) -> None:
    talks = page.all("details", **{"class": "talk"})
    assert [("open" in talk.attributes) for talk in talks] == [True, False, False, False, False]
    assert "refund, round 1" in talks[0].all("summary")[0].text


def test_evidence_is_marked_in_the_turn_that_it_is_of(page: Element) -> None:
    marks = page.all("mark")
    assert {(mark.text, mark.attributes["class"]) for mark in marks} == {("30 days", "bad")}
    assert len(marks) == 4


def test_evidence_of_a_turn_that_is_not_there_is_no_link(sqlite_store: Store) -> None:
    one = conversation("now", INTENT, 0, 0.1)
    made = score(0.1)
    (component,) = made.components
    item = replace(component.items[0], evidence=(Evidence(turn=9, quote="gone"),))
    one = replace(one, score=replace(made, components=(replace(component, items=(item,)),)))
    page = parse(render(reported(sqlite_store, run(sqlite_store, conversations=[one]))))
    (quoted,) = page.all("blockquote")
    assert quoted.text == "goneTurn 10"
    assert quoted.all("a") == []


def test_the_trend_is_drawn_and_said(page: Element) -> None:
    (drawing,) = page.all("svg", role="img")
    assert drawing.attributes["aria-label"] == "2 averages, the last 0.46, from 0.46 to 0.94, 1 of them below 0.75"
    assert [dot.attributes["class"] for dot in drawing.all("circle")] == ["above", "below last"]


def test_tables_and_regions_are_named_for_those_who_do_not_see(page: Element) -> None:
    assert page.all("html")[0].attributes["lang"] == "en"
    assert all("scope" in cell.attributes for cell in page.all("th"))
    assert page.all("div", role="group")
    for region in page.all("div", role="group"):
        assert region.attributes["tabindex"] == "0"
        assert {"aria-label", "aria-labelledby"} & region.attributes.keys()


def test_what_was_not_measured_is_said_so(sqlite_store: Store) -> None:
    page = parse(render(reported(sqlite_store, begin(sqlite_store, "new"))))
    facts = dict(zip((e.text for e in page.all("dt")), (e.text for e in page.all("dd")), strict=True))
    assert (facts["Average"], facts["For these intents (95 %)"]) == ("not measured", "not measured")
    assert facts["Took"] == "still running"
    assert "None is stored: there was none yet." in page.text


def test_without_an_address_of_the_pages_there_is_no_link_to_them(sqlite_store: Store) -> None:
    html = render(reported(sqlite_store, run(sqlite_store), replace(NOW, base_url=None)))
    assert "http" not in {link.attributes["href"][:4] for link in parse(html).all("a")}
