"""The units: what they say, and what they do under a real systemd, in one boot that `unit/inside.sh` lives through.

What is not shown: a GPU. A device node under the name of NVIDIA's stands in for one, and where the boot's kernel
enforces no device rules, it is the rules' text alone that is looked at.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.installed import as_root, installed

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"
CONFIG = ROOT / "config" / "systemd.yaml"
BOOT = Path(__file__).with_name("boot_unit.sh")
PARTS = Path(__file__).with_name("unit")
DAEMON, ENGINE, MODELS = "assistant-monitor", "assistant-monitor-engine", "assistant-monitor-models"
MOST_EXPOSURE = 20
"""Tenths, as `systemd-analyze security --threshold` counts: 2.0."""
SECRET = "key-of-the-assistant"
BOOT_SECONDS = 250

Facts = Mapping[str, str]


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(installed("systemd-analyze", "systemd")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """A root with this machine's units, ours and the programs where ours expect them."""
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    shutil.copytree(UNITS, tmp_path / "etc/systemd/system")
    for program in (tmp_path / "opt/assistant-monitor/bin/assistant-monitor", tmp_path / "bin/kill"):
        program.parent.mkdir(parents=True)
        program.touch(mode=0o755)
    return tmp_path


@pytest.mark.parametrize("unit", [DAEMON, ENGINE, MODELS])
def test_a_unit_is_understood_without_a_word(unit: str, installation: Path) -> None:
    done = analyze("verify", f"--root={installation}", f"{unit}.service")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_daemons_unit_is_understood_with_an_engine_as_its_child(installation: Path) -> None:
    drop_in = installation / f"etc/systemd/system/{DAEMON}.service.d/engine-child.conf"
    assert drop_in.is_file()
    drop_in.write_text(drop_in.read_text() + "Nonsense=yes\n")
    assert "engine-child.conf" in analyze("verify", f"--root={installation}", f"{DAEMON}.service").stderr


@pytest.mark.parametrize("unit", [DAEMON, ENGINE, MODELS])
def test_a_unit_is_exposed_to_little(unit: str) -> None:
    options = ("--offline=yes", f"--threshold={MOST_EXPOSURE}")
    done = analyze("security", *options, UNITS / f"{unit}.service")
    assert done.returncode == 0, done.stdout


def test_every_credential_of_the_shipped_configuration_is_handed_to_the_daemon() -> None:
    named = set(re.findall(r"\$\{CREDENTIALS_DIRECTORY\}/([\w.-]+)", CONFIG.read_text()))
    assert len(named) > 2
    assert named <= set(settings("LoadCredential", DAEMON))


@pytest.mark.parametrize("unit", [ENGINE, MODELS])
def test_the_weights_lie_where_the_shipped_configuration_looks_for_them(unit: str) -> None:
    (place,) = re.findall(r"^ +cache_dir: (\S+)", CONFIG.read_text(), re.M)
    assert [f"/var/cache/{name}" for name in settings("CacheDirectory", unit)] == [place]


def test_the_weights_may_take_as_long_as_they_take() -> None:
    assert settings("TimeoutStartSec", MODELS) == ["infinity"]


@pytest.fixture(scope="session")
def booted(talking_userlm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """What was seen in a boot with the units as they are shipped; drop-ins shorten their times."""
    as_root()
    installed("systemd-nspawn", "systemd-container")
    folder = tmp_path_factory.mktemp("boot")
    lay_out(folder, talking_userlm_folder)
    done = subprocess.run([BOOT, folder], stderr=subprocess.PIPE, text=True, timeout=BOOT_SECONDS, check=False)
    log = folder / "out" / "log"
    assert done.returncode == 0, f"{done.stderr}\n{log.read_text() if log.exists() else ''}"
    facts = (folder / "out" / "facts").read_text().splitlines()
    asked_with = folder / "out" / "authorization"
    seen = dict(line.partition("=")[::2] for line in facts if "=" in line)
    return seen | {"asked_with": asked_with.read_text() if asked_with.exists() else "", "log": log.read_text()}


def lay_out(folder: Path, model: Path) -> None:
    """All that the boot needs: the wheel, the units with their drop-ins, configuration, secret, model."""
    root = folder / "root"
    for place in (
        "opt/wheel",
        "opt/drop-ins",
        "opt/python",
        "opt/dependencies",
        "etc/assistant-monitor",
        "etc/credstore",
    ):
        (root / place).mkdir(parents=True)
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*wheel, "--wheel-dir", root / "opt/wheel", ROOT], check=True, timeout=120)
    units = root / "etc/systemd/system"
    for unit in UNITS.glob("*.service"):
        (units / f"{unit.name}.d").mkdir(parents=True, exist_ok=True)
        shutil.copy(unit, units)
    for unit_name in (DAEMON, ENGINE):
        shutil.copy(PARTS / f"{unit_name}.conf", units / f"{unit_name}.service.d" / "test.conf")
    shutil.copytree(UNITS, root / "opt/drop-ins", ignore=shutil.ignore_patterns("*.service"), dirs_exist_ok=True)
    for name in ("monitor.yaml", "intents.yaml"):
        shutil.copy(PARTS / name, root / "etc/assistant-monitor")
    shutil.copy(PARTS / "assistant.py", root / "opt")
    shutil.copy(PARTS / "inside.sh", folder)
    secret = root / "etc/credstore/assistant-monitor.assistant-api-key"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    shutil.copytree(model, root / "var/cache/assistant-monitor/userlm")
    (root / "etc/ld.so.conf.d").mkdir(parents=True)
    (root / "etc/ld.so.conf.d/test-python.conf").write_text("/opt/python/lib\n")
    packages = sysconfig.get_paths()["purelib"]
    (folder / "seen").write_text(f"{sys.base_prefix}:/opt/python\n{packages}:/opt/dependencies\n")


