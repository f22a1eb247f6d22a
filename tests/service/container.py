"""The image as it is built from the Dockerfile, containers of it, and what can be asked of them from outside."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import httpx

from monitor.check import CheckRecord
from tests.e2e.daemon import stored_checks

SCRIPT = Path(__file__).with_name("run_container.sh")
WAIT_SECONDS = 60.0
STATE = "/var/lib/assistant-monitor"
RUN_FLAGS = (
    "--network=host",
    # More than this the surroundings may not grant; the daemon needs far less.
    "--ulimit=nofile=1024:1024",
    "--ulimit=nproc=1024:1024",
    # Podman's own clock for it is systemd's; here a test asks.
    "--no-healthcheck",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
)
READ_ONLY = ("--read-only", "--read-only-tmpfs=false")


def podman(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """One command of podman, where the image is."""
    command = [str(SCRIPT), "podman", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS)
    assert not check or done.returncode == 0, f"podman {arguments[0]}: {done.stderr}"
    return done


def build(**arguments: str) -> str:
    """The image's id."""
    options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    done = subprocess.run([SCRIPT, "build", *options], stdout=subprocess.PIPE, text=True, check=True, timeout=280)
    return done.stdout.strip()


def inspect(name: str) -> dict[str, Any]:
    """What podman knows of an image, a container or a volume."""
    (found,) = json.loads(podman("inspect", name).stdout)
    return dict(found)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Container:
    """A daemon in a container. State and models are volumes, as podman makes them; the configuration is read-only."""

    volumes: ClassVar[Mapping[str, str]] = {"state": STATE, "models": f"{STATE}/models"}

    image: str
    config: Path
    port: int
    mounts: tuple[str, ...] = ()
    root: tuple[str, ...] = READ_ONLY

    def __post_init__(self) -> None:
        self.name = f"assistant-monitor-test-{uuid.uuid4().hex[:12]}"

    def __enter__(self) -> Container:
        mounts = [f"--volume={self.config}:/etc/assistant-monitor:ro", *self.mounts]
        mounts += [f"--volume={self.volume(part)}:{place}" for part, place in self.volumes.items()]
        try:
            podman("run", "--detach", "--name", self.name, *RUN_FLAGS, *self.root, *mounts, self.image)
        except BaseException:
            self.__exit__()
            raise
        self.database = Path(inspect(self.volume("state"))["Mountpoint"]) / "monitor.sqlite3"
        return self

    def __exit__(self, *_: object) -> None:
        podman("rm", "--force", "--time=0", self.name, check=False)
        for part in self.volumes:
            podman("volume", "rm", "--force", self.volume(part), check=False)

    def volume(self, part: str) -> str:
        return f"{self.name}-{part}"

    async def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait for something that the daemon will bring about."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not await asyncio.to_thread(is_so):
            assert self.is_running(), f"the container ended with {self.exit_code()}: {self.said()}"
            assert time.monotonic() < deadline, f"not in time: {what}; {self.said()}"
            await asyncio.sleep(0.1)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command inside."""
        return podman("exec", self.name, *command, check=False)

    def health(self, *options: str) -> int:
        """The exit code of the image's own question, as an engine asks it."""
        return self.run("assistant-monitor", "health", *options).returncode

    def is_ready(self) -> bool:
        return self.get("/readyz").startswith('{"ok":true')

    def get(self, path: str) -> str:
        """What its metrics listener answers; nothing while it does not listen."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False).text
        except httpx.TransportError:
            return ""

    def process(self) -> dict[str, str]:
        """The kernel's view of the daemon: /proc/PID/status."""
        status = Path(f"/proc/{inspect(self.name)['State']['Pid']}/status").read_text()
        return {name: value.strip() for name, value in (line.split(":", 1) for line in status.splitlines())}

    def checks(self) -> list[CheckRecord]:
        """What it stored, read from the volume; nothing while there is no database yet."""
        return stored_checks(self.database)

    def signal(self, name: str) -> None:
        podman("kill", "--signal", name, self.name)

    async def stop(self, grace_seconds: int = 10) -> int:
        """Stop it as an engine does, and return its exit code; 137 when the grace was not enough."""
        await asyncio.to_thread(podman, "stop", f"--time={grace_seconds}", self.name)
        return self.exit_code()

    def is_running(self) -> bool:
        return bool(inspect(self.name)["State"]["Running"])

    def exit_code(self) -> int:
        return int(inspect(self.name)["State"]["ExitCode"])

    def said(self) -> str:
        """The end of its log."""
        done = podman("logs", "--tail=30", self.name, check=False)
        return done.stdout + done.stderr


def readable(folder: Path) -> Path:
    """Let the container's user, who is somebody else here, read what is in the folder."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder
