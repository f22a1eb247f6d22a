"""What becomes of requests when a step fails, without HTTP or a process."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor

from monitor.engine import step
from monitor.engine.generation import Generation, Piece, Result
from monitor.engine.keyvalues import KeyValues
from monitor.engine.measures import Measures
from monitor.engine.model import Model, load
from monitor.engine.owner import Owner
from monitor.engine.refusal import Refusal
from monitor.engine.sampling import Sampling
from monitor.engine.settings import EngineSettings, ExitCode
from monitor.engine.slots import Slots
from monitor.engine.vocabulary import RunningText

SETTINGS = EngineSettings(model="m", port=0, threads=1, max_batch_tokens=64)


@dataclass
class Faulty:
    """A model whose next steps fail as told."""

    model: Model
    faults: list[Exception] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        return getattr(self.model, name)

    def forward(self, *arguments: object) -> Tensor:
        if self.faults:
            raise self.faults.pop()
        return self.model.forward(*arguments)  # type: ignore[arg-type]


@dataclass
class Bench:
    """An owner over a faulty model, and why it wanted to end the process."""

    faulty: Faulty
    owner: Owner
    abandoned: list[ExitCode]
    measures: Measures

    def ask(self, seconds: float = 60) -> Result:
        answers: queue.Queue[Result] = queue.Queue()
        text = RunningText(self.faulty.model.vocabulary, (), skip_special_tokens=True)
        sampling = Sampling(max_tokens=2, seed=1, end_ids=frozenset(), temperature=0)
        deadline = time.monotonic() + 60
        self.owner.submit(
            Generation(
                prompt=(1, 2, 3),
                sampling=sampling,
                text=text,
                deliver=lambda _, result: answers.put(result),
                deadline=deadline,
            )
        )
        return answers.get(timeout=seconds)


@pytest.fixture(scope="module")
def model(userlm_folder: Path) -> Model:
    return load(userlm_folder, SETTINGS)


@pytest.fixture
def bench(model: Model) -> Iterator[Bench]:
    faulty, abandoned = Faulty(model), list[ExitCode]()
    measures = Measures()
    owner = Owner(SETTINGS, lambda: cast(Model, faulty), measures, lambda code, _: abandoned.append(code))
    owner.start()
    yield Bench(faulty, owner, abandoned, measures)
    owner.stop()


def test_a_fault_outside_a_step_ends_the_process(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise LookupError("odd")

    monkeypatch.setattr(Slots, "claim", broken)
    with pytest.raises(queue.Empty):
        bench.ask(seconds=0.5)
    assert bench.abandoned == [ExitCode.BROKEN]


def test_a_step_that_fails_fails_its_requests_alone(bench: Bench) -> None:
    bench.faulty.faults = [KeyError("odd")]
    failed, after = bench.ask(), bench.ask()
    assert isinstance(failed, Refusal) and (failed.status, failed.code) == (500, "step_failed")
    assert isinstance(after, Piece) and not bench.abandoned


def test_out_of_memory_is_tried_once_more_with_smaller_steps(bench: Bench) -> None:
    bench.faulty.faults = [torch.OutOfMemoryError("full")]
    assert isinstance(bench.ask(), Piece)
    assert bench.measures.registry.get_sample_value("assistant_monitor_engine_batch_tokens_limit") == 32


def test_out_of_memory_twice_is_told(bench: Bench) -> None:
    bench.faulty.faults = [torch.OutOfMemoryError("full"), torch.OutOfMemoryError("full")]
    failed = bench.ask()
    assert isinstance(failed, Refusal) and (failed.status, failed.code) == (503, "out_of_memory")
    assert isinstance(bench.ask(), Piece)


@pytest.mark.parametrize("place", ["claim", "reserve", "draw"])
@pytest.mark.parametrize(("times", "answer"), [(1, Piece), (2, Refusal)])
def test_out_of_memory_outside_the_model_is_tried_once_more_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, place: str, times: int, answer: type[Result]
) -> None:
    owner = {"claim": Slots, "reserve": KeyValues, "draw": step}[place]
    whole, left = getattr(owner, place), [torch.OutOfMemoryError("full")] * times

    def full_at_first(*arguments: object, **options: object) -> object:
        if left:
            raise left.pop()
        return whole(*arguments, **options)

    unbroken = bench.ask()
    monkeypatch.setattr(owner, place, full_at_first)
    found = bench.ask()
    assert isinstance(found, answer) and not bench.abandoned
    assert isinstance(found, Refusal) or _said(found) == _said(unbroken)
    assert isinstance(bench.ask(), Piece)


def _said(result: Result) -> list[int]:
    assert isinstance(result, Piece)
    return [drawn.token_id for drawn in result.draws]


def test_a_lost_device_ends_the_process(bench: Bench) -> None:
    bench.faulty.faults = [RuntimeError("CUDA error: device-side assert triggered")]
    bench.ask()
    assert bench.abandoned == [ExitCode.DEVICE_LOST]
