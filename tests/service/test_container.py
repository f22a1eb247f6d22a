"""The Dockerfile: what its image holds, and a daemon in it, seen from outside as an engine and an operator see it."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from monitor.check import CheckStatus
from monitor.store import Store
from tests.e2e import daemon as e2e
from tests.fixtures.assistants import Reaction, ServeAssistant, never_answers, says
from tests.installed import as_root, installed
from tests.service.container import READ_ONLY, RUN_FLAGS, STATE, Container, build, free_port, inspect, podman, readable

ROOT = Path(__file__).parents[2]
PROGRAMS = ("buildah", "podman", "runc", "mmdebstrap")
USER = "10001"
GOOD = says("It is thirty days.")
SCRIPTED = "{kind: scripted}"

Start = Callable[..., Awaitable[Container]]


@pytest.fixture(scope="session")
def image() -> str:
    as_root()
    for program in PROGRAMS:
        installed(program, program)
    return build(EXTRAS="postgres")


@pytest.fixture
async def start(image: str, tmp_path: Path, serve_assistant: ServeAssistant) -> AsyncIterator[Start]:
    """Starts containers whose suite is due every second, against an assistant outside."""
    with ExitStack() as stack:

        async def start(answer: Reaction, simulator: str = SCRIPTED, root: tuple[str, ...] = READ_ONLY) -> Container:
            server, port = await serve_assistant(lambda _: answer), free_port()
            folder = write_config(tmp_path, server.url, simulator.replace("URL", server.url), port)
            return stack.enter_context(Container(image, folder, port, root=root))

        yield start


@pytest.fixture
async def watching(start: Start) -> Container:
    """One that has measured its assistant."""
    container = await start(GOOD)
    await container.until(lambda: "assistant_monitor_score{" in container.get("/metrics"), "a score in the metrics")
    return container


def write_config(folder: Path, assistant: str, simulator: str = SCRIPTED, port: int = 9464) -> Path:
    """A folder for /etc/assistant-monitor."""
    place = folder / "etc"
    place.mkdir()
    path = e2e.write_config(place, assistant, simulator)
    text = (
        path.read_text().replace("state_dir: .", f"state_dir: {STATE}").replace("turn_timeout: 5s", "turn_timeout: 60s")
    )
    path.write_text(text.replace('metrics: "127.0.0.1:0"', f'metrics: "127.0.0.1:{port}"'))
    return readable(place)


def write_compose_config(folder: Path, assistant: str, port: int) -> Path:
    """config/compose/monitor.yaml, but on loopback, against this assistant, with scripted users and every second."""
    place = write_config(folder, assistant)
    ours = YAML(typ="safe").load(place / "monitor.yaml")
    whole = YAML(typ="safe").load(ROOT / "config" / "compose" / "monitor.yaml")
    whole["assistants"]["production"]["url"] = assistant
    whole["suites"] = {"shop": ours["suites"]["shop"] | {"assistant": "production"}}
    whole["simulator"] = ours["simulator"]
    whole["alerting"] = ours["alerting"]
    whole["server"] |= {"metrics": f"127.0.0.1:{port}", "pages": "127.0.0.1:0"}
    (place / "monitor.yaml").write_text(json.dumps(whole))
    return readable(place)


def write_secrets(folder: Path, database: str) -> Path:
    """The folder /run/secrets of the compose file's daemon."""
    place = folder / "secrets"
    place.mkdir()
    for name in ("assistant_api_key", "pages_token", "pagerduty_routing_key"):
        (place / name).write_text(f"a-{name}-of-some-length\n")
    (place / "slack_webhook_url").write_text("http://127.0.0.1:9/hook\n")
    (place / "database_url").write_text(f"{database}\n")
    return readable(place)


