"""The demo's stage: a folder with a configuration that really runs, and the shop's assistant in its own process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from monitor.config import Config, load
from monitor.demo.receivers import Receivers
from monitor.errors import MonitorError
from monitor.package_data import data_folder
from monitor.seeds import derive

START_SECONDS = 30.0
SECRETS = {"slack-token": "xoxb-demo-", "pagerduty-routing-key": "demo"}
"""Names of the files, and how each secret begins: the receivers look at that as the real ones do."""


class Shop:
    """The support assistant under test, as its deployment sees it."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def deploy(self, index: str) -> None:
        """Put an index into service: `good` or `broken`. Raises MonitorError."""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(f"{self.url}/admin/deploy", json={"index": index})
        if answer.status_code != httpx.codes.OK:
            raise MonitorError(f"the demo's assistant did not deploy its {index} index: HTTP {answer.status_code}")


@asynccontextmanager
async def open_shop(folder: Path) -> AsyncIterator[Shop]:
    """The shop's assistant while the block runs. Raises MonitorError when it does not start."""
    port_file = folder / "assistant.port"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "monitor.demo.assistant",
        "--port-file",
        str(port_file),
        "--parent-pid",
        str(os.getpid()),
        start_new_session=True,  # a Ctrl-C is the demo's to handle
    )
    try:
        yield Shop(f"http://127.0.0.1:{await _port(port_file, process)}")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _port(file: Path, process: asyncio.subprocess.Process) -> int:
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while not file.exists():
        if process.returncode is not None or asyncio.get_running_loop().time() > deadline:
            raise MonitorError("the demo's assistant did not start; install the extra `demo`")
        await asyncio.sleep(0.05)
    return int(file.read_text())


def write_config(
    folder: Path, shop: Shop, receivers: Receivers, *, models: Path, seed: int, is_scripted: bool
) -> Config:
    """`config/demo.yaml` with this run's ports and places in it, and its secrets beside it."""
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)
    for name, beginning in SECRETS.items():
        (secrets / name).write_text(f"{beginning}{derive(seed, name):016x}\n")
    text = (data_folder("config") / "demo.yaml").read_text(encoding="utf-8")
    changes = {
        "http://127.0.0.1:8701": shop.url,
        "http://127.0.0.1:8702/api/": receivers.slack_api_url,
        "http://127.0.0.1:8702/v2/enqueue": receivers.pagerduty_url,
        "intents: intents/demo.yaml": f"intents: {data_folder('config') / 'intents' / 'demo.yaml'}",
        "kind: prompted": "kind: scripted" if is_scripted else "kind: prompted",
        "name: smollm2,": f"name: smollm2, cache_dir: {models},",
        "$schema=schema/": f"$schema={data_folder('config') / 'schema'}/",
    }
    for place, value in changes.items():
        if text.count(place) != 1:
            raise MonitorError(f"config/demo.yaml should hold {place!r} once")
        text = text.replace(place, value)
    path = folder / "monitor.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, {})
