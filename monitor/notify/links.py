"""Addresses of our own pages in messages. No other address is ever made a link."""

from __future__ import annotations

from urllib.parse import quote

from monitor.incident import Alert

_URL_CHARACTERS = ":/[]@!$'()*+,;=%"  # and no &, < or |: an address stands in Slack's markup as it is
_LONGEST_URL = 1000


def incident_url(alert: Alert) -> str | None:
    """The page of the incident; None without a base URL. A dead letter names the incident that it is about."""
    return _page(alert, "incidents", alert.incident_id) if alert.incident_id else None


def check_url(alert: Alert) -> str | None:
    """The page of the check that caused the alert; None without a base URL or a check."""
    return _page(alert, "checks", alert.check_id) if alert.check_id else None


def conversation_url(alert: Alert, conversation_id: str) -> str | None:
    """The page of one conversation; None without a base URL."""
    return _page(alert, "conversations", conversation_id)


def _page(alert: Alert, collection: str, identity: str) -> str | None:
    if not (alert.base_url or "").startswith(("http://", "https://")):
        return None
    base = quote((alert.base_url or "").rstrip("/"), safe=_URL_CHARACTERS, errors="replace")
    url = f"{base}/{collection}/{quote(identity, safe='', errors='replace')}"
    return url if len(url) <= _LONGEST_URL else None
