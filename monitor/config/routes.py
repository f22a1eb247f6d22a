"""Routes as the configuration has them, what they come to, and what is odd about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from monitor.config.explain import locate
from monitor.config.notify import NotifySettings, RouteSettings
from monitor.config.own_parts import own_scopes
from monitor.config.problems import Problems
from monitor.config.yaml_source import Node
from monitor.intent import Suite
from monitor.machine import AlertPolicy, Escalation
from monitor.maintenance import Maintenance, planned_window
from monitor.routing import Route, routed, unreachable, untold
from monitor.rules.monitor import is_own
from monitor.verdict import OVERALL, Severity

SHOWN_SCOPES = 3


def routes(notify: NotifySettings) -> tuple[Route, ...]:
    """The routes of the configuration."""
    return tuple(_route(route) for route in notify.routes)


def alert_policy(
    notify: NotifySettings, suite: Suite, scope: str, *, maintenance: Sequence[Maintenance] = ()
) -> AlertPolicy:
    """Who is told of the incidents of one scope of a suite, and when. An intent's scope has the intent's tags."""
    found = routed(routes(notify), scope, scopes(suite).get(scope, ()), notify.by_name)
    about = tuple(window for window in maintenance if window.concerns(scope))
    policy = AlertPolicy(routes=found.routes, escalations=found.escalations)
    return replace(policy, planned=partial(planned_window, about, scope)) if about else policy


def scopes(suite: Suite) -> dict[str, tuple[str, ...]]:
    """Everything of a suite that may have an incident, with its tags."""
    intents = {f"{suite.name}/{intent.id}": intent.tags for intent in suite.intents}
    return {f"{suite.name}/{OVERALL}": ()} | intents


def every_scope(suites: Mapping[str, Suite]) -> dict[str, tuple[str, ...]]:
    """Everything that may have an incident, with its tags: that of the monitor itself comes last."""
    watched = {scope: tags for suite in suites.values() for scope, tags in scopes(suite).items()}
    own: dict[str, tuple[str, ...]] = dict.fromkeys(own_scopes(suites), ())
    return watched | own


def check_channels(file: object, root: Node, notify: NotifySettings, problems: Problems) -> None:
    """Every channel that a route names is there."""
    known = ", ".join(notify.by_name) or "none"
    for number, route in enumerate(notify.routes):
        steps = enumerate(route.escalate)
        named = [("channels",), *(("escalate", step, "channels") for step, _ in steps)]
        for place, channels in zip(named, [route.channels, *(s.channels for s in route.escalate)], strict=True):
            for unknown in (channel for channel in channels if channel not in notify.by_name):
                line, key = locate(root, ("notify", "routes", number, *place))
                problems.add(file, line, key, f"no channel is called {unknown}; known: {known}")


def warnings(notify: NotifySettings, suites: Mapping[str, Suite]) -> Iterator[str]:
    """Sentences about what is allowed and probably not meant."""
    found = routes(notify)
    if not notify.by_name:
        yield "notify: no channel, so incidents are stored and shown, and nobody is told"
        return
    for index in unreachable(found):
        yield f"notify.routes[{index}]: is never reached, since the routes before it take all of its incidents"
    for severity, silent in _untold(found, suites).items():
        more = f" and {len(silent) - SHOWN_SCOPES} more" if len(silent) > SHOWN_SCOPES else ""
        yield f"notify.routes: nobody is told of {severity} of {', '.join(silent[:SHOWN_SCOPES])}{more}"
    named = {name for route in notify.routes for name in _channels(route)}
    for name in notify.by_name:
        if found and name not in named:
            yield f"notify: no route names the channel {name}, so nothing is told there"


def _untold(found: Sequence[Route], suites: Mapping[str, Suite]) -> dict[Severity, list[str]]:
    """As `untold`; of the monitor itself there are tickets alone."""
    silent = untold(found, every_scope(suites))
    likely = {
        severity: [scope for scope in scopes if severity is Severity.WARNING or not is_own(scope)]
        for severity, scopes in silent.items()
    }
    return {severity: scopes for severity, scopes in likely.items() if scopes}


def _channels(route: RouteSettings) -> Iterator[str]:
    yield from route.channels
    for step in route.escalate:
        yield from step.channels


def _route(route: RouteSettings) -> Route:
    return Route(
        severities=tuple(Severity(name) for name in route.match.severities),
        scopes=route.match.scopes,
        tags=route.match.tags,
        channels=route.channels,
        escalations=tuple(
            Escalation(after=timedelta(seconds=step.after_seconds), channels=step.channels) for step in route.escalate
        ),
        goes_on=route.goes_on,
    )
