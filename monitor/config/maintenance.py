"""Section `maintenance`: when nobody is to be told, because somebody works on what is watched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from monitor.config.durations import Duration, format_duration, parse_duration
from monitor.config.fields import Many, Name, Section, wrong
from monitor.maintenance import Again, Maintenance, Once
from monitor.schedule import Cron, upcoming

LOOKED_FROM = datetime(2024, 1, 1, tzinfo=UTC)
LOOKED_AT = 200
SHOWN_SCOPES = 3
LONGEST = "366d"


def _time(value: object) -> datetime:
    """An aware UTC time. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        text = "not a time with its zone; write '2026-03-01T22:00+01:00' or '2026-03-01T21:00Z', in quotes"
        raise ValueError(text)
    return moment.astimezone(UTC)


def _glob(value: str) -> str:
    if not value.strip():
        raise ValueError("is blank; write a scope such as shop/overall, shop/* or *")
    return value


Time = Annotated[
    datetime, BeforeValidator(_time), WithJsonSchema({"type": "string", "examples": ["2026-03-01T22:00+01:00"]})
]
Glob = Annotated[str, Field(max_length=200), AfterValidator(_glob)]


class MaintenanceSettings(Section):
    """One window: `starts_at` and `ends_at`, or again and again by `cron`, `timezone` and `for`."""

    name: Name
    scopes: Many[Glob] = Field(min_length=1, max_length=100)
    """Globs: `shop/overall`, `shop/refund-*`, `shop/*`, `*`."""
    starts_at: Time | None = None
    """With its zone: '2026-03-01T22:00+01:00'."""
    ends_at: Time | None = None
    cron: str | None = None
    """Five fields: minute, hour, day of month, month, day of week."""
    timezone: str | None = None
    """IANA name of the time zone that `cron` means; UTC by default."""
    for_seconds: Duration | None = Field(default=None, alias="for")
    """How long each lasts."""

    @property
    def value(self) -> Maintenance:
        """The window itself."""
        return Maintenance(name=self.name, scopes=self.scopes, when=self._when)

    @property
    def _when(self) -> Once | Again:
        if self.cron is not None and self.for_seconds is not None:
            return Again(cron=Cron(self.cron, self.timezone or "UTC"), lasting=timedelta(seconds=self.for_seconds))
        assert self.starts_at is not None, "validated"
        assert self.ends_at is not None, "validated"
        return Once(starts_at=self.starts_at, ends_at=self.ends_at)

    @field_validator("cron", "timezone")
    @classmethod
    def _is_known(cls, value: str | None, info: object) -> str | None:
        if value is not None:
            is_cron = getattr(info, "field_name", "") == "cron"
            _ = Cron(value) if is_cron else Cron("0 0 * * *", value)
        return value

    @model_validator(mode="after")
    def _comes(self) -> Self:
        once = {"starts_at": self.starts_at, "ends_at": self.ends_at}
        again = {"cron": self.cron, "for": self.for_seconds, "timezone": self.timezone}
        if all(once.values()) and not any(again.values()):
            if self.ends_at <= self.starts_at:  # type: ignore[operator]  # neither is None
                raise wrong(("ends_at", "is not later than starts_at, so it never comes; write a later time"))
        elif self.cron and self.for_seconds and not any(once.values()):
            shortest = _shortest_pause(Cron(self.cron))
            if self.for_seconds > shortest:
                text = f"is longer than the shortest time between two of its starts; write {format_duration(shortest)}"
                raise wrong(("for", f"{text} or less"))
        else:
            text = "needs either starts_at and ends_at, or cron and for; write {starts_at: ..., ends_at: ...} or"
            raise wrong(("", f"{text} {{cron: '0 2 * * 0', timezone: Europe/Berlin, for: 2h}}"))
        return self

    @field_validator("for_seconds")
    @classmethod
    def _in_range(cls, value: float | None) -> float | None:
        if value is not None and value > parse_duration(LONGEST):
            raise ValueError(f"is longer than a year; write {LONGEST} or less")
        return value


def check_names(windows: tuple[MaintenanceSettings, ...]) -> tuple[MaintenanceSettings, ...]:
    """The windows themselves. Raises ValueError when two have one name."""
    names = [window.name for window in windows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"several windows are called {', '.join(twice)}; give each a name of its own")
    return windows


def warnings(windows: Sequence[Maintenance], scopes: Sequence[str]) -> Iterator[str]:
    """Sentences about windows that leave no time to tell anybody, or that are about nothing."""
    for window in windows:
        where = f"maintenance.{window.name}"
        if isinstance(window.when, Again) and window.when.lasting.total_seconds() >= _shortest_pause(window.when.cron):
            about = ", ".join(window.scopes)
            yield f"{where}: begins anew as it ends, so nobody is ever told of {about}; write a shorter for"
        for glob in window.scopes:
            if not any(Maintenance(name="", scopes=(glob,), when=window.when).concerns(scope) for scope in scopes):
                known = ", ".join(scopes[:SHOWN_SCOPES]) + (", ..." if len(scopes) > SHOWN_SCOPES else "")
                yield f"{where}: {glob} matches no scope; there are {known}"


def over(windows: Sequence[Maintenance], now: datetime) -> Iterator[str]:
    """Sentences about windows that never come again."""
    for window in windows:
        if isinstance(window.when, Once) and window.when.ends_at <= now:
            ended = f"{window.when.ends_at:%Y-%m-%d %H:%M} UTC"
            yield f"maintenance.{window.name}: has been over since {ended}; remove it, or plan it anew"


def _shortest_pause(cron: Cron) -> float:
    """The shortest time in seconds between two nominal starts, the setting of clocks aside."""
    starts = upcoming(Cron(cron.expression), LOOKED_FROM, LOOKED_AT)
    return min((later - earlier).total_seconds() for earlier, later in pairwise(starts))
