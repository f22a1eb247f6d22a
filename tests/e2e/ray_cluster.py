"""A Ray cluster of two nodes on this machine, in a process that does what it is told line by line.

    python -m tests.e2e.ray_cluster FOLDER NAME=VALUE ...      the arguments of monitor.engine.ray:app

It answers with one JSON value a line: first the URL; then, for each line read, what the method of `TwoNodes` named
there returns. It ends with its input. FOLDER has to be RAY_TMPDIR too.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import ray
from ray import serve
from ray.cluster_utils import Cluster

from monitor.engine.ray import app

NODE: dict[str, Any] = {
    "num_cpus": 1,
    "object_store_memory": 80 << 20,
    "include_dashboard": False,
    "dashboard_agent_listen_port": 0,
}
SERVED = re.compile(r" POST /v1/completions 200 ")
REPLICAS = 2
WAIT_SECONDS = 60.0


class TwoNodes:
    """The head with Serve's proxy, and a node that can be killed; each has room for one replica."""

    def __init__(self, folder: Path, arguments: dict[str, str]) -> None:
        self._folder = folder
        (folder / "ray").mkdir()
        self._cluster = Cluster(initialize_head=True, head_node_args=NODE)
        self._node = self._cluster.add_node(**NODE)
        ray.init(address=self._cluster.address, log_to_driver=False)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
        serve.run(app(arguments))
        self.url = f"http://127.0.0.1:{port}"

    def served(self) -> dict[str, int]:
        """How many completions each replica has answered, as its log has it."""
        logs = self._folder.glob("ray/session_2*/logs/serve/replica_*.log")
        return {log.stem: len(SERVED.findall(log.read_text())) for log in logs}

    def kill_node(self) -> None:
        """Kill the second node's processes."""
        self._cluster.remove_node(self._node, allow_graceful=False)

    def add_node(self) -> None:
        """Another second node; Serve is waited for."""
        before = len(self.served())
        self._node = self._cluster.add_node(**NODE)
        deadline = time.monotonic() + WAIT_SECONDS
        while self._running() != REPLICAS or len(self.served()) == before:
            assert time.monotonic() < deadline, serve.status()
            time.sleep(0.1)

    def _running(self) -> int:
        (deployment,) = serve.status().applications["default"].deployments.values()
        return sum(count for state, count in deployment.replica_states.items() if state == "RUNNING")

    def stop(self) -> None:
        """End everything."""
        serve.shutdown()  # type: ignore[no-untyped-call]
        ray.shutdown()
        self._cluster.shutdown()  # type: ignore[no-untyped-call]


def main(folder: str, *arguments: str) -> None:
    """Serve until the input ends."""
    # Ray writes about its nodes to standard output.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    nodes = TwoNodes(Path(folder), dict(argument.split("=", 1) for argument in arguments))
    try:
        tell(answers, nodes.url)
        for line in sys.stdin:
            tell(answers, getattr(nodes, line.strip())())
    finally:
        nodes.stop()


def tell(answers: TextIO, what: object) -> None:
    """Answer."""
    print(json.dumps(what), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
