"""How the engine's process starts, refuses to start, and ends."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.engine.settings import ExitCode
from tests.fixtures.models import ROOT, EngineChild, EngineFactory

ENV = {**os.environ, "HF_HUB_OFFLINE": "1"}
LONG = {"prompt": [9906], "max_tokens": 2000, "ignore_eos": True}


def refused_start(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "monitor.engine", *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=ENV, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr


def metrics_of(engine: EngineChild) -> dict[str, float]:
    families = text_string_to_metric_families(engine.client.get("/metrics").text)
    return {
        sample.name + "".join(f":{value}" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def eventually(claim: str, engine: EngineChild, metric: str, value: float) -> None:
    deadline = time.monotonic() + 30
    while metrics_of(engine)[metric] != value:
        assert time.monotonic() < deadline, claim


def test_the_measures_count_what_was_done(userlm_engine: EngineChild) -> None:
    before = metrics_of(userlm_engine)
    userlm_engine.complete(prompt=[87654, 8, 7], max_tokens=2, ignore_eos=True)
    after = metrics_of(userlm_engine)
    grown = {name.removeprefix("assistant_monitor_engine_"): after[name] - before[name] for name in after}
    assert (grown["prefilled_tokens_total"], grown["reused_tokens_total"], grown["decoded_tokens_total"]) == (3, 0, 2)
    assert (grown["requests_total:length"], grown["queue_seconds_count"]) == (1, 1)
    assert (grown["step_seconds_count"], grown["step_rows_sum"]) == (2, 2)
    assert after["assistant_monitor_engine_slots_free"] == 64


def test_only_its_user_may_open_the_socket_and_it_goes_with_the_engine(
    userlm_folder: Path, engine_child: EngineFactory
) -> None:
    with engine_child(userlm_folder) as engine:
        assert stat.S_IMODE(engine.socket.stat().st_mode) == 0o600
    assert not engine.socket.exists()
    assert engine.process.returncode == ExitCode.STOPPED


def test_a_stale_socket_is_replaced_and_a_full_queue_refuses(
    userlm_folder: Path, engine_child: EngineFactory, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "engine.sock"))
    with engine_child(userlm_folder, "--max-slots", "1", "--queue", "1") as engine, ThreadPoolExecutor(2) as pool:
        running = [pool.submit(engine.client.post, "/v1/completions", json=LONG, timeout=120)]
        eventually("one runs", engine, "assistant_monitor_engine_slots_in_use", 1)
        running.append(pool.submit(engine.client.post, "/v1/completions", json=LONG, timeout=120))
        eventually("one waits", engine, "assistant_monitor_engine_queue", 1)
        answer = engine.client.post("/v1/completions", json=LONG)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert answer.json()["error"]["code"] == "queue_full"
        engine.process.kill()
        assert all(future.exception() is not None for future in running)


def test_a_client_that_leaves_frees_its_slot(userlm_engine: EngineChild) -> None:
    with pytest.raises(httpx.ReadTimeout):
        userlm_engine.client.post("/v1/completions", json=LONG, timeout=0.3)
    eventually("the slot is free", userlm_engine, "assistant_monitor_engine_slots_in_use", 0)
    assert metrics_of(userlm_engine)["assistant_monitor_engine_requests_total:cancelled"] >= 1


def test_a_client_that_leaves_a_stream_frees_its_slot(userlm_engine: EngineChild) -> None:
    with userlm_engine.client.stream("POST", "/v1/completions", json={**LONG, "stream": True}) as answer:
        assert next(answer.iter_lines()).startswith("data: ")
    eventually("the slot is free", userlm_engine, "assistant_monitor_engine_slots_in_use", 0)


def test_it_ends_when_its_parent_is_killed(userlm_folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "engine.sock"
    arguments = ["-m", "monitor.engine", "--model", str(userlm_folder), "--socket", str(place), "--parent-pid"]
    script = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, *{arguments!r}, str(os.getpid())])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=ENV, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        engine = Path("/proc") / parent.stdout.readline().decode().strip()
        wait_until(place.exists)
        parent.kill()
    wait_until(lambda: not engine.exists() or "State:\tZ" in (engine / "status").read_text())
    assert not place.exists()


def wait_until(claim: object) -> None:
    assert callable(claim)
    deadline = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_cuda_it_says_so_and_what_to_do(userlm_folder: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    code, said = refused_start("--model", str(userlm_folder), "--device", "cuda", "--socket", str(tmp_path / "s"))
    assert code == ExitCode.CANNOT_START
    assert "device cuda was asked for but is not there" in said and "device cpu" in said


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    arguments = ("--cache-dir", str(tmp_path), "--socket", str(tmp_path / "s"))
    code, said = refused_start("--model", "microsoft/UserLM-8b", "--revision", "ce576a2", *arguments)
    assert code == ExitCode.CANNOT_START
    assert "microsoft/UserLM-8b at ce576a2 is not on this machine" in said and "models fetch" in said


def test_damaged_weights_are_refused(userlm_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(userlm_folder, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1_000_000])
    code, said = refused_start("--model", str(folder), "--socket", str(tmp_path / "s"))
    assert code == ExitCode.CANNOT_START
    assert "cannot be loaded" in said


def test_arguments_that_make_no_sense_are_refused() -> None:
    assert refused_start("--model", "x")[0] == ExitCode.MISUSED
