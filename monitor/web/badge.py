"""How a suite stands as a small picture, for pages elsewhere. Tells what the newest snapshot knows, and its age."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from markupsafe import escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.check import CheckStatus, Snapshot, SuiteSnapshot
from monitor.reveal import reveal
from monitor.web.condition import STALE, condition
from monitor.web.headers import BADGES

UNKNOWN = "unknown"
# Text of 4.5 : 1 against each, measured as WCAG 2.2 has it.
_COLOURS = {
    CheckStatus.HEALTHY.value: "#17693b",
    CheckStatus.DEGRADED.value: "#a4211c",
    CheckStatus.INCONCLUSIVE.value: "#7a4b00",
    STALE: "#7a4b00",
}
_PLAIN = "#5a6570"
_CHARACTER, _PAD, _HEIGHT = 6.6, 7.0, 20
MOST_CHARACTERS = 40


class Badges:
    """Answers from memory, so that it may be asked without a token and as often as anybody likes."""

    def __init__(self, snapshot: Callable[[], Snapshot | None], clock: Callable[[], datetime]) -> None:
        self._snapshot = snapshot
        self._clock = clock

    def route(self) -> Route:
        """Where they are."""
        return Route(BADGES + "{suite}.svg", self.badge)

    async def badge(self, request: Request) -> Response:
        """One suite; 404, with a picture that says so, where there is no such suite."""
        name, snapshot = request.path_params["suite"], self._snapshot()
        suites = snapshot.suites if snapshot else ()
        found = next((suite for suite in suites if suite.suite == name), None)
        if found is None or snapshot is None:
            return _picture(draw(name, UNKNOWN, None), 404)
        word, mean = standing(found, self._clock())
        return _picture(draw(name, word, mean, incidents=snapshot.incidents_open.get(name, 0)), 200)


def standing(suite: SuiteSnapshot, now: datetime) -> tuple[str, float | None]:
    """The suite's condition in a word, and its mean where that word is about it."""
    word = condition(suite, (), now).word
    ended = suite.last_ended
    if ended is None or word not in _COLOURS:
        return (word if word in _COLOURS or suite.watched.is_paused else UNKNOWN), None
    is_of_mean = word in (CheckStatus.HEALTHY, CheckStatus.DEGRADED) and ended.summary is not None
    return word, ended.summary.mean if is_of_mean and ended.summary else None


def draw(name: str, word: str, mean: float | None, *, incidents: int = 0) -> str:
    """The picture. Colour never tells alone: the word stands beside it. It is not green while an incident is open."""
    told = word if mean is None else f"{word} {mean:.2f}"
    told += f", {incidents} open" if incidents else ""
    label, text = (reveal(part)[:MOST_CHARACTERS] for part in (name, told))
    left, right = (round(_CHARACTER * len(part) + 2 * _PAD, 1) for part in (label, text))
    width, colour = round(left + right, 1), _colour(word, incidents)
    safe_label, safe_text = escape(label), escape(text)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" role="img" '
        f'aria-label="{safe_label}: {safe_text}"><title>{safe_label}: {safe_text}</title>'
        f'<rect width="{width}" height="{_HEIGHT}" rx="3" fill="#30363d"/>'
        f'<path d="M{left} 0h{round(right - 3, 1)}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{round(right - 3, 1)}z" '
        f'fill="{colour}"/><g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{_PAD}" y="14" textLength="{round(left - 2 * _PAD, 1)}">{safe_label}</text>'
        f'<text x="{round(left + _PAD, 1)}" y="14" textLength="{round(right - 2 * _PAD, 1)}">{safe_text}</text>'
        "</g></svg>"
    )


def _colour(word: str, incidents: int) -> str:
    is_recovering = word == CheckStatus.HEALTHY and incidents
    return _COLOURS[STALE] if is_recovering else _COLOURS.get(word, _PLAIN)


def _picture(svg: str, status: int) -> Response:
    return Response(svg, status_code=status, media_type="image/svg+xml")
