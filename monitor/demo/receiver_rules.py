"""What Slack, PagerDuty and Alertmanager demand of a body, and what a body says was told. Pure."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

Body = Mapping[str, object]

_BLOCK_LIMIT = 50
_EVENT_BYTES = 512 * 1024
_SEVERITIES = {"critical", "error", "warning", "info"}
_CHANNEL_ID = re.compile("[CGD][A-Z0-9]{8,}")
_LABEL_NAME = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
_KIND_AND_KEY = re.compile("(open|update|reminder|ack|resolve|info) `(.+)`")


def slack_error(body: Body) -> str | None:
    """Slack's word for what is wrong with a message, None for a good one."""
    text, blocks = body.get("text"), body.get("blocks")
    if not text and not blocks:
        return "no_text"
    if isinstance(text, str) and len(text) > 40_000:
        return "msg_too_long"
    if blocks is None:
        return None
    if not isinstance(blocks, list) or len(blocks) > _BLOCK_LIMIT or not all(map(_is_block, blocks)):
        return "invalid_blocks"
    return None


def slack_channel_id(destination: str) -> str:
    """The id behind a channel's name; an id is its own. Updates know channels by id alone."""
    if _CHANNEL_ID.fullmatch(destination):
        return destination
    return "C" + hashlib.sha256(destination.encode()).hexdigest()[:10].upper()


def pagerduty_errors(body: Body) -> list[str]:
    """What Events v2 finds wrong with an event; none for a good one."""
    wrong = [f"'{name}' is missing or blank" for name in ("routing_key", "event_action") if not _is_text(body, name)]
    if body.get("event_action") not in {"trigger", "acknowledge", "resolve"}:
        wrong.append("'event_action' must be trigger, acknowledge or resolve")
    if body.get("event_action") != "trigger" and not _is_text(body, "dedup_key"):
        wrong.append("'dedup_key' is missing or blank")
    if len(str(body.get("dedup_key") or "")) > 255:
        wrong.append("'dedup_key' is longer than 255 characters")
    if body.get("event_action") == "trigger":
        wrong += _payload_errors(body.get("payload"))
    if len(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")) > _EVENT_BYTES:
        wrong.append("the event is larger than 512 KB")
    return wrong


def told_by_slack(body: Body) -> dict[str, str] | None:
    """Kind and key of a message: from its metadata, or from its text where there is none (incoming webhooks)."""
    metadata = body.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, Mapping) else None
    if isinstance(payload, Mapping):
        return {"channel": "slack", "kind": str(payload.get("kind")), "dedup_key": str(payload.get("dedup_key"))}
    for text in _context_texts(body.get("blocks")):
        found = _KIND_AND_KEY.fullmatch(text)
        if found:
            key = html.unescape(found[2].replace("\u200b", ""))
            return {"channel": "slack", "kind": found[1], "dedup_key": key}
    return None


def told_by_pagerduty(body: Body) -> dict[str, str]:
    """Kind and key of an event. What says of itself that it is for information opens no incident of the assistant."""
    payload = body.get("payload")
    details = payload.get("custom_details") if isinstance(payload, Mapping) else None
    told = str(details.get("kind")) if isinstance(details, Mapping) else ""
    triggered = told if told in {"info", "update"} else "open"
    action = str(body.get("event_action"))
    kind = {"trigger": triggered, "acknowledge": "ack"}.get(action, action)
    return {"channel": "pagerduty", "kind": kind, "dedup_key": str(body.get("dedup_key"))}


def alertmanager_error(body: Body) -> str | None:
    """What Alertmanager finds wrong with a list of alerts, None for a good one."""
    alerts = body.get("alerts")
    if not isinstance(alerts, list) or not alerts:
        return "alerts in body is required"
    return next(filter(None, map(_alert_error, alerts)), None)


def told_by_alertmanager(body: Body, at: datetime) -> dict[str, str] | None:
    """Kind and key of the first alert that was posted at that time: one whose `endsAt` is over is an end."""
    alert = _mappings(body.get("alerts"))[0]
    labels = alert.get("labels")
    if not isinstance(labels, Mapping):
        return None
    key = ":".join(str(labels.get(name, "")) for name in ("app", "environment", "scope"))
    ends_at = _time(alert.get("endsAt"))
    is_over = ends_at is not None and ends_at <= at
    return {"channel": "alertmanager", "kind": "resolve" if is_over else "open", "dedup_key": key}


def told_by_webhook(body: Body) -> dict[str, str]:
    """Kind and key of a signed webhook's body."""
    return {"channel": "webhook", "kind": str(body.get("kind")), "dedup_key": str(body.get("dedup_key"))}


def _payload_errors(payload: object) -> list[str]:
    if not isinstance(payload, Mapping):
        return ["'payload' is missing"]
    names = ("summary", "source", "severity")
    wrong = [f"'payload.{name}' is missing or blank" for name in names if not _is_text(payload, name)]
    if payload.get("severity") not in _SEVERITIES:
        wrong.append("'payload.severity' must be critical, error, warning or info")
    if len(str(payload.get("summary"))) > 1024:
        wrong.append("'payload.summary' is longer than 1024 characters")
    return wrong


def _alert_error(alert: object) -> str | None:
    labels = alert.get("labels") if isinstance(alert, Mapping) else None
    if not isinstance(alert, Mapping) or not isinstance(labels, Mapping) or not labels:
        return "labels in body is required"
    annotations = alert.get("annotations", {})
    texts = [*labels.items(), *(annotations.items() if isinstance(annotations, Mapping) else [("", None)])]
    if not all(isinstance(value, str) and _LABEL_NAME.fullmatch(str(name)) for name, value in texts):
        return "invalid label or annotation"
    starts_at, ends_at = _time(alert.get("startsAt")), _time(alert.get("endsAt"))
    if starts_at is None or ends_at is None:
        return "startsAt and endsAt must be date-times"
    return "start time must be before end time" if ends_at < starts_at else None


def _time(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _mappings(values: object) -> list[Body]:
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []


def _is_block(block: object) -> bool:
    if not isinstance(block, Mapping):
        return False
    match block.get("type"):
        case "header":
            return _texts_fit([block.get("text")], 150)
        case "section":
            fields = block.get("fields", [])
            if not isinstance(fields, list) or len(fields) > 10 or not _texts_fit(fields, 2000):
                return False
            return _texts_fit([block["text"]], 3000) if "text" in block else bool(fields)
        case "context":
            elements = block.get("elements")
            return isinstance(elements, list) and 1 <= len(elements) <= 10 and _texts_fit(elements, 3000)
        case kind:
            return kind in {"divider", "actions", "rich_text"}


def _texts_fit(objects: Sequence[object], limit: int) -> bool:
    texts = [found.get("text") if isinstance(found, Mapping) else None for found in objects]
    return all(isinstance(text, str) and 1 <= len(text) <= limit for text in texts)


def _context_texts(blocks: object) -> list[str]:
    contexts = [block for block in _mappings(blocks) if block.get("type") == "context"]
    return [str(element.get("text")) for context in contexts for element in _mappings(context.get("elements"))]


def _is_text(values: Body, name: str) -> bool:
    value = values.get(name)
    return isinstance(value, str) and bool(value.strip())
