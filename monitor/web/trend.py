"""A trend as a drawing: values with their intervals over time, and what they are held against. Knows no HTML.

Places are shares of the frame in [0, 100], counted from its left and its top, so that a page may stretch it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from monitor.incident import Incident
from monitor.stats import wilson_bounds

Z95 = 1.96
"""Normal quantile of a two-sided interval of 95 %."""
GRID, MARGIN = 0.1, 0.02
SPARK_WIDTH, SPARK_HEIGHT, SPARK_MARGIN = 100, 20, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """One check: its value with an interval of 95 %, what the baseline expects of it, and what it is held against.

    None: not measured, or nothing is expected. `note` says what a table adds.
    """

    check_id: str
    at: datetime
    epoch: str
    status: str
    value: float | None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    wanted: float | None = None
    note: str = ""

    @property
    def is_below(self) -> bool:
        """Whether the value is less than what is wanted."""
        return self.value is not None and self.wanted is not None and self.value < self.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """The place of one value."""

    x: float
    y: float
    is_below: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The place of an incident in time, which begins with the check that opened it; `is_open`: it has not ended."""

    x: float
    width: float
    begins_at: datetime
    incident: Incident
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Paths are SVG's. Lines break where nothing was measured and where an epoch ends: nothing compares across.

    `epochs` are the places at which a new one begins, `unmeasured` those of checks without a value; `top` and `bottom`
    the values of the frame's edges; `text` tells the same in a sentence.
    """

    points: tuple[TrendPoint, ...]
    dots: tuple[Dot, ...]
    band: str
    line: str
    baseline: str
    wanted: str
    epochs: tuple[float, ...]
    unmeasured: tuple[float, ...]
    spans: tuple[Span, ...]
    top: float
    bottom: float
    text: str


def wilson(passed: int, trials: int) -> tuple[float, float] | tuple[None, None]:
    """Wilson's interval of 95 % for a share; nothing without trials."""
    return wilson_bounds(passed, trials, Z95) if trials else (None, None)


def interval(mean: float | None, standard_error: float | None) -> tuple[float, float] | tuple[None, None]:
    """The mean -+ 1.96 standard errors, within [0, 1]."""
    if mean is None or standard_error is None:
        return None, None
    return max(0.0, mean - Z95 * standard_error), min(1.0, mean + Z95 * standard_error)


def draw(points: Sequence[TrendPoint], incidents: Iterable[Incident], *, now: datetime, of: str) -> Trend | None:
    """The drawing of these points, oldest first, and of what was open beside them; None with fewer than two values."""
    values = [point.value for point in points if point.value is not None]
    if len(values) < 2:
        return None
    frame = _Frame.around(points)
    dots = tuple(
        Dot(x=frame.x(point.at), y=frame.y(point.value), is_below=point.is_below)
        for point in points
        if point.value is not None
    )
    runs = [*_runs(points)]
    return Trend(
        points=tuple(points),
        dots=dots,
        band=" ".join(frame.band(run) for run in runs).strip(),
        line=" ".join(frame.path((p.at, p.value) for p in run) for run in runs),
        baseline=" ".join(frame.path((p.at, p.baseline) for p in run) for run in runs).strip(),
        wanted=frame.path((p.at, p.wanted) for p in points),
        epochs=tuple(frame.x(new.at) for old, new in pairwise(points) if old.epoch != new.epoch),
        unmeasured=tuple(frame.x(point.at) for point in points if point.value is None),
        spans=tuple(_span(frame, points, incident, now) for incident in incidents if frame.shows(incident)),
        top=frame.top,
        bottom=frame.bottom,
        text=_in_words(points, values, of),
    )


def sparkline(values: Sequence[float | None], bottom: float = 0.0, top: float = 1.0) -> str:
    """The path of values in [bottom, top], oldest first, SPARK_WIDTH by SPARK_HEIGHT; empty without two values."""
    if len(values) < 2:
        return ""
    step = (SPARK_WIDTH - 2 * SPARK_MARGIN) / (len(values) - 1)
    room = (SPARK_HEIGHT - 2 * SPARK_MARGIN) / (top - bottom)
    places = [
        None if value is None else (SPARK_MARGIN + number * step, SPARK_MARGIN + (top - value) * room)
        for number, value in enumerate(values)
    ]
    return _path(places)


