"""Text that strangers wrote as GitHub-flavoured Markdown that says just that text: no markup, no link, no mention."""

from __future__ import annotations

import html
import re

from monitor.reveal import reveal, shorten
from monitor.text import fold_whitespace

# Between two of its characters it keeps GitHub from making a mention, a reference, an emoji or a link of them; that is
# done on the rendered text, where an escape or an entity is gone already. Nobody sees it.
BREAK = "\u200b"

_PUNCTUATION = re.compile(r"[\\`*_\[\]#|~$]")
_LINE_START = re.compile(r"^([-+=]|\d{1,9}(?=[.)](?:\s|$)))")
"""What would begin a list, a rule or a heading."""
_LEADERS = re.compile(r"[@#](?=\S)|:(?=//|[\w+-]+:)|(?i:\bwww)(?=\.)|(?i:\bgh)(?=-\d)")
_TICKS = re.compile(r"`+")


def inline(text: str, limit: int = 300) -> str:
    """One line, for a sentence or a cell of a table."""
    shown = _LEADERS.sub(lambda match: match[0] + BREAK, reveal(fold_whitespace(shorten(text, limit))))
    escaped = _PUNCTUATION.sub(lambda match: "\\" + match[0], html.escape(shown, quote=False))
    return _LINE_START.sub(lambda match: match[0] + "\\" if match[0].isdigit() else "\\" + match[0], escaped)


def code(text: str, limit: int = 100) -> str:
    """One line of code that can be copied, such as an id."""
    shown = reveal(fold_whitespace(shorten(text, limit))).replace("`", "'")
    return f"`{shown}`" if shown else ""


def in_html(text: str, limit: int = 300) -> str:
    """One line inside an HTML element, where Markdown is not read."""
    return html.escape(_LEADERS.sub(lambda match: match[0] + BREAK, reveal(fold_whitespace(shorten(text, limit)))))


def block(text: str, limit: int) -> str:
    """A block of code, in which nothing is read: a fence longer than any run of backticks inside."""
    shown = reveal(shorten(text, limit))
    fence = "`" * max(3, 1 + max((len(run) for run in _TICKS.findall(shown)), default=0))
    return f"{fence}text\n{shown}\n{fence}"
