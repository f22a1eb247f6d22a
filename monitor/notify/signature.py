"""Signatures of webhooks: HMAC-SHA256 over the time and the body, so that neither can be changed or sent again later.

The header is `t=<unix seconds>,v1=<hex>`. The receiver's side is `verify`, in the standard library alone.
"""

from __future__ import annotations

import hashlib
import hmac

HEADER = "X-Assistant-Monitor-Signature"
TOLERANCE_SECONDS = 300


def sign(secret: str, body: bytes, at: int) -> str:
    """The header's value for a body sent at that time (Unix, seconds)."""
    mac = hmac.new(secret.encode(), b"%d.%s" % (at, body), hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


def verify(secret: str, body: bytes, header: str, now: float) -> bool:
    """Whether the body was sent by whoever knows the secret, and within five minutes of `now` (Unix, seconds)."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    at = parts.get("t", "")
    if not (at.isascii() and at.isdecimal() and len(at) <= 12) or abs(now - int(at)) > TOLERANCE_SECONDS:
        return False
    return hmac.compare_digest(sign(secret, body, int(at)).encode(), f"t={int(at)},v1={parts.get('v1', '')}".encode())
