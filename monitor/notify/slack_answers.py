"""What Slack's answers mean: which of its errors pass by themselves, and which never will."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from monitor.notify.classify import refused, retry_after_seconds
from monitor.notify.contract import Permanent, Retry
from monitor.text import printable

# Of the errors that Slack documents for chat.postMessage, chat.update and every method, those that pass. All others
# (invalid_auth, channel_not_found, msg_too_long, invalid_blocks ...) say that this very request cannot succeed.
PASSING_ERRORS = frozenset(
    {
        "fatal_error",
        "internal_error",
        "message_limit_exceeded",
        "org_login_required",
        "rate_limited",
        "ratelimited",
        "request_timeout",
        "rollup_error",
        "service_unavailable",
        "team_added_to_org",
        "temporarily_unavailable",
    }
)
# What the client lets through besides SlackApiError. AttributeError: its own, for a body that is no JSON object.
UNREADABLE = (aiohttp.ClientError, SlackClientError, OSError, ValueError, AttributeError)


def refused_by_slack(exc: SlackApiError, now: datetime) -> Retry | Permanent:
    """The result for an answer that is not `ok`. The error's text is Slack's word for it, if it gave one."""
    status = _status(exc)
    headers = getattr(exc.response, "headers", {})
    retry_after = headers.get("Retry-After") if isinstance(headers, Mapping) else None
    error = _error_word(getattr(exc.response, "data", None))
    if error in PASSING_ERRORS:
        return Retry(retry_after_seconds(retry_after, now), error)
    if status != 200:
        return refused(status, retry_after, now, error)
    return Permanent(error) if error else Retry(None, "answer that Slack would not give")


def broken_off(exc: Exception) -> Retry | Permanent:
    """The result when there was no answer, or none that can be read.

    Only the kind of the exception is told: an aiohttp error may quote the URL, and a webhook's URL is a secret.
    """
    if isinstance(exc, TimeoutError):
        return Retry(None, "no answer in time")
    if isinstance(exc, aiohttp.InvalidURL):
        return Permanent("the configured URL is not one")
    return Retry(None, f"no usable answer: {type(exc).__name__}")


def quiet_logger() -> logging.Logger:
    """A logger for slack_sdk that never writes what it does at DEBUG: bodies, and the URL of a webhook."""
    logger = logging.getLogger("monitor.notify.slack_sdk")
    logger.setLevel(logging.WARNING)
    return logger


def _status(exc: SlackApiError) -> int:
    """The client's own response calls it `status_code`; for a body that is no JSON it hands over aiohttp's."""
    status = getattr(exc.response, "status_code", None) or getattr(exc.response, "status", None)
    return status if isinstance(status, int) else 500


def _error_word(data: object) -> str:
    error = data.get("error") if isinstance(data, Mapping) else None
    return printable(error, 100) if isinstance(error, str) else ""
