"""Whether tool calls that are reported reach the database: only a daemon's listener for pages takes them."""

from __future__ import annotations

import httpx

from monitor.config import Config
from monitor.web.reports import PATH

ANSWER_SECONDS = 3.0
_OURS = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.METHOD_NOT_ALLOWED})
"""What the listener answers to who would read reports, with a token for its pages and without one."""
_THIS_MACHINE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


async def hears_reports(config: Config) -> bool:
    """Whether such a listener answers at `server.pages`; never where that is off or any free port."""
    address = config.settings.server.pages
    if address is None or address.port == 0:
        return False
    host = _THIS_MACHINE.get(address.host, address.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{address.port}{PATH}"
    try:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
            return (await client.get(url)).status_code in _OURS
    except httpx.HTTPError:
        return False
