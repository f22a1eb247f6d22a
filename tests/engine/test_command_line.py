"""The engine's command line beside what a configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.engine.__main__ import parse
from monitor.engine.settings import EngineSettings

CONFIGURED = {"model": "configured", "max_slots": 8, "socket": Path("/run/engine.sock")}


def test_what_nobody_says_is_the_default() -> None:
    assert parse(["--model", "m", "--port", "1"]) == EngineSettings(model="m", port=1)


def test_a_configuration_is_enough() -> None:
    assert parse([], CONFIGURED) == EngineSettings(model="configured", max_slots=8, socket=Path("/run/engine.sock"))


def test_an_option_beats_the_configuration() -> None:
    settings = parse(["--model", "said", "--max-slots", "2"], CONFIGURED)
    assert (settings.model, settings.max_slots, settings.socket) == ("said", 2, Path("/run/engine.sock"))


def test_an_address_replaces_the_configured_one_as_a_whole() -> None:
    settings = parse(["--port", "0"], CONFIGURED)
    assert (settings.socket, settings.host, settings.port) == (None, "127.0.0.1", 0)
    settings = parse(["--socket", "/s"], {"model": "m", "host": "::1", "port": 1})
    assert (settings.socket, settings.host, settings.port) == (Path("/s"), "127.0.0.1", None)


def test_a_configuration_without_an_address_is_not_enough(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([], {"model": "m"})
    assert "give either --socket or --port" in capsys.readouterr().err
