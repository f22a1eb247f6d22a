"""Which check a person means: by its id, the beginning of it, or as the latest one."""

from __future__ import annotations

from monitor.check import CheckRecord, CheckStatus
from monitor.errors import NotThere
from monitor.store import Store
from monitor.text import printable

LATEST = "latest"
SHOWN = 5
_OVER = tuple(status for status in CheckStatus if status is not CheckStatus.RUNNING)


def find_check(store: Store, wanted: str) -> CheckRecord:
    """The check of this id or unique beginning of one; `latest` and `latest:SUITE`: the newest that is over.

    Raises NotThere, which says what there is.
    """
    word, _, suite = wanted.partition(":")
    if word == LATEST:
        return _latest(store, suite or None)
    exact = store.check(wanted)
    if exact is not None:
        return exact
    found = store.checks_beginning(wanted, limit=SHOWN + 1) if wanted else []
    if len(found) == 1:
        return found[0]
    named = printable(wanted)
    if found:
        more = " and more" if len(found) > SHOWN else ""
        raise NotThere(f"several checks begin with {named!r}; write more of the id:\n{_lines(found[:SHOWN])}{more}")
    raise NotThere(f"there is no check {named!r}; {_there_is(store.checks(limit=SHOWN))}")


def _latest(store: Store, suite: str | None) -> CheckRecord:
    found = store.checks(suite, limit=1, statuses=_OVER)
    if found:
        return found[0]
    of_suite = f" of a suite {printable(suite)!r}" if suite else ""
    raise NotThere(f"no check{of_suite} is over; {_there_is(store.checks(limit=SHOWN))}")


def _there_is(newest: list[CheckRecord]) -> str:
    if not newest:
        return "none is stored; `assistant-monitor check` makes one"
    return f"write `latest`, `latest:SUITE`, or the id of one (these are the newest):\n{_lines(newest)}"


def _lines(checks: list[CheckRecord]) -> str:
    """One a line."""
    return "\n".join(
        f"{check.id} {check.started_at:%Y-%m-%d %H:%M} {printable(check.suite)}: {check.status}" for check in checks
    )
