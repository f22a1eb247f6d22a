"""From values to HTML: the templates, and how numbers, times and words are written in them.

Every expression of every template is revealed and then escaped, so that none can forget it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from monitor import __version__
from monitor.reveal import reveal, shorten

TURN_CHARACTERS = 20_000
NOTE_CHARACTERS = 2_000


class Templates:
    """The templates, for pages that stand under the path of `base_url`; `site` is its host and port, if it has any."""

    def __init__(self, base_url: str | None, clock: Callable[[], datetime]) -> None:
        home = urlsplit(base_url or "")
        self.prefix = home.path.rstrip("/")
        self.site = home.netloc
        self._clock = clock
        self._environment = Environment(
            loader=PackageLoader("monitor.web"),
            autoescape=True,
            finalize=_finalize,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            number=number,
            signed=signed,
            percent=percent,
            seconds=seconds,
            moment=moment,
            time_of_day=time_of_day,
            day=day,
            words=words,
            note=note,
            turn_text=turn_text,
        )
        self._environment.globals.update(link=self.link, version=__version__)

    def page(self, name: str, *, status: int = 200, **context: object) -> HTMLResponse:
        """The template of that name, filled in."""
        html = self._environment.get_template(name).render(now=self._clock(), **context)
        return HTMLResponse(html, status_code=status)

    def link(self, *parts: str) -> str:
        """The path of a page: `link("checks", id)`; without parts, the overview."""
        return f"{self.prefix}/{'/'.join(quote(part, safe='', errors='replace') for part in parts)}"


def number(value: float | None, digits: int = 2) -> str:
    """Two decimals, or a dash for what was not measured."""
    return "–" if value is None else f"{value:.{digits}f}"


def signed(value: float | None) -> str:
    """Two decimals with a sign that is as wide as a digit."""
    return "–" if value is None else f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def percent(share: float | None) -> str:
    """A share in [0, 1] as a percentage, or a dash for what was not measured."""
    return "–" if share is None else f"{share:.0%}"


def seconds(value: float | None) -> str:
    """A duration in the units that people use for one of its size."""
    if value is None:
        return "–"
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
    minutes = round(value / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} days"


def moment(at: datetime | None) -> Markup | str:
    """A time in UTC, readable by people and machines."""
    if at is None:
        return "–"
    at = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S} UTC")


def time_of_day(at: datetime) -> Markup:
    """The time of day in UTC."""
    at = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%H:%M:%S} UTC")


def day(at: datetime) -> Markup:
    """Day and minute in UTC, where room is short and the year is clear."""
    at = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%m-%d %H:%M}")


def words(name: str) -> str:
    """A name of the code as words: assistant_timeout -> assistant timeout."""
    return name.replace("_", " ")


def note(text: str) -> str:
    """A reason, a quotation or an error, cut to what a page can bear."""
    return shorten(text, NOTE_CHARACTERS)


def turn_text(text: str) -> str:
    """What one party said, cut to what a page can bear."""
    return shorten(text, TURN_CHARACTERS)


def _finalize(value: object) -> object:
    return reveal(value) if isinstance(value, str) and not isinstance(value, Markup) else value
