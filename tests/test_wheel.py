"""The wheel as a stranger installs it: everything is in it, nothing else is, and it runs away from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitor import __version__

ROOT = Path(__file__).parents[1]
SHARE = f"assistant_monitor-{__version__}.data/data/share/assistant-monitor"
COPIED = {
    "config/systemd.yaml": "systemd.yaml",
    "config/monitor.yaml": "monitor.yaml",
    "config/intents": "intents",
    "config/prometheus": "prometheus",
    "config/grafana": "grafana",
    "systemd": "systemd",
}
SHIPPED = {
    "config/demo.yaml": "monitor/_config/demo.yaml",
    "config/monitor.yaml": "monitor/_config/monitor.yaml",
    "config/canaries": "monitor/_config/canaries",
    "config/intents": "monitor/_config/intents",
    "config/prompts": "monitor/_config/prompts",
    "config/schema": "monitor/_config/schema",
    "migrations": "monitor/_migrations",
    "monitor": "monitor",
}
NEEDED = {
    "monitor/_migrations/env.py",
    "monitor/_migrations/versions/0001_initial.py",
    "monitor/_config/demo.yaml",
    "monitor/_config/monitor.yaml",
    "monitor/_config/canaries/good.yaml",
    "monitor/_config/intents/demo.yaml",
    "monitor/_config/intents/baseline.yaml",
    "monitor/_config/prompts/user_examples.txt",
    "monitor/_config/schema/monitor.schema.json",
    "monitor/_config/schema/intents.schema.json",
    "monitor/_config/schema/report.v1.schema.json",
    "monitor/check_report/templates/report.css",
    "monitor/check_report/templates/report.html",
    "monitor/web/templates/check.html",
    "monitor/web/static/style.css",
    "monitor/demo/faq.yaml",
}
CONFIG = """
state_dir: .
simulator: {kind: scripted}
assistants: {shop: {url: "http://127.0.0.1:9/v1"}}
suites: {shop: {assistant: shop, intents: intents.yaml}}
"""
INTENTS = """
intents:
  - id: how-long
    description: You are a user who wants to know something about a shop.
    script: [how long can shoes be returned]
    checklist: [{id: days, kind: required_fact, patterns: [thirty days]}]
"""


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel in it."""

    folder: Path

    def run(self, program: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """A program of the environment, which sees nothing of this process's surroundings but PATH and HOME."""
        return subprocess.run(
            [self.folder / "bin" / program, *arguments],
            cwd=cwd,
            env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, ROOT)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel alone; its dependencies are seen through a path to this environment's packages."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    pip("--python", folder / "bin" / "python", "install", "--no-deps", "--no-index", "--no-compile", wheel)
    (packages,) = folder.glob("lib/python*/site-packages")
    # Only now, lest pip take the checkout's own installation for an older one to replace. A .pth inside a folder that
    # is reached through a .pth is not read, so the checkout stays unseen.
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return Installed(folder)


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_is_named_after_the_version(wheel: Path) -> None:
    assert wheel.name == f"assistant_monitor-{__version__}-py3-none-any.whl"


def test_it_holds_what_the_program_reads(wheel: Path) -> None:
    assert NEEDED - names(wheel) == set()


def test_it_holds_just_these_files_and_so_no_secret_that_lies_beside_them(wheel: Path) -> None:
    wanted = {
        (place / file.relative_to(ROOT / source)).as_posix()
        for source, place in (
            (name, Path(place))
            for name, place in [*SHIPPED.items(), *((source, f"{SHARE}/{name}") for source, name in COPIED.items())]
        )
        for file in [ROOT / source, *(ROOT / source).rglob("*")]
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {name for name in names(wheel) if ".dist-info/" not in name} == wanted


def test_it_runs_from_its_own_files(installed: Installed, tmp_path: Path) -> None:
    done = installed.run("python", "-c", "import monitor; print(monitor.__file__)", cwd=tmp_path)
    assert Path(done.stdout.strip()).is_relative_to(installed.folder)


def test_the_command_is_there(installed: Installed, tmp_path: Path) -> None:
    done = installed.run("assistant-monitor", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"assistant-monitor, version {__version__}\n")


def test_what_an_operator_copies_lies_beside_it(installed: Installed) -> None:
    share = installed.folder / "share" / "assistant-monitor"
    assert (share / "systemd" / "assistant-monitor.service").read_text() == (
        ROOT / "systemd" / "assistant-monitor.service"
    ).read_text()
    assert {path.name for path in share.iterdir()} == set(COPIED.values())


def test_a_database_is_made(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "monitor.yaml").write_text(CONFIG)
    (tmp_path / "intents.yaml").write_text(INTENTS)
    done = installed.run("assistant-monitor", "db", "upgrade", "--config", "monitor.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "monitor.sqlite3").exists()


def test_the_demo_holds(installed: Installed, tmp_path: Path) -> None:
    done = installed.run("assistant-monitor", "demo", "--scripted", "--json", "--seed", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["notifications"]) == 4
