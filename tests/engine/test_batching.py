"""Many conversations at once give what each gives alone, whatever they share the engine with."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig, LlamaForCausalLM

from monitor.engine.drawing import Draw
from monitor.engine.generation import Generation, Job, Piece, Result
from monitor.engine.keyvalues import KeyValues
from monitor.engine.measures import Measures
from monitor.engine.model import Model, load
from monitor.engine.owner import Owner
from monitor.engine.refusal import Refusal
from monitor.engine.sampling import Sampling
from monitor.engine.settings import EngineSettings
from monitor.engine.vocabulary import RunningText

SETTINGS = EngineSettings(model="m", port=0, threads=1, max_batch_tokens=48, max_slots=8)
FAR = 300.0


@dataclass(frozen=True)
class Engine:
    """The owner's thread without HTTP in front of it."""

    owner: Owner
    model: Model
    measures: Measures

    def counted(self, name: str) -> float:
        """A counter of the engine's metrics."""
        return self.measures.registry.get_sample_value(f"assistant_monitor_engine_{name}_total") or 0.0

    def begin(self, prompt: Sequence[int], sampling: Sampling, *, late: float = FAR) -> tuple[Job, Future[Result]]:
        answer = Future[Result]()
        job = Generation(
            prompt=tuple(prompt),
            sampling=sampling,
            text=RunningText(self.model.vocabulary, (), skip_special_tokens=True),
            deliver=lambda _, result: answer.set_result(result),
            deadline=time.monotonic() + late,
        )
        self.owner.submit(job)
        return job, answer

    def draws(self, prompt: Sequence[int], sampling: Sampling) -> tuple[Draw, ...]:
        result = self.begin(prompt, sampling)[1].result(FAR)
        assert isinstance(result, Piece), result
        return result.draws

    def ids(self, prompt: Sequence[int], sampling: Sampling) -> list[int]:
        return [drawn.token_id for drawn in self.draws(prompt, sampling)]


EngineMaker = Callable[[EngineSettings], AbstractContextManager[Engine]]


@pytest.fixture(scope="module")
def model(userlm_folder: Path) -> Model:
    return load(userlm_folder, SETTINGS)


@pytest.fixture(scope="module")
def make(model: Model) -> EngineMaker:
    @contextmanager
    def made(settings: EngineSettings) -> Iterator[Engine]:
        own = KeyValues(model.key_values.shape, slots=settings.max_slots, tokens=model.max_context)
        alike = replace(model, key_values=own)
        measures = Measures()
        owner = Owner(settings, lambda: alike, measures, lambda code, why: pytest.fail(f"{code}: {why}"))
        owner.start()
        try:
            yield Engine(owner, model, measures)
        finally:
            owner.stop()

    return made


@pytest.fixture(scope="module")
def engine(make: EngineMaker) -> Iterator[Engine]:
    with make(SETTINGS) as running:
        yield running


def greedy(tokens: int) -> Sampling:
    return Sampling(max_tokens=tokens, seed=0, end_ids=frozenset(), temperature=0)


def prompt_of(number: int, length: int) -> list[int]:
    return [1000 + (number * 7919 + place * 31) % 90000 for place in range(length)]


samplings = st.builds(
    Sampling,
    max_tokens=st.integers(1, 6),
    seed=st.integers(0, 2**40),
    end_ids=st.just(frozenset[int]()),
    temperature=st.sampled_from([0.0, 0.7, 1.0]),
    top_p=st.sampled_from([0.5, 0.8, 1.0]),
    top_k=st.sampled_from([0, 5]),
    banned_first_ids=st.sampled_from([(), (5, 6)]),
    logit_bias=st.sampled_from([(), ((9906, 3.0),)]),
    logprobs=st.sampled_from([None, 2]),
    prompt_logprobs=st.sampled_from([None, None, 1]),
)
requests = st.tuples(st.builds(prompt_of, st.integers(0, 3), st.integers(1, 90)), samplings)


@settings(max_examples=25)
@given(asked=st.lists(requests, min_size=2, max_size=12))
def test_what_a_request_gives_does_not_depend_on_the_batch(
    engine: Engine, asked: list[tuple[list[int], Sampling]]
) -> None:
    alone = [engine.draws(prompt, sampling) for prompt, sampling in asked]
    begun = [engine.begin(prompt, sampling)[1] for prompt, sampling in asked]
    for one, answer in zip(alone, begun, strict=True):
        result = answer.result(FAR)
        assert isinstance(result, Piece)
        assert [drawn.token_id for drawn in result.draws] == [drawn.token_id for drawn in one]
        assert [drawn.logprob for drawn in result.draws] == pytest.approx([drawn.logprob for drawn in one], abs=1e-3)


