"""The engine's steps on a GPU against the card's memory, and whole conversations against the time that they wait.

`python -m tests.benchmarks.engine_cuda` needs torch and transformers alone: the engine's thread without HTTP, a Llama
of UserLM-8b's size with random weights in bfloat16. It prints a table and, as the last line, one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast
from unittest.mock import MagicMock

import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel

from monitor.engine.attention import ATTENTION_NAME, Segment
from monitor.engine.drawing import Row, draw
from monitor.engine.generation import Generation, Job, Piece, Result
from monitor.engine.model import Model, fit, speed_up
from monitor.engine.owner import Owner
from monitor.engine.sampling import Sampling
from monitor.engine.settings import EngineSettings
from monitor.engine.vocabulary import RunningText, Vocabulary

BYTES_A_SECOND = {"H100 PCIe": 2.0e12, "H100": 3.35e12, "H200": 4.8e12, "A100": 2.0e12}
"""Memory bandwidth by the makers' data sheets; of other cards it is measured by copying."""
USER_TOKENS, REPLY_TOKENS, OPENING_TOKENS = 40, 100, 80
REPEATS = 20
WARM_UP = 3


def network_of(options: argparse.Namespace) -> PreTrainedModel:
    """A Llama with random weights; by default of the size of Llama 3 8B with UserLM's vocabulary."""
    config = LlamaConfig(
        vocab_size=options.vocabulary,
        hidden_size=options.hidden,
        intermediate_size=options.intermediate,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.kv_heads,
        max_position_embeddings=2048,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
    )
    dtype = getattr(torch, options.dtype)
    with torch.device(options.device):
        build = cast(Callable[..., PreTrainedModel], AutoModelForCausalLM.from_config)
        network = build(config, attn_implementation=ATTENTION_NAME, dtype=dtype)
    network.train(False)
    return network


def model_of(options: argparse.Namespace) -> Model:
    """The network as the engine serves it."""
    settings = settings_of(options)
    words = Tokenizer(WordLevel({"a": 0, "b": 1}, unk_token="a"))
    vocabulary = Vocabulary(words, options.vocabulary, None, (), None, None)
    model = fit(network_of(options), vocabulary, settings)
    speed_up(model, settings)
    return model


def settings_of(options: argparse.Namespace) -> EngineSettings:
    """As the shipped configuration has them, with as many slots as are needed here."""
    return EngineSettings(
        model="random",
        port=0,
        device=options.device,
        dtype=options.dtype,
        max_context=2048,
        max_batch_tokens=8192,
        max_slots=max(*options.rows, options.conversations),
        queue=10_000,
    )


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Median seconds of a piece of work, the device's part included."""
    found = []
    for number in range(WARM_UP + REPEATS):
        _wait(device)
        began = time.perf_counter()
        work()
        _wait(device)
        if number >= WARM_UP:
            found.append(time.perf_counter() - began)
    return statistics.median(found)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def bandwidth(device: torch.device) -> tuple[float, str]:
    """Bytes a second that the memory moves, and where the number is from."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    for card, value in BYTES_A_SECOND.items():
        if all(word in name for word in card.split()):
            return value, "data sheet"
    size = 2**30 if device.type == "cuda" else 2**26
    source, target = (torch.empty(size, dtype=torch.uint8, device=device) for _ in range(2))
    return 2 * size / seconds_of(lambda: target.copy_(source), device), "measured by copying"


def decode_row(model: Model, rows: int, context: int, speed: float) -> dict[str, float]:
    """One decode step of so many conversations of `context` tokens: forward and drawing, against reading the memory."""
    shape = model.key_values.shape
    model.key_values.reserve(rows, context + 1)
    segments = [Segment(slot, context, 1, slot) for slot in range(rows)]
    rules = [Row(sampling(slot), [1]) for slot in range(rows)]
    ids, wanted = [5] * rows, list(range(rows))
    forward = seconds_of(lambda: model.forward(ids, segments, wanted), shape.device)
    whole = seconds_of(lambda: draw(model.forward(ids, segments, wanted), rules), shape.device)
    weights = sum(weight.nbytes for weight in model.network.parameters())
    table = cast(torch.Tensor, model.network.get_input_embeddings().weight).nbytes
    limit = (weights - table + rows * context * shape.token_bytes) / speed
    return {
        "rows": rows,
        "forward_ms": round(forward * 1e3, 3),
        "step_ms": round(whole * 1e3, 3),
        "limit_ms": round(limit * 1e3, 3),
        "share_of_bandwidth": round(limit / whole, 3),
    }


def prefill_tokens_per_second(model: Model, tokens: int, prompts: int) -> float:
    """Prompt tokens a second, several prompts of `tokens` packed into one step."""
    model.key_values.reserve(prompts, tokens)
    segments = [Segment(slot, 0, tokens, slot * tokens) for slot in range(prompts)]
    wanted = [part.offset + tokens - 1 for part in segments]
    work = seconds_of(lambda: model.forward([7] * (tokens * prompts), segments, wanted), model.key_values.shape.device)
    return tokens * prompts / work


def sampling(seed: int) -> Sampling:
    """A user's turn of the forced length."""
    return Sampling(max_tokens=USER_TOKENS, seed=seed, end_ids=frozenset(), temperature=1.0, top_p=0.8)


