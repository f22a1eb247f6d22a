"""Makes text that others wrote safe to look at: what a browser would hide or obey is spelled out.

Escaping for HTML is the templates' work. This adds what escaping leaves alone: control characters, bidirectional
overrides that reorder a line, invisible characters that carry hidden instructions, and halves of surrogate pairs.
"""

from __future__ import annotations

import re

# Joiners (U+200C, U+200D) stay: Persian, Hindi and most emoji are written with them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def reveal(text: str) -> str:
    """The text with every hidden character written as ⟦U+202E⟧. Line feeds and tabs stay; CR LF becomes LF."""
    return _HIDDEN.sub(lambda match: f"⟦U+{ord(match[0]):04X}⟧", text.replace("\r\n", "\n"))


def shorten(text: str, limit: int) -> str:
    """The text, or its first `limit` characters and how many are left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text) - limit:,} more characters are not shown)"
