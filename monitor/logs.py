"""How log lines look: one event a line, as JSON or as text, to standard error."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

from monitor.redact import Redactor
from monitor.text import printable

LINE_CHARACTERS = 4000
QUIET = ("httpx", "httpcore", "apscheduler", "alembic", "uvicorn", "slack_sdk", "aiohttp", "asyncio")


class Lines(logging.Formatter):
    """One printable line for each record, secrets replaced. A traceback is folded into the same line."""

    def __init__(self, style: Literal["json", "text"], redactor: Redactor) -> None:
        super().__init__()
        self._is_json = style == "json"
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message = record.getMessage()
        if record.exc_info:
            message += " | " + self.formatException(record.exc_info)
        message = printable(self._redactor.redact(message), LINE_CHARACTERS)
        level = record.levelname.lower()
        if not self._is_json:
            return f"{at} {level} {record.name} {message}"
        line = {"at": at, "level": level, "logger": record.name, "message": message}
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: str, style: Literal["json", "text"], redactor: Redactor) -> None:
    """Send everything to standard error; libraries are heard from `warning` up."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(Lines(style, redactor))
    logging.basicConfig(level=level.upper(), handlers=[lines], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
