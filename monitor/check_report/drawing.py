"""Numbers as places in a drawing. Knows no markup; the y of a drawing grows downwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from monitor.check_report.changes import Z95, Difference
from monitor.store import CheckPoint

WIDTH, HEIGHT = 720, 200
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 18, 26
ROW_WIDTH, ROW_HEIGHT = 120, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One check: its average and, from `high_y` down to `low_y`, the interval (None: not measured)."""

    x: float
    y: float
    high_y: float | None
    low_y: float | None
    is_low: bool
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Averages in time, oldest left. `lines` are (y, value) of the grid; `text` says the same in words,
    `first` and `last` when the first and the last check began.
    """

    dots: tuple[Dot, ...]
    line: str
    lines: tuple[tuple[float, str], ...]
    threshold_y: float | None
    text: str
    first: str
    last: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One difference beside none: from `low_x` to `high_x` at 95 %."""

    zero_x: float
    x: float
    low_x: float
    high_x: float
    width: int = ROW_WIDTH
    height: int = ROW_HEIGHT


def draw_trend(points: Sequence[CheckPoint], threshold: float | None) -> Trend | None:
    """None with fewer than two, which make no line. The top is 1, the bottom a round number under all that is drawn."""
    known = [(point.mean, point.standard_error) for point in points if point.mean is not None]
    began = [f"{point.started_at.astimezone(UTC):%Y-%m-%d %H:%M}" for point in points if point.mean is not None]
    if len(known) < 2:
        return None
    lowest = min(mean - Z95 * (error or 0.0) for mean, error in known)
    bottom = max(0.0, int(10 * min(lowest, 1.0 if threshold is None else threshold) - 0.5) / 10)
    step = (WIDTH - LEFT - RIGHT) / (len(known) - 1)
    dots = tuple(
        Dot(
            x=round(LEFT + number * step, 1),
            y=_y(mean, bottom),
            high_y=None if error is None else _y(min(1.0, mean + Z95 * error), bottom),
            low_y=None if error is None else _y(max(0.0, mean - Z95 * error), bottom),
            is_low=threshold is not None and mean < threshold,
            is_last=number == len(known) - 1,
        )
        for number, (mean, error) in enumerate(known)
    )
    means = [mean for mean, _ in known]
    against = "" if threshold is None else f", {sum(dot.is_low for dot in dots)} of them below {threshold:.2f}"
    return Trend(
        dots=dots,
        line=" ".join(f"{dot.x},{dot.y}" for dot in dots),
        lines=_grid(bottom),
        threshold_y=None if threshold is None else _y(threshold, bottom),
        text=f"{len(means)} averages, the last {means[-1]:.2f}, from {min(means):.2f} to {max(means):.2f}{against}",
        first=began[0],
        last=began[-1],
    )


def draw_difference(one: Difference, reach: float) -> Row:
    """`reach`: how far the drawing goes to each side of none, for all rows of a table alike."""
    low, high = one.interval
    return Row(zero_x=ROW_WIDTH / 2, x=_x(one.value, reach), low_x=_x(low, reach), high_x=_x(high, reach))


def reach_of(differences: Sequence[Difference]) -> float:
    """What holds every interval."""
    return max((abs(end) for one in differences for end in one.interval), default=0.0) or 1.0


def _grid(bottom: float) -> tuple[tuple[float, str], ...]:
    step = 0.1 if bottom >= 0.5 else 0.2
    count = int((1.0 - bottom) / step + 0.001)
    return tuple((_y(1.0 - number * step, bottom), f"{1.0 - number * step:.1f}") for number in range(count + 1))


def _y(value: float, bottom: float) -> float:
    share = (1.0 - value) / max(1.0 - bottom, 0.1)
    return round(TOP + share * (HEIGHT - TOP - BOTTOM), 1)


def _x(value: float, reach: float) -> float:
    return round(ROW_WIDTH / 2 + value / reach * (ROW_WIDTH / 2 - 4), 1)
