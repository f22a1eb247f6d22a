"""One POST for a channel: a whole answer, or what its absence means for the message."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.errors import HttpFailure
from monitor.http import HttpClient, HttpResponse
from monitor.notify.contract import Permanent, Retry


async def post(
    http: HttpClient, url: str, body: bytes, *, deadline_seconds: float, headers: Mapping[str, str]
) -> HttpResponse | Retry | Permanent:
    """The answer to a JSON body, whatever its status.

    Only the kind of a failure is told: its detail may quote the address, which may be a secret.
    """
    described = {"content-type": "application/json", **headers}
    try:
        return await http.request("POST", url, deadline_seconds=deadline_seconds, headers=described, content=body)
    except HttpFailure as exc:
        # A redirect is never followed, and the address that redirects is ours to correct.
        return Permanent(exc.kind) if exc.kind == "redirected" else Retry(None, exc.kind)
