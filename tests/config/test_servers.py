"""Addresses of completions servers: http(s), or a Unix socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config.simulator import ServerSettings
from tests.config.samples import CONFIG, loaded, problems


def on(url: str, beside: str = "") -> str:
    return CONFIG.replace("kind: scripted", f"kind: userlm, servers: [{{url: '{url}'}}]{beside}")


def server(folder: Path, url: str) -> ServerSettings:
    (found,) = loaded(folder, on(url)).settings.simulator.servers
    return found


def test_a_unix_socket_is_an_address(tmp_path: Path) -> None:
    assert server(tmp_path, "unix:///run/engine.sock").socket == Path("/run/engine.sock")


def test_a_url_is_no_socket(tmp_path: Path) -> None:
    assert server(tmp_path, "http://gpu:8000").socket is None


@pytest.mark.parametrize("url", ["unix:run/engine.sock", "unix://run/engine.sock", "unix:///run/", "unix://", "unix:"])
def test_what_is_no_path_of_a_socket_is_refused(tmp_path: Path, url: str) -> None:
    (problem,) = problems(tmp_path, on(url))
    assert problem == (
        "monitor.yaml:1: simulator.servers[0].url: not the path of a Unix socket; write unix:///folder/name.sock"
    )


def test_a_socket_whose_path_the_kernel_would_cut_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, on(f"unix:///{'ö' * 50}"))
    assert problem.endswith("a path too long for a Unix socket; at most 100 bytes")


def test_a_model_beside_a_socket_is_that_servers_model(tmp_path: Path) -> None:
    model = ", model: {name: ./m}, window: 4096"
    (problem,) = problems(tmp_path, on("unix:///run/engine.sock", model))
    assert "simulator.window: is above engine.max_context (2048)" in problem


def test_a_model_beside_a_server_elsewhere_bounds_nothing(tmp_path: Path) -> None:
    config = loaded(tmp_path, on("http://gpu:8000", ", model: {name: ./m}, window: 4096"))
    assert config.settings.simulator.window == 4096


def test_several_servers_are_taken_in_order(tmp_path: Path) -> None:
    servers = "[{url: 'http://a:8000', kind: vllm}, {url: 'unix:///run/engine.sock'}]"
    config = loaded(tmp_path, CONFIG.replace("kind: scripted", f"kind: userlm, servers: {servers}"))
    assert [(server.url, server.kind) for server in config.settings.simulator.servers] == [
        ("http://a:8000", "vllm"),
        ("unix:///run/engine.sock", None),
    ]


def test_a_server_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    servers = "[{url: 'http://a:8000'}, {url: 'http://b:8000'}, {url: 'http://a:8000?key=1'}]"
    (problem,) = problems(tmp_path, CONFIG.replace("kind: scripted", f"kind: userlm, servers: {servers}"))
    assert problem == "monitor.yaml:1: simulator.servers: http://a:8000 is named twice; keep one"
