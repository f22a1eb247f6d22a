"""Log lines: one a record, printable, without secrets."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from monitor.logs import Lines
from monitor.redact import Redactor

REDACTOR = Redactor(secrets={"token": "hunter2-hunter2"})


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("monitor.test", logging.WARNING, __file__, 1, message, args, None)


def test_json_lines_hold_time_level_logger_and_message() -> None:
    line = json.loads(Lines("json", REDACTOR).format(record("check_done check_id=%s", "abc")))
    assert (line["level"], line["logger"], line["message"]) == ("warning", "monitor.test", "check_done check_id=abc")
    assert line["at"].endswith("+00:00")


@pytest.mark.parametrize("style", ["json", "text"])
def test_newlines_escapes_and_secrets_do_not_get_out(style: str) -> None:
    hostile = record("said=%s", "a\nforged level=error\x1b[31m hunter2-hunter2 \u202e\0")
    line = Lines(style, REDACTOR).format(hostile)  # type: ignore[arg-type]
    assert "\n" not in line
    assert not {"\x1b", "\u202e", "\0"} & set(line)
    assert "hunter2" not in line
    assert "[redacted:token]" in line


def test_a_traceback_stays_in_its_line() -> None:
    broken = record("check_broke")
    try:
        raise ValueError("hunter2-hunter2")
    except ValueError:
        broken.exc_info = sys.exc_info()
    line = Lines("text", REDACTOR).format(broken)
    assert "ValueError: [redacted:token]" in line
    assert "\n" not in line