@dataclass(frozen=True, slots=True)
class _Frame:
    start: datetime
    seconds: float
    bottom: float
    top: float

    @classmethod
    def around(cls, points: Sequence[TrendPoint]) -> _Frame:
        """From the first to the last time, and a little beyond every value that is drawn: a drop is seen, and noise
        stays small.
        """
        drawn = [v for p in points for v in (p.value, p.low, p.high, p.baseline, p.wanted) if v is not None]
        bottom = max(0.0, math.floor((min(drawn) - MARGIN) / GRID) * GRID)
        top = min(1.0, math.ceil((max(drawn) + MARGIN) / GRID) * GRID)
        top = 1.0 if top - bottom < 2 * GRID else top
        seconds = (points[-1].at - points[0].at).total_seconds()
        return cls(points[0].at, seconds or 1.0, round(min(bottom, 1.0 - 2 * GRID), 1), round(top, 1))

    def x(self, at: datetime) -> float:
        """Inside the frame, with a margin for the outermost dots."""
        share = (at - self.start).total_seconds() / self.seconds
        return round(1 + 98 * min(1.0, max(0.0, share)), 2)

    def y(self, value: float) -> float:
        return round(100 * (self.top - value) / (self.top - self.bottom), 2)

    def path(self, values: Iterable[tuple[datetime, float | None]]) -> str:
        return _path([None if value is None else (self.x(at), self.y(value)) for at, value in values])

    def band(self, run: Sequence[TrendPoint]) -> str:
        """The outline of the intervals of one run: along their upper ends and back along the lower ones."""
        known = [(p.at, p.low, p.high) for p in run if p.low is not None and p.high is not None]
        if len(known) < 2:
            return ""
        upper = [(self.x(at), self.y(high)) for at, _, high in known]
        lower = [(self.x(at), self.y(low)) for at, low, _ in reversed(known)]
        return _path([*upper, *lower]) + "Z"

    def shows(self, incident: Incident) -> bool:
        return incident.closed_at is None or incident.closed_at >= self.start


def _span(frame: _Frame, points: Sequence[TrendPoint], incident: Incident, now: datetime) -> Span:
    begins_at = next((point.at for point in points if point.check_id == incident.opened_by_check), incident.opened_at)
    left, right = frame.x(begins_at), frame.x(incident.closed_at or now)
    return Span(
        x=left,
        width=round(max(0.6, right - left), 2),
        begins_at=begins_at,
        incident=incident,
        is_open=incident.closed_at is None,
    )


def _runs(points: Sequence[TrendPoint]) -> Iterator[list[TrendPoint]]:
    """Neighbours that were measured under one epoch."""
    run: list[TrendPoint] = []
    for point in points:
        if run and (point.value is None or point.epoch != run[-1].epoch):
            yield run
            run = []
        if point.value is not None:
            run.append(point)
    if run:
        yield run


def _path(places: Sequence[tuple[float, float] | None]) -> str:
    """Lines through neighbouring places, lifted where one is missing. Places without a neighbour make no line."""
    path, is_down = [], False
    for place in places:
        if place is not None:
            path.append(f"{'L' if is_down else 'M'}{place[0]:.4g} {place[1]:.4g}")
        is_down = place is not None
    return "".join(path)


def _in_words(points: Sequence[TrendPoint], values: Sequence[float], of: str) -> str:
    below, wanted = sum(1 for point in points if point.is_below), points[-1].wanted
    held = f", {below} of them below {wanted:.2f}" if wanted is not None else ""
    epochs = len({point.epoch for point in points})
    changes = f"; {epochs} epochs, which do not compare" if epochs > 1 else ""
    return f"{len(values)} {of} from {min(values):.2f} to {max(values):.2f}, the newest {values[-1]:.2f}{held}{changes}"