@dataclass(frozen=True)
class Talk:
    """One conversation: what the assistant takes for each of its replies, in seconds."""

    number: int
    latencies: tuple[float, ...]


def talks(options: argparse.Namespace) -> list[Talk]:
    """The conversations, the same for every run."""
    dice = random.Random(11)
    low, high = options.latency
    return [
        Talk(number, tuple(dice.uniform(low, high) for _ in range(options.turns)))
        for number in range(options.conversations)
    ]


async def converse(owner: Owner, model: Model, talk: Talk) -> float:
    """Seconds of one conversation."""
    loop, dice = asyncio.get_running_loop(), random.Random(talk.number)
    highest = model.vocabulary.size
    history = [dice.randrange(highest) for _ in range(OPENING_TOKENS)]
    began = time.perf_counter()
    for turn, latency in enumerate(talk.latencies):
        answer: asyncio.Future[Result] = loop.create_future()

        def deliver(_: Job, result: Result, answer: asyncio.Future[Result] = answer) -> None:
            loop.call_soon_threadsafe(answer.set_result, result)

        owner.submit(
            Generation(
                prompt=tuple(history),
                sampling=sampling(1000 * talk.number + turn),
                text=RunningText(model.vocabulary, (), skip_special_tokens=True),
                deliver=deliver,
                deadline=time.monotonic() + 600,
            )
        )
        result = await answer
        assert isinstance(result, Piece), result
        await asyncio.sleep(latency)
        history += [drawn.token_id for drawn in result.draws]
        history += [dice.randrange(highest) for _ in range(REPLY_TOKENS)]
    return time.perf_counter() - began


async def wall(owner: Owner, model: Model, planned: Sequence[Talk], at_once: int) -> float:
    """Seconds for all conversations, at most so many at once."""
    gate = asyncio.Semaphore(at_once)

    async def admitted(talk: Talk) -> None:
        async with gate:
            await converse(owner, model, talk)

    began = time.perf_counter()
    await asyncio.gather(*map(admitted, planned))
    return time.perf_counter() - began


def critical_path(planned: Sequence[Talk], at_once: int, turn_seconds: float) -> float:
    """Seconds of the same conversations, begun in the same order, if each took what it takes alone.

    With all of them at once that is the longest one.
    """
    ends = [0.0] * at_once
    for talk in planned:
        heapq.heapreplace(ends, ends[0] + sum(talk.latencies) + turn_seconds * len(talk.latencies))
    return max(ends)


@contextmanager
def running(options: argparse.Namespace, model: Model) -> Iterator[Owner]:
    """The engine's thread over the model; what it counts is thrown away."""
    nobody = MagicMock()

    def abandon(code: object, why: str) -> None:
        raise RuntimeError(f"{code}: {why}")

    owner = Owner(settings_of(options), lambda: model, nobody, abandon)
    owner.start()
    try:
        yield owner
    finally:
        owner.stop()


def conversations(options: argparse.Namespace, model: Model) -> list[dict[str, float]]:
    """Wall and critical path for each number at once."""
    planned = talks(options)
    found = []
    with running(options, model) as owner:
        alone = Talk(-1, (0.0,) * options.turns)
        asyncio.run(converse(owner, model, alone))
        turn_seconds = asyncio.run(converse(owner, model, alone)) / options.turns
        for at_once in options.at_once:
            seconds = asyncio.run(wall(owner, model, planned, at_once))
            path = critical_path(planned, at_once, turn_seconds)
            found.append(
                {
                    "at_once": at_once,
                    "wall_seconds": round(seconds, 2),
                    "critical_path_seconds": round(path, 2),
                    "wall_over_critical_path": round(seconds / path, 3),
                    "turn_alone_seconds": round(turn_seconds, 4),
                }
            )
    return found


def parsed() -> argparse.Namespace:
    """The command line; the defaults are what the results table shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=4096)
    parser.add_argument("--intermediate", type=int, default=14336)
    parser.add_argument("--heads", type=int, default=32)
    parser.add_argument("--kv-heads", type=int, default=8)
    parser.add_argument("--vocabulary", type=int, default=128257)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 16, 64, 200])
    parser.add_argument("--context", type=int, default=1000)
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--at-once", type=int, nargs="+", default=[64, 200])
    parser.add_argument("--latency", type=float, nargs=2, default=[1.0, 10.0])
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parsed()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("not measured: there is no usable CUDA device here")
    model = model_of(options)
    device = model.key_values.shape.device
    speed, source = bandwidth(device)
    attention = "flash" if model.kernel else "sdpa"
    print(f"attention {attention}, graphs {model.graphs is not None}, {speed:.3g} bytes/s ({source})", flush=True)
    with torch.inference_mode():
        steps = [decode_row(model, rows, options.context, speed) for rows in options.rows]
        prefill = prefill_tokens_per_second(model, options.context, min(8, max(options.rows)))
    for row in steps:
        print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    print(f"prefill {prefill:.0f} tokens/s", flush=True)
    waited = conversations(options, model)
    for row in waited:
        print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    found = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "flash_attention": model.kernel is not None,
        "cuda_graphs": model.graphs is not None,
        "bytes_per_second": speed,
        "steps": steps,
        "prefill_tokens_per_second": round(prefill, 1),
        "conversations": waited,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
