"""Engines behind Ray Serve on a cluster of two nodes, asked through its proxy, by hand and by a check."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.store import Store
from monitor.transcript import Outcome
from tests.e2e.daemon import ROOT, DaemonProcess, tiny_userlm, write_config
from tests.fixtures.assistants import Reaction, ServeAssistant, says

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="there is no wheel of Ray for this Python"),
]

ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Where a cluster is an exception, Ray stays on 127.0.0.1.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
SLOTS, QUEUE = 4, 4
ALL_ROOM = 3 * (SLOTS + QUEUE)
LONG = {"prompt": [9906], "max_tokens": 2000, "ignore_eos": True}
ROUNDS = 10
REPLY_SECONDS = 0.5
END_SECONDS = 60.0


@dataclass
class RayCluster:
    """The process of `ray_cluster.py`, and a client for Serve's proxy."""

    process: subprocess.Popen[str]
    log: Path
    client: httpx.Client

    def ask(self, what: str) -> Any:
        """What a method of `TwoNodes` returns."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return heard(self.process, self.log)

    def complete(self, session: str, **body: object) -> dict[str, Any]:
        """A completion in this session."""
        answer = self.client.post("/v1/completions", json=body, headers={"X-Session-ID": session})
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def measure(self, session: str, name: str) -> float:
        """A metric of the replica that has this session."""
        text = self.client.get("/metrics", headers={"X-Session-ID": session}).text
        (line,) = (line for line in text.splitlines() if line.startswith(f"assistant_monitor_engine_{name} "))
        return float(line.split()[-1])


def heard(process: subprocess.Popen[str], log: Path) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, log.read_text()[-3000:]
    return json.loads(line)


@pytest.fixture(scope="module")
def cluster(talking_userlm_folder: Path) -> Iterator[RayCluster]:
    # Sockets lie in it: the path has to be short.
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    log = folder / "log"
    arguments = [f"model={talking_userlm_folder}", "served_model_name=userlm", "replicas=2", "threads=1"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.ray_cluster", folder, *arguments, f"max_slots={SLOTS}", f"queue={QUEUE}"],
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT, "RAY_TMPDIR": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with process:
        try:
            with httpx.Client(base_url=heard(process, log), timeout=60, trust_env=False) as client:
                yield RayCluster(process, log, client)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
    shutil.rmtree(folder)


def test_the_proxy_serves_the_engines_models_and_tokenizer(cluster: RayCluster) -> None:
    (model,) = cluster.client.get("/v1/models").json()["data"]
    assert (model["id"], model["owned_by"]) == ("userlm", "assistant-monitor")
    assert cluster.client.get("/v1/tokenizer").json()["model"] == "userlm"


def test_a_session_stays_with_the_replica_that_has_its_keys_and_values(cluster: RayCluster) -> None:
    before = cluster.ask("served")
    for number in range(8):
        prompt = [9906, 1000 + number, 5, 6, 7]
        first = cluster.complete(str(number), prompt=prompt, max_tokens=3, ignore_eos=True, return_token_ids=True)
        history = [*prompt, *first["choices"][0]["token_ids"], 9]
        usage = cluster.complete(str(number), prompt=history, max_tokens=1)["usage"]
        assert usage["prompt_tokens_details"]["cached_tokens"] >= len(prompt)
    after = cluster.ask("served")
    assert all(after[replica] > before[replica] for replica in before), "one replica had all sessions"


def test_metrics_are_those_of_a_sessions_replica_or_none(cluster: RayCluster) -> None:
    assert cluster.measure("somebody", "slots_in_use") == 0
    assert cluster.client.get("/metrics").status_code == 404


@pytest.mark.parametrize(
    ("body", "param"), [({"prompt": [5], "temprature": 1}, "temprature"), ({"prompt": [5] * 3000}, "prompt")]
)
def test_a_refusal_comes_through_as_it_is(cluster: RayCluster, body: dict[str, object], param: str) -> None:
    answer = cluster.client.post("/v1/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_deadline_holds(cluster: RayCluster) -> None:
    answer = cluster.client.post("/v1/completions", json=LONG, headers={"X-Deadline-Seconds": "0.2"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")


def test_a_client_that_leaves_a_stream_frees_its_slot(cluster: RayCluster) -> None:
    before = cluster.measure("stream", 'requests_total{result="cancelled"}')
    asked = {"json": {**LONG, "stream": True}, "headers": {"X-Session-ID": "stream"}}
    with cluster.client.stream("POST", "/v1/completions", **asked) as answer:  # type: ignore[arg-type]
        assert next(answer.iter_lines()).startswith("data: ")
    deadline = time.monotonic() + END_SECONDS
    while cluster.measure("stream", 'requests_total{result="cancelled"}') == before:
        assert time.monotonic() < deadline, "the request goes on"


async def test_more_than_all_replicas_take_is_refused_for_now(cluster: RayCluster) -> None:
    async with httpx.AsyncClient(base_url=cluster.client.base_url, timeout=60, trust_env=False) as client:
        asked = [asyncio.create_task(client.post("/v1/completions", json=LONG)) for _ in range(2 * ALL_ROOM)]
        done, left = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    assert {(task.result().status_code, task.result().headers.get("retry-after")) for task in done} == {(429, "1")}


def slowly(reaction: Reaction) -> Reaction:
    async def react(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(REPLY_SECONDS)
        await reaction(writer)

    return react


@pytest.fixture
async def config(
    tmp_path: Path, serve_assistant: ServeAssistant, talking_userlm_folder: Path, cluster: RayCluster
) -> Path:
    assistant = await serve_assistant(lambda _: slowly(says("It is thirty days.")))
    simulator = tiny_userlm(talking_userlm_folder, f'[{{url: "{cluster.client.base_url}", model: userlm}}]')
    path = write_config(tmp_path, assistant.url, simulator)
    path.write_text(path.read_text().replace("rounds: 1", f"rounds: {ROUNDS}"))
    return path


async def test_a_check_is_completed_although_a_node_is_killed_in_it(cluster: RayCluster, config: Path) -> None:
    before = await asyncio.to_thread(cluster.ask, "served")

    def turns() -> list[int]:
        return [count - before[replica] for replica, count in cluster.ask("served").items() if replica in before]

    with DaemonProcess(config, command="check", log_name="check.log") as check:
        await check.until(lambda: min(turns()) >= 3, "turns from both replicas")
        await asyncio.to_thread(cluster.ask, "kill_node")
        at_the_kill = await asyncio.to_thread(turns)
        assert check.process.poll() is None, "the check was over before"
        assert await check.wait() == 0, check.said()
    assert max(await asyncio.to_thread(turns)) > max(at_the_kill)
    (record,) = check.checks()
    store = Store.open(f"sqlite:///{config.parent / 'monitor.sqlite3'}")
    outcomes = [conversation.transcript.outcome for conversation in store.conversations(record.id)]
    store.close()
    assert outcomes == [Outcome.COMPLETED] * 2 * ROUNDS
    await asyncio.to_thread(cluster.ask, "add_node")
