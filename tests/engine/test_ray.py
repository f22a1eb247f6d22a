"""What Ray Serve is told to deploy, and when a replica says that it is ill."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest

from monitor.engine.settings import ExitCode
from tests.fixtures.models import ROOT

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="there is no wheel of Ray for this Python"
)


@pytest.fixture(scope="module")
def deploying() -> ModuleType:
    with warnings.catch_warnings():
        # Ray's own, at its import.
        warnings.simplefilter("ignore")
        return importlib.import_module("monitor.engine.ray")


def in_a_process(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@needs_ray
def test_text_is_read_as_what_the_engine_wants(deploying: ModuleType) -> None:
    fleet, settings = deploying.understood({"model": "m", "replicas": "3", "max_slots": "5", "cache_dir": "/c"})
    assert (fleet.replicas, fleet.gpus_per_replica) == (3, 0)
    assert (settings.model, settings.max_slots, settings.cache_dir) == ("m", 5, Path("/c"))


@needs_ray
def test_an_engine_on_cuda_has_a_gpu_of_its_own_or_shares_one(deploying: ModuleType) -> None:
    assert deploying.understood({"model": "m", "device": "cuda"})[0].gpus_per_replica == 1
    shared = {"model": "m", "device": "cuda", "gpus_per_replica": "0.5"}
    assert deploying.understood(shared)[0].gpus_per_replica == 0.5


@needs_ray
def test_as_many_requests_are_sent_to_a_replica_as_its_engine_takes(deploying: ModuleType) -> None:
    arguments = {"model": "m", "max_slots": "5", "queue": "7", "min_replicas": "1", "max_replicas": "4"}
    told = deploying.options(*deploying.understood(arguments))
    assert told["max_ongoing_requests"] == 12
    assert told["autoscaling_config"] == {"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 5}
    assert "num_replicas" not in told


@needs_ray
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "model is missing"),
        ({"model": "m", "slots": "5"}, "unknown: slots; there are cache_dir"),
        ({"model": "m", "port": "8000"}, "unknown: port"),
        ({"model": "m", "max_slots": "many"}, "max_slots Input should be a valid integer"),
        ({"model": "m", "max_slots": "0"}, "--max-slots must be at least 1"),
        ({"model": "m", "device": "tpu"}, "--device is cpu or cuda"),
        ({"model": "m", "replicas": "0"}, "replicas must be at least 1"),
        ({"model": "m", "replicas": "2", "min_replicas": "1", "max_replicas": "2"}, "either replicas or min_replicas"),
        ({"model": "m", "min_replicas": "1"}, "both min_replicas and max_replicas"),
        ({"model": "m", "min_replicas": "3", "max_replicas": "2"}, "min_replicas must not be above"),
        ({"model": "m", "target_ongoing_requests": "2"}, "target_ongoing_requests needs"),
        ({"model": "m", "cpus_per_replica": "-1"}, "cpus_per_replica must be at least 0"),
        ({"model": "m", "device": "cuda", "gpus_per_replica": "2"}, "gpus_per_replica is between 0 and 1"),
        ({"model": "m", "device": "cuda", "gpus_per_replica": "0"}, "gpus_per_replica is 0 with device cuda"),
        ({"model": "m", "gpus_per_replica": "1"}, "gpus_per_replica is 1 with device cpu"),
    ],
)
def test_a_wrong_argument_is_named(deploying: ModuleType, arguments: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        deploying.app(arguments)


@needs_ray
def test_neither_torch_nor_another_ray_is_found_where_it_is_deployed_from() -> None:
    script = "import sys, monitor.engine.ray, ray; print('torch' in sys.modules, 'monitor' in ray.__file__)"
    assert in_a_process(script).stdout.split() == ["False", "False"]


def test_without_ray_it_says_what_to_install() -> None:
    # None in sys.modules is what Python itself reads as "not to be had".
    ended = in_a_process("import sys; sys.modules['ray'] = None; import monitor.engine.ray")
    assert ended.stderr.splitlines()[-1].startswith(
        "ImportError: Ray Serve is not installed: pip install 'assistant-monitor[ray]'"
    )


HANGING = """
import asyncio, dataclasses, sys, threading, time
import httpx, torch
from monitor.engine.ray import Replica, understood

_, settings = understood({"model": sys.argv[1], "threads": 1, "no_progress_seconds": 3})
replica = Replica(settings)
replica.check_health()
print("well", flush=True)

async def ask():
    transport = httpx.ASGITransport(replica.application.starlette())
    async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
        await client.post("/v1/completions", json={"prompt": [5]}, timeout=None)

torch.nn.modules.module.register_module_forward_pre_hook(lambda *_: time.sleep(600))
threading.Thread(target=lambda: asyncio.run(ask()), daemon=True).start()
# Ill before the process is ended, which is looked at only now and then.
short = dataclasses.replace(settings, no_progress_seconds=0.1)
replica.application = dataclasses.replace(replica.application, settings=short)
while True:
    try:
        replica.check_health()
    except RuntimeError as exc:
        print(exc, flush=True)
        break
    time.sleep(0.01)
time.sleep(600)
"""


@needs_ray
@pytest.mark.model
def test_a_replica_with_a_step_that_does_not_end_is_ill_and_then_ends(userlm_folder: Path) -> None:
    ended = in_a_process(HANGING, userlm_folder)
    assert ended.stdout.splitlines() == ["well", "a step has been running for 0 s"], ended.stderr
    assert ended.returncode == ExitCode.NO_PROGRESS