def converse(engine: Engine, number: int, turns: int) -> list[list[int]]:
    """The ids that a conversation's turns give, each on all that was before."""
    history, said = prompt_of(number, 40), []
    for turn in range(turns):
        said.append(engine.ids(history, greedy(5)))
        history += [*said[-1], *prompt_of(100 * number + turn, 12)]
    return said


def all_at_once(engine: Engine, conversations: int) -> list[list[list[int]]]:
    with ThreadPoolExecutor(conversations) as pool:
        return list(pool.map(lambda number: converse(engine, number, 3), range(conversations)))


def test_greedy_turns_are_those_of_generate(engine: Engine, userlm_folder: Path) -> None:
    plain = LlamaForCausalLM.from_pretrained(userlm_folder, dtype=torch.float32)
    rules = GenerationConfig(max_new_tokens=5, min_new_tokens=5, do_sample=False, pad_token_id=0)  # type: ignore[no-untyped-call]
    for number, turns in enumerate(all_at_once(engine, 8)):
        history = prompt_of(number, 40)
        for turn, said in enumerate(turns):
            ids = torch.tensor([history])
            whole = plain.generate(ids, attention_mask=torch.ones_like(ids), generation_config=rules)  # type: ignore[misc]
            assert said == whole[0, len(history) :].tolist()
            history += [*said, *prompt_of(100 * number + turn, 12)]


def test_conversations_that_push_each_other_out_give_the_same(engine: Engine, make: EngineMaker) -> None:
    with make(replace(SETTINGS, max_slots=2)) as crowded:
        assert all_at_once(crowded, 6) == all_at_once(engine, 6)


def test_what_many_begin_with_at_once_is_computed_once(make: EngineMaker) -> None:
    opening = prompt_of(77, 100)
    prompts = [[*opening, *prompt_of(number, 5)] for number in range(6)]
    with make(replace(SETTINGS, max_batch_tokens=512)) as fresh, make(SETTINGS) as other:
        begun = [fresh.begin(prompt, greedy(3))[1] for prompt in prompts]
        together = [answer.result(FAR) for answer in begun]
        assert fresh.counted("prefilled_tokens") == 105 + 5 * 5
        alone = [other.ids(prompt, greedy(3)) for prompt in prompts]
    assert [[drawn.token_id for drawn in one.draws] for one in together if isinstance(one, Piece)] == alone


def test_more_rows_than_a_step_has_room_for_take_turns(make: EngineMaker) -> None:
    with make(replace(SETTINGS, max_batch_tokens=2)) as tight:
        begun = [tight.begin(prompt_of(number, 2), greedy(40))[1] for number in range(6)]
        begun[0].result(FAR)
        assert tight.counted("decoded_tokens") > 120, "the others stood still"
        assert all(isinstance(answer.result(FAR), Piece) for answer in begun)


def test_a_request_that_nobody_waits_for_gives_its_slot_to_the_next(make: EngineMaker) -> None:
    with make(replace(SETTINGS, max_slots=1)) as narrow:
        job, answer = narrow.begin(prompt_of(1, 5), greedy(1900))
        waiting = narrow.begin(prompt_of(2, 5), greedy(1))[1]
        narrow.owner.cancel(job)
        assert isinstance(waiting.result(FAR), Piece)
        assert not answer.done()


def test_a_deadline_ends_a_request_that_waits_and_one_that_runs(make: EngineMaker) -> None:
    with make(replace(SETTINGS, max_slots=1)) as narrow:
        begun = [narrow.begin(prompt_of(number, 5), greedy(1900), late=0.2)[1] for number in range(2)]
        for answer in begun:
            result = answer.result(FAR)
            assert isinstance(result, Refusal) and result.status == 504


def test_stopping_answers_everybody(make: EngineMaker) -> None:
    with make(replace(SETTINGS, max_slots=1)) as narrow:
        begun = [narrow.begin(prompt_of(number, 5), greedy(1900))[1] for number in range(3)]
        threading.Thread(target=narrow.owner.stop).start()
        for answer in begun:
            result = answer.result(FAR)
            assert isinstance(result, Refusal) and result.code == "stopping"