def command(image: str, config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    mount = f"--volume={config}:/etc/assistant-monitor:ro"
    return podman("run", "--rm", *RUN_FLAGS, mount, image, *arguments, check=False)


def shell(image: str, script: str, *flags: str) -> str:
    return podman("run", "--rm", *RUN_FLAGS, *flags, "--entrypoint=sh", image, "-c", script).stdout


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_only_what_is_copied_reaches_the_builder() -> None:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    copied = {name for line in copies for name in line.split()}
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied
    assert {"*", "**/secrets"} <= set(ignored)


def test_it_runs_as_somebody_without_rights(image: str) -> None:
    about = inspect(image)["Config"]
    assert about["User"] == f"{USER}:{USER}"
    assert set(about["Volumes"]) == set(Container.volumes.values())


def test_the_engine_is_told_how_to_ask(image: str) -> None:
    assert inspect(image)["Healthcheck"]["Test"] == ["CMD", "assistant-monitor", "health"]


def test_what_built_it_is_not_in_it(image: str) -> None:
    found = shell(image, "command -v gcc cc make git; ls -d /src /opt/pip /root/.cache 2>&-; true")
    assert found == ""
    packages = shell(image, "ls /opt/assistant-monitor/lib/python3*/site-packages").split()
    assert {"monitor", "psycopg"} <= set(packages)
    assert {"pip", "setuptools", "hatchling", "torch", "transformers", "pytest"} & set(packages) == set()


def test_its_code_is_compiled_and_not_its_users(image: str) -> None:
    assert shell(image, "ls /opt/assistant-monitor/lib/python3*/site-packages/monitor/__pycache__/healthcheck.*.pyc")
    assert shell(image, f"find /opt/assistant-monitor \\( -user {USER} -o -perm -o=w -a ! -type l \\)") == ""


def test_a_configuration_is_read_where_it_is_mounted(image: str, tmp_path: Path) -> None:
    done = command(image, write_config(tmp_path, "http://127.0.0.1:9/v1"), "validate")
    assert done.returncode == 0, done.stderr
    assert "/etc/assistant-monitor/monitor.yaml" in done.stdout


def test_a_read_only_root_leaves_a_place_for_temporary_files(image: str) -> None:
    assert shell(image, "python -c 'import tempfile; print(tempfile.gettempdir())'", *READ_ONLY) == f"{STATE}\n"


async def test_a_check_by_the_clock_completes_and_is_kept(watching: Container) -> None:
    assert CheckStatus.HEALTHY in {check.status for check in watching.checks()}


async def test_the_daemon_has_no_rights(watching: Container) -> None:
    status = watching.process()
    assert status["Uid"].split() == [USER] * 4
    assert {status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"


async def test_health_is_told_right_in_both_states(watching: Container) -> None:
    assert (watching.health(), watching.health("--ready")) == (0, 0)
    watching.signal("STOP")
    assert watching.health() == 4
    watching.signal("CONT")
    await watching.until(lambda: watching.health("--ready") == 0, "the daemon to be well again")


async def test_a_daemon_that_waits_for_its_model_is_well_but_not_ready(start: Start) -> None:
    container = await start(never_answers(), "{kind: userlm, servers: [{url: 'URL'}]}")
    await container.until(lambda: container.health() == 0, "the daemon to be well")
    assert container.health("--ready") == 4


async def test_a_stop_in_a_check_is_graceful(start: Start) -> None:
    container = await start(never_answers())
    await container.until(lambda: bool(container.checks()), "a check under way")
    assert await container.stop() == 0, container.said()
    assert [check.status for check in container.checks()] == [CheckStatus.ABORTED]
    with closing(sqlite3.connect(container.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_container_takes_up_the_state_of_the_one_before(start: Start) -> None:
    container = await start(GOOD)
    await container.until(lambda: bool(container.checks()), "a check")
    before = {check.id for check in container.checks()}
    assert await container.stop() == 0
    podman("start", container.name)
    await container.until(lambda: len(container.checks()) > len(before), "a further check")
    assert before <= {check.id for check in container.checks()}


async def test_the_configuration_for_compose_works_with_postgresql(
    image: str, tmp_path: Path, serve_assistant: ServeAssistant, postgres_url: str
) -> None:
    server, port = await serve_assistant(lambda _: GOOD), free_port()
    folder = write_compose_config(tmp_path, server.url, port)
    secrets = write_secrets(tmp_path, postgres_url)
    with Container(image, folder, port, mounts=(f"--volume={secrets}:/run/secrets:ro",)) as container:
        await container.until(lambda: "assistant_monitor_score{" in container.get("/metrics"), "a score")
        assert await container.stop() == 0
    with closing(Store.open(postgres_url)) as store:
        assert CheckStatus.HEALTHY in {check.status for check in store.checks()}


async def test_nothing_is_written_outside_the_volumes(start: Start) -> None:
    container = await start(GOOD, root=())
    await container.until(lambda: bool(container.checks()), "a check")
    assert await container.stop() == 0
    # Podman puts its own hosts and resolv.conf there.
    assert set(podman("diff", container.name).stdout.splitlines()) <= {"C /etc"}
