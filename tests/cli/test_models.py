"""`models` and `engine`: weights ahead of time, and the engine's own command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import Done, Run, write_config

ROOT = Path(__file__).parents[2]


def with_model(folder: Path, name: object) -> Path:
    model = {"name": str(name), "device": "cpu", "dtype": "float32"}
    return write_config(folder, simulator={"kind": "prompted", "model": model})


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}" * 500)
    return folder


def test_a_folder_is_present(tmp_path: Path, model_folder: Path, run: Run) -> None:
    done = run("models", "show", "--config", with_model(tmp_path, model_folder))
    assert done.code == 0
    assert done.out.splitlines() == [
        f"{model_folder}, no revision pinned",
        f"from folder: {model_folder} (1,000 bytes)",
    ]


def test_a_folder_needs_no_fetching(tmp_path: Path, model_folder: Path, run: Run) -> None:
    done = run("models", "fetch", "--config", with_model(tmp_path, model_folder))
    assert (done.code, done.out) == (0, f"{model_folder} lies in {model_folder}\n")


def test_a_model_that_is_not_here_is_told(tmp_path: Path, run: Run) -> None:
    done = run("models", "show", "--config", with_model(tmp_path, "nobody/no-model"))
    assert done.code == 4
    assert done.out.endswith("from hub: not on this machine\n")


@pytest.mark.parametrize(("name", "code"), [(".", 0), ("nobody/no-model", 4)])
def test_json_tells_the_same_to_machines(name: str, code: int, tmp_path: Path, model_folder: Path, run: Run) -> None:
    model = model_folder if name == "." else name
    done = run("models", "show", "--json", "--config", with_model(tmp_path, model))
    is_here = code == 0
    assert done.code == code
    assert done.json() == {
        "model": str(model),
        "revision": None,
        "folder": str(model) if is_here else None,
        "bytes": 1000 if is_here else None,
        "source": "folder" if is_here else "hub",
        "present": is_here,
    }


@pytest.mark.parametrize("command", ["show", "fetch"])
def test_a_user_without_a_model_has_no_weights(command: str, tmp_path: Path, run: Run) -> None:
    done = run("models", command, "--config", write_config(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert "simulator.model is not set" in done.err


def test_fetching_without_a_network_says_what_to_do(tmp_path: Path) -> None:
    done = in_a_process("models", "fetch", "--config", with_model(tmp_path, "nobody/no-model"))
    assert (done.code, done.out) == (4, "")
    assert "nobody/no-model is not on this machine and could not be fetched" in done.err
    assert "Bring the weights ahead of time" in done.err
    assert "Traceback" not in done.err


def test_the_engine_lists_its_options(run: Run) -> None:
    done = run("engine", "--help")
    assert done.code == 0
    for option in ("--model", "--socket", "--port", "--device", "--max-context"):
        assert option in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "required: --model"),
        (("--model", "m"), "give either --socket or --port"),
        (("--model", "m", "--port", "0", "--device", "toaster"), "--device"),
        (("--model", "m", "--port", "0", "--threads", "0"), "--threads must be at least 1"),
    ],
)
def test_an_engines_wrong_command_line_is_refused(arguments: tuple[str, ...], said: str, run: Run) -> None:
    done = run("engine", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def in_a_process(*arguments: object) -> Done:
    """The hub's client reads whether it is offline when it is imported, so this needs a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
