"""A client in a process of its own, as browsers and Prometheus are: asks for paths one after the other on one kept
connection, and tells how long each answer took to its last byte.

`python -m tests.benchmarks.store.asking HOST PORT` reads a JSON list of paths and writes a JSON list of milliseconds.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
ACCEPT = {"/metrics": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"}
"""What Prometheus asks with."""
WARM = 3
"""The first answers are not counted: templates are compiled and connections made."""


def milliseconds(address: tuple[str, int], paths: Sequence[str]) -> list[float]:
    """Of each path, after a few answers at which nobody looks. Raises CalledProcessError unless all are 200."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.store.asking", address[0], str(address[1])],
        cwd=ROOT,
        input=json.dumps([*paths[:WARM], *paths]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    taken: list[float] = json.loads(done.stdout)
    return taken[len(paths[:WARM]) :]


def ask(host: str, port: int, paths: Sequence[str]) -> list[float]:
    """Milliseconds of each. Raises RuntimeError for an answer that is not 200."""
    connection, taken = http.client.HTTPConnection(host, port, timeout=60), []
    for path in paths:
        began = time.perf_counter()
        connection.request("GET", path, headers={"Accept": ACCEPT.get(path, "text/html"), "Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        answer.read()
        taken.append((time.perf_counter() - began) * 1000)
        if answer.status != http.client.OK:
            raise RuntimeError(f"GET {path}: {answer.status} {answer.reason}")
    connection.close()
    return taken


if __name__ == "__main__":
    print(json.dumps(ask(sys.argv[1], int(sys.argv[2]), json.load(sys.stdin))))
