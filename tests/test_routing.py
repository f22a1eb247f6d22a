"""Routes: the first that matches says who is told, and what a list of them comes to for one scope."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.machine import Escalation
from monitor.routing import Route, routed, unreachable, untold
from monitor.verdict import Severity

CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
PAGE = Route(severities=(CRITICAL,), channels=("pagerduty", "slack"))
REST = Route(channels=("slack",))
HALF_AN_HOUR = timedelta(minutes=30)


def told(*routes: Route, scope: str = "shop/overall", tags: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    found = routed(routes, scope, tags, ("slack", "pagerduty", "mail"))
    return {severity.value: channels for severity, channels in found.routes.items()}


def test_without_routes_every_channel_is_told_however_severe() -> None:
    assert told() == dict.fromkeys(("critical", "error", "warning", "info"), ("slack", "pagerduty", "mail"))


def test_the_first_route_that_matches_says_who_is_told() -> None:
    assert told(PAGE, REST)["critical"] == ("pagerduty", "slack")
    assert told(PAGE, REST)["warning"] == ("slack",)


def test_a_route_that_goes_on_adds_the_next_without_telling_anybody_twice() -> None:
    everything = Route(channels=("mail", "slack"), goes_on=True)
    assert told(everything, PAGE, REST)["critical"] == ("mail", "slack", "pagerduty")


@pytest.mark.parametrize(
    ("route", "is_matched"),
    [
        (Route(scopes=("shop/*",)), True),
        (Route(scopes=("office/*", "*/overall")), True),
        (Route(scopes=("shop",)), False),
        (Route(scopes=("Shop/*",)), False),
        (Route(tags=("billing", "legal")), True),
        (Route(tags=("other",)), False),
        (Route(scopes=("shop/*",), tags=("other",)), False),
    ],
)
def test_a_route_matches_by_scope_and_tag_each_by_any_of_its_entries(route: Route, is_matched: bool) -> None:
    assert route.matches(CRITICAL, "shop/overall", ("billing",)) is is_matched


def test_what_no_route_matches_is_told_to_nobody() -> None:
    assert told(PAGE)["warning"] == ()


def test_steps_of_escalation_keep_the_severities_of_their_route_and_come_in_order() -> None:
    later = Escalation(after=4 * HALF_AN_HOUR, channels=("mail",))
    soon = Escalation(after=HALF_AN_HOUR, channels=("boss",))
    page = Route(severities=(CRITICAL, Severity.ERROR), channels=("pagerduty",), escalations=(later, soon))
    found = routed((page, REST), "shop/overall", (), ())
    severe = (CRITICAL, Severity.ERROR)
    assert found.escalations == (
        Escalation(after=HALF_AN_HOUR, channels=("boss",), severities=severe),
        Escalation(after=4 * HALF_AN_HOUR, channels=("mail",), severities=severe),
    )


@pytest.mark.parametrize(
    ("routes", "missed"),
    [
        ([PAGE, REST], []),
        ([REST, PAGE], [1]),
        ([Route(goes_on=True), PAGE, REST], []),
        ([Route(scopes=("shop/*",)), Route(scopes=("shop/overall",)), Route(scopes=("shop*",))], [1]),
        ([Route(scopes=("shop/overall",)), Route(scopes=("shop/*",))], []),
        ([Route(tags=("a",)), Route(tags=("a", "b")), Route(tags=("b",))], [2]),
        ([Route(severities=(CRITICAL, WARNING)), PAGE, Route(severities=(WARNING, Severity.INFO))], [1]),
        ([PAGE, Route(severities=tuple(s for s in Severity if s is not CRITICAL)), Route(scopes=("x",))], [2]),
    ],
)
def test_a_route_behind_others_that_take_all_of_its_own_is_unreachable(routes: list[Route], missed: list[int]) -> None:
    assert unreachable(routes) == missed


def test_severities_that_nobody_is_told_of_are_named_with_their_scopes() -> None:
    scopes = {"shop/overall": (), "shop/refund": ("billing",)}
    silent = untold([PAGE, Route(tags=("billing",), channels=("mail",))], scopes)
    assert silent == {severity: ["shop/overall"] for severity in Severity if severity is not CRITICAL}
    assert untold([PAGE, Route()], scopes)[WARNING] == ["shop/overall", "shop/refund"]
    assert untold([], scopes) == {}
