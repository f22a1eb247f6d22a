"""When a suite is due. Pure: a schedule, the last slot that was run and the time in, a slot out.

A slot is an aware UTC time that names one run. Knows no clock, no database and no configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_PASS = timedelta(milliseconds=1)
SMALL_STEP = timedelta(minutes=1)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
HOURS_LOOKED_AT = 8 * 24
MAX_EXPRESSION = 200


@dataclass(frozen=True, slots=True)
class Every:
    """Slots at whole multiples of `seconds` after 1970-01-01T00:00Z, so that a restart shifts nothing."""

    seconds: float

    def __post_init__(self) -> None:
        if not 1 <= self.seconds <= 366 * 86400:
            raise ValueError("an interval lies between 1 second and 366 days")


@dataclass(frozen=True, slots=True)
class Cron:
    """Slots at local times given by a five-field cron expression.

    A local time that comes twice in a night (clocks set back) is run the first time only, unless the hour field is
    `*`: such an expression means an interval, and goes on through the second hour. A local time that is skipped
    (clocks set forward) is run at the end of the gap; one on a date that was skipped altogether is not run.
    """

    expression: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        """Raise ValueError for an expression that is wrong or never comes, and for an unknown time zone."""
        _zone(self.timezone)
        if len(self.expression) > MAX_EXPRESSION or len(self.expression.split()) != 5:
            raise ValueError("a cron expression has five fields: minute, hour, day of month, month, day of week")
        try:
            next(CronSim(self.expression, datetime(2024, 1, 1)))
        except CronSimError as exc:
            raise ValueError(f"not a cron expression: {str(exc).lower()}") from exc
        except StopIteration as exc:
            raise ValueError("this cron expression never comes") from exc


Schedule = Every | Cron


def next_slot(schedule: Schedule, after: datetime) -> datetime:
    """The first slot later than `after`."""
    _require_aware(after)
    if isinstance(schedule, Every):
        return _grid(schedule, after) + timedelta(seconds=schedule.seconds)
    zone = _zone(schedule.timezone)
    start = _naive(after, zone) - _shift_near(after, zone) - SECOND
    best: datetime | None = None
    for local in CronSim(schedule.expression, start):
        instants = _instants(local, zone, is_interval=_is_interval(schedule))
        # Later local times never come before the first pass of this one.
        if best and _first_pass(local, zone) >= best:
            break
        best = min([*(i for i in instants if i > after), *([best] if best else [])], default=None)
    assert best is not None, "a valid expression always comes again"
    return best


def latest_slot(schedule: Schedule, at: datetime) -> datetime:
    """The last slot at `at` or before."""
    _require_aware(at)
    if isinstance(schedule, Every):
        return _grid(schedule, at)
    zone = _zone(schedule.timezone)
    start = _naive(at, zone) + _shift_near(at, zone) + SECOND
    best: datetime | None = None
    for local in CronSim(schedule.expression, start, reverse=True):
        instants = _instants(local, zone, is_interval=_is_interval(schedule))
        if best and _last_pass(local, zone) <= best:
            break
        best = max([*(i for i in instants if i <= at), *([best] if best else [])], default=None)
    assert best is not None, "a valid expression has always come before"
    return best


def due_slot(schedule: Schedule, last: datetime | None, now: datetime) -> datetime | None:
    """The slot to run now, given the latest one that was run; None when nothing is due.

    However many slots were missed, only the latest is due. A `last` in the future means that the clock was set back.
    After a small step we wait for it to pass. After a larger one slots are due under a name of their own (a
    millisecond later), because under their first name some have been run already: a check at once, then one at each
    slot; where the clock passes `last` again, two checks are two slots apart.
    """
    latest = latest_slot(schedule, now)
    if last is None or last <= now:
        return latest if last is None or last < latest else None
    step = min(SMALL_STEP, (next_slot(schedule, now) - latest) / 2)
    return None if last - now <= step else latest + SECOND_PASS


def upcoming(schedule: Schedule, after: datetime, count: int) -> list[datetime]:
    """The next `count` slots later than `after`."""
    slots: list[datetime] = []
    for _ in range(count):
        slots.append(next_slot(schedule, slots[-1] if slots else after))
    return slots


def longest_pause(schedule: Schedule, after: datetime) -> timedelta:
    """The longest time between two slots, looked for at every hour of the eight days to come.

    A week and a day hold every pause of a daily or weekly pattern; in a rarer one every hour lies in a whole pause.
    """
    if isinstance(schedule, Every):
        return timedelta(seconds=schedule.seconds)
    hours = (after + number * HOUR for number in range(HOURS_LOOKED_AT))
    return max(next_slot(schedule, hour) - latest_slot(schedule, hour) for hour in hours)


def _grid(schedule: Every, at: datetime) -> datetime:
    step = timedelta(seconds=schedule.seconds)
    return EPOCH + (at - EPOCH) // step * step


def _is_interval(schedule: Cron) -> bool:
    return schedule.expression.split()[1] == "*"


def _naive(at: datetime, zone: tzinfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, microsecond=0, fold=0)


def _shift_near(at: datetime, zone: tzinfo) -> timedelta:
    """How much the offset changes within a day of `at`: so far may the orders of local and of real times differ."""
    offsets = [_offset(at + days * DAY, zone) for days in (-1, 0, 1)]
    return max(offsets) - min(offsets)


def _first_pass(local: datetime, zone: tzinfo) -> datetime:
    """The first instant at which local clocks show `local`; in a gap, the instant of its end."""
    earlier, later = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    # In a gap, fold 0 counts with the offset before it and so lies after it, fold 1 the other way round.
    return earlier if earlier <= later else _transition(later, earlier, zone)


def _last_pass(local: datetime, zone: tzinfo) -> datetime:
    return max(_first_pass(local, zone), local.replace(tzinfo=zone, fold=1).astimezone(UTC))


def _instants(local: datetime, zone: tzinfo, *, is_interval: bool) -> list[datetime]:
    first, second = _first_pass(local, zone), local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if second < first and _is_date_skipped(local, first, zone):
        return []
    return [first, second] if is_interval and second > first else [first]


def _is_date_skipped(local: datetime, transition: datetime, zone: tzinfo) -> bool:
    midnight = local.replace(hour=0, minute=0, second=0)
    before = (transition + _offset(transition - SECOND, zone)).replace(tzinfo=None)
    after = (transition + _offset(transition, zone)).replace(tzinfo=None)
    return before <= midnight and midnight + DAY <= after


def _transition(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first whole second in (before, after] with the offset of `after`."""
    low, high = 0, int((after - before).total_seconds())
    target = _offset(after, zone)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(before + middle * SECOND, zone) == target else (middle, high)
    return before + high * SECOND


def _offset(at: datetime, zone: tzinfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _zone(name: str) -> tzinfo:
    """Raise ValueError when there is no such time zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError("no such time zone; write one of the IANA names, such as Europe/Berlin") from exc


def _require_aware(at: datetime) -> None:
    if at.utcoffset() is None:
        raise ValueError("times are aware, with their zone")
