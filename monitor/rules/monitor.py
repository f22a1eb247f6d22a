"""The rule `monitor`: what numbers about the monitor's own parts say of them. Pure; others gather the numbers.

Scopes are `monitor/<part>`, and `monitor/checks.<suite>` for what a suite's checks show of the monitor. All of it is a
ticket for whoever runs the monitor: it says nothing about the assistant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.canary import CanaryRun, CanaryState
from monitor.check import CheckStatus
from monitor.verdict import Finding, Severity, Verdict

NAME = "monitor"
SUITE = "monitor"
"""First part of the scopes, and therefore no name for a suite."""
CHECKS = "checks."

JUDGE_SHARE = 0.10
JUDGE_CALLS = 10
JUDGE_CALLS_SHARE = 0.5
RESTARTS = 3
OVERLAPS = 3
STORAGE_SECONDS = 60.0
STORAGE_CALM_SECONDS = 300.0
CLOCK_CALM_SECONDS = 3600.0
SKEW_SECONDS = 5.0
CONFIGURATION_SECONDS = 600.0


class Part(StrEnum):
    """What the monitor is made of, as far as it watches it."""

    CANARIES = "canaries"
    JUDGE = "judge"
    ENGINE = "engine"
    DELIVERY = "delivery"
    STORAGE = "storage"
    CLOCK = "clock"
    CONFIGURATION = "configuration"


_CALLED = {
    Part.CANARIES: "its canaries",
    Part.JUDGE: "its judge",
    Part.ENGINE: "its user model's server",
    Part.DELIVERY: "its delivery of messages",
    Part.STORAGE: "its database",
    Part.CLOCK: "its clock",
    Part.CONFIGURATION: "its configuration",
}
_FIRST = {
    Part.CANARIES: "run `assistant-monitor canaries` and see which ones are scored wrongly",
    Part.JUDGE: "see in the log what the judge's server answers; until it does, checks say less or nothing",
    Part.ENGINE: "see in the log what the engine said last, then its memory and its weights",
    Part.DELIVERY: "correct the channel's token or address; it is over when the channel has taken a message",
    Part.STORAGE: "see whether the database can be reached and its disk has room",
    Part.CLOCK: "see who sets this machine's clock (`timedatectl`)",
    Part.CONFIGURATION: "run `assistant-monitor validate`; the configuration before it still holds",
}
_FIRST_OF_CHECKS = "look at the outcomes of its newest checks; a rate limit, a judge or a user model may be in the way"


def scope_of(part: Part) -> str:
    """The scope of a part."""
    return f"{SUITE}/{part}"


def checks_scope(suite: str) -> str:
    """The scope of what a suite's checks show of the monitor."""
    return f"{SUITE}/{CHECKS}{suite}"


def is_own(scope: str) -> bool:
    """Whether the scope is about the monitor, not about an assistant."""
    return scope.startswith(f"{SUITE}/")


def called(scope: str) -> str:
    """What an own scope is about, in words."""
    name = scope.removeprefix(f"{SUITE}/")
    if name.startswith(CHECKS):
        return f"its checks of {name.removeprefix(CHECKS)}"
    return _CALLED[Part(name)] if name in set(Part) else name


def rule_of(host: str | None) -> str:
    """The rule's name for what only one of several daemons sees, on `host`; None: there is no other daemon."""
    return f"{NAME}@{host}" if host else NAME


