"""The benchmark of the engine gives every side the same work, and computes its figures right. No speed is tested."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.benchmarks.engine import batching, generate, loop, parity
from tests.benchmarks.engine.client import converse, play
from tests.benchmarks.engine.figures import (
    Conversation,
    Run,
    Turn,
    cached_fraction,
    cached_fraction_of_forwarded,
    median_ratio,
)
from tests.benchmarks.engine.foreign import running
from tests.benchmarks.engine.latency import longest
from tests.benchmarks.engine.llamacpp import llamacpp
from tests.benchmarks.engine.machine import cpu_seconds_of_session, matrix_flags
from tests.benchmarks.engine.ours import Ours
from tests.benchmarks.engine.report import last_line, table
from tests.benchmarks.engine.rounds import Round, figures
from tests.benchmarks.engine.sides import BATCHING, ENGINE, ENGINE_BFLOAT16, GENERATE, LOOP
from tests.benchmarks.engine.workload import TOKEN_IDS, TURN_TOKENS, workload
from tests.fixtures.models import EngineChild

TWO_TURNS: Conversation = (Turn(80, tuple(range(20)), 0), Turn(140, tuple(range(30)), 95))


def test_workloads_differ_in_tokens_only() -> None:
    one, other = workload(3, 2, salt="a"), workload(3, 2, salt="b")
    assert one.lengths == other.lengths
    assert one.opening(0)[:4] != other.opening(0)[:4]
    assert one.opening(0) == workload(3, 2, salt="a").opening(0)


def test_a_workload_stays_within_its_bounds() -> None:
    work = workload(20, 4, salt="a", latency_seconds=(0.5, 3.0))
    assert all(TURN_TOKENS[0] <= length <= TURN_TOKENS[1] for row in work.lengths for length in row)
    assert all(0.5 <= seconds <= 3.0 for row in work.latencies for seconds in row)
    assert all(token in TOKEN_IDS for token in [*work.opening(3), *work.reply(3, 1)])


def test_the_ratio_is_the_median_of_pairs_and_not_of_sides() -> None:
    assert median_ratio([(10.0, 1.0), (4.0, 2.0), (9.0, 3.0)]) == 3.0


def test_the_cached_fraction_leaves_out_what_is_new_in_a_turn() -> None:
    assert cached_fraction([TWO_TURNS]) == 95 / 100


def test_the_cached_fraction_counted_from_forwarded_tokens_is_the_same() -> None:
    forwarded = 80 + 140 - 95
    assert cached_fraction_of_forwarded([TWO_TURNS], forwarded) == pytest.approx(95 / 100)
    assert cached_fraction_of_forwarded([TWO_TURNS], 80 + 140) == 0


def test_a_side_that_does_not_say_what_it_reused_has_no_fraction() -> None:
    assert cached_fraction([TWO_TURNS, (Turn(80, (1,)), Turn(121, (1,)))]) is None


def test_figures_say_none_where_a_side_was_not_run() -> None:
    runs = {name: Run(seconds, 2 * seconds, [TWO_TURNS]) for name, seconds in ((ENGINE, 2.0), (LOOP, 9.0))}
    others = {name: Run(4.0, 4.0, [TWO_TURNS]) for name in (GENERATE, BATCHING)}
    found = figures([Round(runs | others, None)])
    assert (found["speedup_vs_source_loop"], found["speedup_vs_generate"]) == (4.5, 2.0)
    assert found["bfloat16_speedup"] is None
    assert found["cached_fraction_of_forwarded"] is None


def test_a_side_of_one_round_is_compared_with_that_round() -> None:
    def runs(engine: float) -> dict[str, Run]:
        return {name: Run(engine, engine, [TWO_TURNS]) for name in (ENGINE, LOOP, GENERATE, BATCHING)}

    first = runs(2.0) | {ENGINE_BFLOAT16: Run(1.0, 1.0, [TWO_TURNS])}
    assert figures([Round(first, 125.0), Round(runs(8.0), 125.0)])["bfloat16_speedup"] == 2.0


def test_the_longest_conversation_counts_waiting_and_tokens() -> None:
    work = workload(32, 4, salt="a", latency_seconds=(0.5, 3.0))
    assert longest(work, 0.0) == max(work.conversations, key=lambda number: sum(work.latencies[number]))
    assert longest(work, 1000.0) == max(work.conversations, key=lambda number: sum(work.lengths[number]))


def test_every_turn_sends_the_whole_history() -> None:
    prompts = list[list[int]]()

    async def ask(prompt: list[int], length: int, _seed: int) -> Turn:
        prompts.append(prompt)
        return Turn(len(prompt), (7,) * length)

    work = workload(1, 2, salt="a")
    run = asyncio.run(play(ask, work, lambda: 0.0))
    assert prompts[1] == [*work.opening(0), *[7] * work.lengths[0][0], *work.reply(0, 0)]
    assert run.tokens == work.tokens


def test_a_server_that_ends_early_is_not_measured() -> None:
    async def ask(prompt: list[int], length: int, _seed: int) -> Turn:
        return Turn(len(prompt), (7,) * (length - 1))

    with pytest.raises(RuntimeError, match="tokens instead of"):
        asyncio.run(converse(ask, workload(1, 1, salt="a"), 0))


def test_rows_of_a_batch_end_at_their_own_lengths() -> None:
    rule = generate.RowLengths(10, [2, 3])
    assert rule(torch.zeros(2, 12), torch.zeros(0)).tolist() == [True, False]


@pytest.mark.parametrize("side", [loop.run, generate.run, batching.run])
def test_every_side_generates_the_forced_lengths(side: object, userlm_folder: Path) -> None:
    assert callable(side)
    work = workload(2, 2, salt="a")
    run = side(loop.load(userlm_folder, threads=1), work)
    assert isinstance(run, Run)
    assert tuple(tuple(len(turn.ids) for turn in row) for row in run.conversations) == work.lengths
    assert [turn.prompt_tokens for turn in run.conversations[0]] == [80, 80 + work.lengths[0][0] + 40]


def test_the_engine_counts_what_it_forwarded(userlm_engine: EngineChild) -> None:
    ours = Ours(userlm_engine)
    before = ours.counted("prefilled")
    run = ours.run(workload(2, 2, salt="counted"))
    after = ours.counted("prefilled")
    assert before is not None
    assert after is not None
    assert cached_fraction(run.conversations) == cached_fraction_of_forwarded(run.conversations, after - before)


def test_parity_names_the_first_difference() -> None:
    other = (TWO_TURNS[0], Turn(140, (*range(29), 99)))
    assert parity.compare([TWO_TURNS], [TWO_TURNS]).holds
    assert parity.compare([TWO_TURNS], [other]).first_difference == (0, 1, 29)


def test_parity_is_measured_against_generate(userlm_engine: EngineChild, userlm_folder: Path) -> None:
    found = parity.measure(Ours(userlm_engine), loop.load(userlm_folder, threads=1), 2, 2)
    assert (found.equal_tokens, found.first_difference) == (found.tokens, None)


def test_the_flags_are_those_of_the_processor() -> None:
    assert matrix_flags("model name\t: x\nflags\t\t: fpu avx2 amx_tile amx_bf16\n") == ["avx2", "amx_bf16"]


def test_a_server_is_charged_for_its_children() -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ninput()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as leader:
        assert leader.stdout is not None
        leader.stdout.readline()
        assert cpu_seconds_of_session(leader.pid) >= 0.1
        leader.communicate(b"\n")


def test_a_server_that_is_not_there_says_what_is_missing() -> None:
    assert llamacpp(None, None, "float32", slots=1, threads=1).missing == "no llama-server (LLAMA_SERVER)"


def test_a_server_that_ends_at_its_start_says_why(tmp_path: Path) -> None:
    ends = llamacpp(sys.executable, tmp_path / "none.gguf", "float32", slots=1, threads=1)
    with pytest.raises(RuntimeError, match="ended with 2: unknown option"), running(ends, tmp_path):
        pass


def test_a_table_says_not_measured() -> None:
    assert table(("side", "seconds"), [("a", 1.0), ("b", None)]).splitlines()[2] == "b     not measured"


def test_the_last_line_is_one_object_without_nan() -> None:
    assert last_line({"parity": True}) == '{"parity": true}'
    with pytest.raises(ValueError, match="Out of range"):
        last_line({"speedup": float("nan")})
