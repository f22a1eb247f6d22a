"""Who is told of which incidents: a list of routes, and what it comes to for one scope. Pure; knows no channel.

Routes are looked at in order. The first that matches says who is told, and, unless it says to go on, is the last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from monitor.machine import Escalation
from monitor.verdict import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Incidents that match are told on `channels`, and further on as `escalations` say.

    A route matches by severity, by scope (patterns with `*`) and by tag, each if any of its entries does; no entries
    match everything. `goes_on`: the routes behind it are looked at too.
    """

    severities: tuple[Severity, ...] = ()
    scopes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    goes_on: bool = False

    def matches(self, severity: Severity, scope: str, tags: Collection[str]) -> bool:
        """Whether it says who is told of such an incident."""
        return (
            (not self.severities or severity in self.severities)
            and (not self.scopes or any(fnmatchcase(scope, pattern) for pattern in self.scopes))
            and (not self.tags or any(tag in tags for tag in self.tags))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """What `monitor.machine.AlertPolicy` takes: the channels of each severity, and the steps of escalation."""

    routes: Mapping[Severity, tuple[str, ...]]
    escalations: tuple[Escalation, ...] = ()


def routed(routes: Sequence[Route], scope: str, tags: Collection[str], channels: Iterable[str]) -> Routed:
    """Who is told of the incidents of one scope. Without any route all `channels` are told, however severe."""
    if not routes:
        return Routed(routes=dict.fromkeys(Severity, tuple(channels)))
    told: dict[Severity, tuple[str, ...]] = {}
    steps: list[Escalation] = []
    for severity in Severity:
        taken = [routes[index] for index in _taken(routes, severity, scope, tags)]
        told[severity] = tuple(dict.fromkeys(channel for route in taken for channel in route.channels))
        steps += [replace(step, severities=(severity,)) for route in taken for step in route.escalations]
    return Routed(routes=told, escalations=_merged(steps))


def unreachable(routes: Sequence[Route]) -> list[int]:
    """The routes (by index) that no incident of any scope comes to, since those before them take all of theirs."""
    return [index for index, route in enumerate(routes) if not any(_is_reached(routes, index, w) for w in _own(route))]


def untold(routes: Sequence[Route], scopes: Mapping[str, Collection[str]]) -> dict[Severity, list[str]]:
    """By severity the scopes (given with their tags) whose incidents nobody is told of. Without any route, none."""
    silent = {
        severity: [
            scope
            for scope, tags in scopes.items()
            if not any(routes[index].channels for index in _taken(routes, severity, scope, tags))
        ]
        for severity in Severity
    }
    return {severity: found for severity, found in silent.items() if found and routes}


_Incident = tuple[Severity, str, tuple[str, ...]]


def _own(route: Route) -> Iterator[_Incident]:
    """The incidents that only what is as wide as the route can take from it: no name holds a `*`, so a scope that does
    is matched by a `*` alone.
    """
    for severity in route.severities or Severity:
        for pattern in route.scopes or ("*",):
            for tag in route.tags or (None,):
                yield severity, pattern, (tag,) if tag else ()


def _is_reached(routes: Sequence[Route], index: int, incident: _Incident) -> bool:
    return index in _taken(routes, *incident)


def _taken(routes: Sequence[Route], severity: Severity, scope: str, tags: Collection[str]) -> Iterator[int]:
    for index, route in enumerate(routes):
        if route.matches(severity, scope, tags):
            yield index
            if not route.goes_on:
                return


def _merged(steps: Iterable[Escalation]) -> tuple[Escalation, ...]:
    """The steps, those that differ by severity alone made one, the earliest first."""
    severities: dict[Escalation, list[Severity]] = {}
    for step in steps:
        severities.setdefault(replace(step, severities=()), []).extend(step.severities)
    merged = [replace(step, severities=tuple(dict.fromkeys(found))) for step, found in severities.items()]
    return tuple(sorted(merged, key=lambda step: step.after))
