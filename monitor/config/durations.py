"""Durations and sizes as people write them: `4h`, `1h30m`, `90s`, `1MB`. A bare number has no unit and is refused."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

LONGEST_SECONDS = 10 * 366 * 86400.0
LARGEST_BYTES = 1_000_000_000_000

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION_PATTERN = "^" + "".join(rf"([0-9]+(\.[0-9]+)?{unit})?" for unit in _UNITS) + "$"
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[dhms])")
_DURATION = re.compile(_DURATION_PATTERN)
_SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE = re.compile(r"([0-9]{1,15})(B|KB|MB|GB|KiB|MiB|GiB)")


def parse_duration(value: object) -> float:
    """Seconds. Raises ValueError for anything that is not numbers with units, the largest unit first."""
    text = value if isinstance(value, str) and len(value) <= 60 else ""
    if not text or not _DURATION.fullmatch(text):
        what = "a duration without a unit" if _is_number(value) else "not a duration"
        raise ValueError(f"{what}; write 4h, 90s or 1h30m (units d, h, m, s, ms, the largest first)")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds > LONGEST_SECONDS:
        raise ValueError("longer than ten years; write a shorter duration")
    return seconds


def parse_size(value: object) -> int:
    """Bytes. Raises ValueError for anything that is not a whole number with a unit."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        what = "a size without a unit" if _is_number(value) else "not a size"
        raise ValueError(f"{what}; write 1MB or 512KB (units B, KB, MB, GB, KiB, MiB, GiB)")
    size = int(match[1]) * _SIZES[match[2]]
    if not 0 < size <= LARGEST_BYTES:
        raise ValueError("out of range; write a size from 1B to 1000GB")
    return size


def format_duration(seconds: float) -> str:
    """The shortest way to write a duration: 5400 is `1h30m`."""
    left, text = round(seconds * 1000), ""
    for unit, length in _UNITS.items():
        count, left = divmod(left, round(length * 1000))
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def _is_number(value: object) -> bool:
    text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    return text.replace(".", "", 1).isdecimal()


def _positive(value: object) -> float:
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError("must be longer than nothing; write 4h, 90s or 1h30m")
    return seconds


_DURATION_SCHEMA = WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN, "examples": ["4h", "1h30m", "90s"]})

Duration = Annotated[float, BeforeValidator(_positive), _DURATION_SCHEMA]
DurationOrZero = Annotated[float, BeforeValidator(parse_duration), _DURATION_SCHEMA]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    Field(gt=0),
    WithJsonSchema({"type": "string", "pattern": f"^{_SIZE.pattern}$", "examples": ["1MB", "512KB"]}),
]
