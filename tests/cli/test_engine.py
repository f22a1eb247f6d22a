"""`engine --config` and `models`: what they take of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.cli.engine import configured_engine
from monitor.config.user_model import load_user_model
from monitor.engine.settings import EngineSettings
from monitor.errors import ConfigError
from tests.cli.commands import Run, write_config

MODEL = {"name": "owner/model", "revision": "0" * 40, "device": "cuda", "dtype": "bfloat16", "cache_dir": "/cache"}
LIMITS = {
    "max_context": 4096,
    "max_batch_tokens": 64,
    "max_slots": 3,
    "queue": 5,
    "threads": 2,
    "startup_timeout": "9s",
}
MISSING = {"slack": {"token_file": "not-here", "channel": "#on-call"}}


def with_server(folder: Path, **server: str) -> Path:
    simulator = {"kind": "userlm", "model": MODEL, "engine": LIMITS, "servers": [server] if server else []}
    return write_config(folder, simulator=simulator, notify=MISSING)


def options(folder: Path, **server: str) -> dict[str, object]:
    return configured_engine(load_user_model(with_server(folder, **server), {}))


def test_everything_comes_from_the_configuration(tmp_path: Path) -> None:
    assert EngineSettings(**options(tmp_path, url="unix:///run/e.sock", model="user")) == EngineSettings(  # type: ignore[arg-type]
        model="owner/model",
        revision="0" * 40,
        device="cuda",
        dtype="bfloat16",
        socket=Path("/run/e.sock"),
        max_context=4096,
        max_batch_tokens=64,
        max_slots=3,
        queue=5,
        threads=2,
        cache_dir=Path("/cache"),
        served_model_name="user",
        startup_seconds=9,
    )


@pytest.mark.parametrize(
    ("url", "address"), [("http://127.0.0.1:8000", ("127.0.0.1", 8000)), ("http://[::1]/", ("::1", 80))]
)
def test_it_listens_where_the_daemon_asks(tmp_path: Path, url: str, address: tuple[str, int]) -> None:
    found = options(tmp_path, url=url)
    assert (found["host"], found["port"]) == address


def test_without_a_server_there_is_no_address(tmp_path: Path, run: Run) -> None:
    done = run("engine", "--config", with_server(tmp_path))
    assert done.code == 2
    assert "give either --socket or --port" in done.err


@pytest.mark.parametrize("url", ["https://gpu", "http://gpu/prefix", "http://gpu?x=1"])
def test_an_address_that_it_cannot_have_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"simulator\.servers\[0\]\.url: an engine listens on"):
        options(tmp_path, url=url)


def test_options_are_checked_after_they_are_joined(tmp_path: Path, run: Run) -> None:
    done = run("engine", "--config", with_server(tmp_path, url="unix:///run/e.sock"), "--threads", "0")
    assert (done.code, done.out) == (2, "")
    assert "--threads must be at least 1" in done.err


def test_no_secret_is_needed_to_look_after_weights(tmp_path: Path, run: Run) -> None:
    done = run("models", "show", "--config", with_server(tmp_path))
    assert done.code == 4
    assert done.out.endswith("from hub: not on this machine\n")


def test_the_help_tells_of_the_configuration(run: Run) -> None:
    assert "--config FILE" in run("engine", "--help").out