def merged(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """One verdict for each scope and rule: the worst that was said, and RECOVERED only where nothing else was."""
    worst: dict[tuple[str, str], Verdict] = {}
    for verdict in verdicts:
        place = (verdict.scope, verdict.rule)
        if place not in worst or _RANK[verdict.finding] > _RANK[worst[place].finding]:
            worst[place] = verdict
    return tuple(worst.values())


_RANK = {Finding.RECOVERED: 0, Finding.UNKNOWN: 1, Finding.HOLD: 2, Finding.BREACH: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Down:
    """A server that is not usable: for how long, how long it may take to come, and why. `is_final`: it will not."""

    seconds: float
    patience_seconds: float
    reason: str
    is_final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """Messages that did not go out, by channel: lost within a day with none taken since, and waiting for too long.
    `is_unsure`: some wait, and not all of them are known for long enough.
    """

    lost: Mapping[str, int]
    late: Mapping[str, int]
    is_unsure: bool = False

    @property
    def channels(self) -> frozenset[str]:
        """Those that fail."""
        return frozenset((*self.lost, *self.late))


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Checks that wait for the database and for how long, checks lost within a day, how long the database was away at
    last, and how long ago that ended (None: it was not away).
    """

    waiting: int
    waiting_seconds: float
    lost: float
    away_seconds: float
    back_seconds: float | None


def of_canaries(run: CanaryRun | None, state: CanaryState) -> Verdict:
    """By the newest run."""
    if state is CanaryState.SICK and run is not None:
        return _bad(Part.CANARIES, run.reason)
    if state is CanaryState.HEALTHY:
        return _good(Part.CANARIES, "the canaries raise no alarm")
    return _unsaid(Part.CANARIES, "the canaries say nothing now")


def of_judge(errors: Mapping[str, tuple[int, int]]) -> Verdict:
    """By the newest check of each suite: conversations that the judge left without a score, of so many."""
    bad = [f"{n} of {of} conversations of {suite}" for suite, (n, of) in errors.items() if of and n / of > JUDGE_SHARE]
    if bad:
        return _bad(Part.JUDGE, f"it gave no usable answer on {', '.join(bad)} in the newest check")
    if not any(of for _, of in errors.values()):
        return _unsaid(Part.JUDGE, "no check says anything about the judge")
    return _good(Part.JUDGE, "the judge answers")


def of_judge_calls(failed: float, sent: float, *, host: str | None) -> Verdict | None:
    """By the requests of the last hour; None: too few to tell."""
    if sent < JUDGE_CALLS:
        return None
    if failed / sent >= JUDGE_CALLS_SHARE:
        return _bad(Part.JUDGE, "half or more of the requests to it failed in the last hour", host)
    return _good(Part.JUDGE, "the judge answers", host)


def of_engine(down: Down | None, restarts: float, *, host: str | None) -> Verdict:
    """`restarts` of the last hour; `down` None: it can be used now."""
    if restarts >= RESTARTS:
        return _bad(Part.ENGINE, f"it was started again {RESTARTS} times or more within an hour", host)
    if down is None:
        return _good(Part.ENGINE, "it answers", host)
    if down.is_final or down.seconds > down.patience_seconds:
        return _bad(Part.ENGINE, down.reason, host)
    return _unsaid(Part.ENGINE, down.reason, host)


def of_delivery(found: Undelivered) -> Verdict:
    """By what did not go out, whatever it was about, the delivery's own alert aside."""
    if found.channels:
        lost = [f"{channel} has not taken {count} of the last day" for channel, count in sorted(found.lost.items())]
        late = [f"{channel} has not taken {count} for 15 minutes" for channel, count in sorted(found.late.items())]
        return _bad(Part.DELIVERY, f"messages do not arrive: {'; '.join((*lost, *late))}")
    if found.is_unsure:
        return _unsaid(Part.DELIVERY, "messages wait")
    return _good(Part.DELIVERY, "every channel takes what it is sent")


def of_storage(found: Keeping, *, host: str | None) -> Verdict:
    """By what could not be written. While the database is away nobody can be told; afterwards somebody should be."""
    if found.lost:
        return _bad(Part.STORAGE, "checks were lost within the last day, as the log tells (spool_lost)", host)
    if found.waiting and found.waiting_seconds > STORAGE_SECONDS:
        return _bad(Part.STORAGE, "checks wait to be written", host)
    was_away = found.back_seconds is not None and found.away_seconds > STORAGE_SECONDS
    if was_away and found.back_seconds is not None and found.back_seconds < STORAGE_CALM_SECONDS:
        return _bad(Part.STORAGE, f"the database was away for {found.away_seconds / 60:.0f} minutes", host)
    if found.waiting:
        return _unsaid(Part.STORAGE, "checks wait to be written", host)
    return _good(Part.STORAGE, "the database is there, and nothing waits for it", host)


def of_clock(jump_seconds: float | None, calm_seconds: float, *, host: str | None) -> Verdict:
    """By the newest jump of the wall clock (None: none was seen) and the time since then, or since the start.

    An hour without another one ends it. Checks would be no measure: they go on under a wrong clock too.
    """
    if calm_seconds >= CLOCK_CALM_SECONDS:
        return _good(Part.CLOCK, "the clock has gone evenly for an hour", host)
    if jump_seconds is None:
        return _unsaid(Part.CLOCK, "the clock has been watched for too short a time", host)
    return _bad(Part.CLOCK, f"the wall clock jumped by {jump_seconds:+.0f} s; times and schedules moved with it", host)


def of_skew(seconds: float, *, host: str | None) -> Verdict:
    """By how far this machine's clock is ahead of that of the database, in which other daemons' leases are read."""
    if abs(seconds) < SKEW_SECONDS:
        return _good(Part.CLOCK, "it agrees with the database's", host)
    text = f"this machine's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the database's"
    return _bad(Part.CLOCK, f"{text}; daemons that share it take each other's messages and checks", host)


def of_configuration(problems: Sequence[str], seconds: float, *, host: str | None) -> Verdict:
    """By the newest reload: the problems for which it was refused, and for how long that has been so."""
    if not problems:
        return _good(Part.CONFIGURATION, "the newest configuration holds", host)
    text = f"the newest configuration was refused: {problems[0]}"
    return (_bad if seconds > CONFIGURATION_SECONDS else _unsaid)(Part.CONFIGURATION, text, host)


def of_ends(suite: str, newest: Sequence[CheckStatus], paused: str | None) -> Verdict:
    """By how the newest checks of a suite ended, oldest first; `paused`: why it is not to be watched now."""
    scope = checks_scope(suite)
    if paused is not None:
        return _verdict(scope, Finding.RECOVERED, f"paused: {paused}")
    is_inconclusive = [status is CheckStatus.INCONCLUSIVE for status in newest[-2:]]
    if is_inconclusive == [True, True]:
        return _verdict(scope, Finding.BREACH, f"two checks in a row say nothing. First: {_FIRST_OF_CHECKS}")
    if is_inconclusive and not is_inconclusive[-1]:
        return _verdict(scope, Finding.RECOVERED, "a check says something again")
    return _verdict(scope, Finding.HOLD, "one check says nothing")


def of_overlaps(suite: str, in_a_row: int | None, *, host: str | None) -> Verdict:
    """By the slots that were skipped because a check still ran; None: there was no slot yet."""
    scope, rule = checks_scope(suite), rule_of(host)
    if in_a_row is None:
        return _verdict(scope, Finding.UNKNOWN, "no slot came yet", rule)
    if in_a_row >= OVERLAPS:
        first = "First: lower `rounds`, raise `concurrency`, or check less often"
        return _verdict(scope, Finding.BREACH, f"checks outlast the interval; three slots were skipped. {first}", rule)
    if in_a_row:
        return _verdict(scope, Finding.HOLD, "a check outlasts the interval", rule)
    return _verdict(scope, Finding.RECOVERED, "checks end within the interval", rule)


def _bad(part: Part, what: str, host: str | None = None) -> Verdict:
    return _verdict(scope_of(part), Finding.BREACH, f"{what}. First: {_FIRST[part]}", rule_of(host))


def _good(part: Part, what: str, host: str | None = None) -> Verdict:
    return _verdict(scope_of(part), Finding.RECOVERED, what, rule_of(host))


def _unsaid(part: Part, what: str, host: str | None = None) -> Verdict:
    return _verdict(scope_of(part), Finding.HOLD, what, rule_of(host))


def _verdict(scope: str, finding: Finding, reason: str, rule: str = NAME) -> Verdict:
    return Verdict(scope=scope, rule=rule, finding=finding, severity=Severity.WARNING, reason=reason)