def test_the_units_are_understood_where_they_are_installed(booted: Facts) -> None:
    assert booted["verify_said"] == ""


def test_the_weights_unit_finds_the_model(booted: Facts) -> None:
    assert booted["fetched"] == "0"


def test_the_daemon_is_ready_and_an_enabled_engine_came_with_it(booted: Facts) -> None:
    assert (booted["started"], booted["engine_is"]) == ("0", "active")


def test_the_daemon_checks_with_the_engine_of_the_other_unit(booted: Facts) -> None:
    assert booted["healthy_check"] == "yes"


def test_a_credential_reaches_the_assistant(booted: Facts) -> None:
    assert booted["daemon_sees_credentials"] == SECRET
    assert booted["asked_with"] == f"Bearer {SECRET}"


def test_both_run_as_one_user_whom_nobody_else_is(booted: Facts) -> None:
    uid = booted["uid_daemon"]
    assert uid == booted["uid_engine"] != "0"
    assert booted["state_folder"] == booted["socket_folder"] == f"{uid} 700"


def test_the_engine_has_no_secret_no_database_and_no_network(booted: Facts) -> None:
    assert booted["engine_sees_credentials"].endswith("Permission denied")
    assert booted["engine_sees_state"].endswith("Permission denied")
    assert (booted[f"network_of_{ENGINE}"], booted[f"network_of_{DAEMON}"]) == ("own", "shared")


def test_the_engine_opens_a_device_and_the_daemon_sees_none(booted: Facts) -> None:
    assert booted["engine_opens_device"] == "opened"
    assert booted["daemon_opens_device"].endswith("No such file or directory")


def test_nothing_that_is_in_force_hides_the_gpu_from_the_engine(booted: Facts) -> None:
    in_force = {name.removeprefix("engine_"): value for name, value in booted.items() if name.startswith("engine_")}
    assert (in_force["PrivateDevices"], in_force["DevicePolicy"], in_force["ProcSubset"]) == ("no", "closed", "all")
    assert in_force["MemoryDenyWriteExecute"] == "no"
    assert "char-nvidia* rw" in in_force["DeviceAllow"]
    assert in_force["InaccessiblePaths"] == ""


def test_sigterm_ends_the_daemon_within_its_grace(booted: Facts) -> None:
    assert booted["stop_ended"] == "0 success"
    assert int(booted["stop_milliseconds"]) < 1000 * seconds_of("TimeoutStopSec", DAEMON)


def test_a_reload_ends_nothing_and_an_end_that_nobody_asked_for_is_followed_by_a_start(booted: Facts) -> None:
    assert (booted["reload"], booted["ended_unasked"]) == ("read again", "started again")


def test_the_state_is_kept_over_a_restart(booted: Facts) -> None:
    assert booted["database_is"] == "kept"
    assert booted["checks_go_on"] == "yes"


def test_a_silent_daemon_is_killed_and_started_again(booted: Facts) -> None:
    assert booted[f"silent_{DAEMON}"] == "killed, then active"


def test_a_silent_engine_is_killed_and_started_again(booted: Facts) -> None:
    assert booted[f"silent_{ENGINE}"] == "killed, then activating"


def test_sigterm_ends_an_engine_that_is_loading(booted: Facts) -> None:
    assert booted["engine_ended_while_loading"] == "0 success"


@pytest.mark.parametrize("unit", [DAEMON, ENGINE])
def test_a_wrong_configuration_is_not_started_again(unit: str, booted: Facts) -> None:
    assert booted[f"bad_{unit}"] == "2 failed 0"


def test_an_engine_that_cannot_start_is_given_up(booted: Facts) -> None:
    assert booted["hopeless_engine"] == "failed 5"


def test_the_daemon_is_started_for_as_long_as_it_takes(booted: Facts) -> None:
    assert booted["daemon_start_limit"] == "0"


def test_with_its_drop_in_the_daemon_starts_the_engine_itself(booted: Facts) -> None:
    assert booted["child_started"] == "0 active"
    assert booted["child_is"] == "-m monitor.engine"
    assert booted["child_opens_device"] == "opened"


def settings(name: str, unit: str) -> list[str]:
    """The values of a setting in a unit as it is shipped."""
    lines = (UNITS / f"{unit}.service").read_text().splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


def seconds_of(setting: str, unit: str) -> int:
    (value,) = settings(setting, unit)
    return int(value)
