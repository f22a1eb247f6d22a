"""Tokens a second of the engine with many conversations at once, against a plain loop of one conversation at a time.

`python -m tests.benchmarks.engine_throughput [--conversations 16] [--turns 4] [--threads 2]` prints one JSON object.
Both sides generate the same number of tokens in each turn and send the whole history; nobody waits for an assistant.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from pathlib import Path

import httpx

from tests.fixtures.models import ROOT, running_engine

REPLY_TOKENS = 40
LONGEST_TURN_TOKENS = 60
SAMPLING = {"temperature": 1.0, "top_p": 0.8}


def turn_lengths(conversations: int, turns: int) -> list[list[int]]:
    """How many tokens each turn of each conversation gets: the same on both sides."""
    dice = random.Random(7)
    return [[dice.randint(20, LONGEST_TURN_TOKENS) for _ in range(turns)] for _ in range(conversations)]


def opening(number: int) -> list[int]:
    """Token ids of a conversation's beginning."""
    dice = random.Random(number)
    return [dice.randrange(1000, 40000) for _ in range(80)]


def reply(number: int, turn: int) -> list[int]:
    """Token ids that stand for the assistant's reply."""
    dice = random.Random(number * 1000 + turn)
    return [dice.randrange(1000, 40000) for _ in range(REPLY_TOKENS)]


async def converse(client: httpx.AsyncClient, number: int, lengths: list[int]) -> int:
    """One conversation through the engine; tokens of prompts that were not computed again."""
    ids, cached = opening(number), 0
    for turn, length in enumerate(lengths):
        body = {
            "prompt": ids,
            "max_tokens": length,
            "temperature": 1.0,
            "top_p": 0.8,
            "seed": number,
            "ignore_eos": True,
        }
        answer = (await client.post("/v1/completions", json=body)).raise_for_status().json()
        cached += answer["usage"]["prompt_tokens_details"]["cached_tokens"]
        ids = ids + answer["choices"][0]["token_ids"] + reply(number, turn)
    return cached


def cpu_seconds_of(pid: int) -> float:
    """CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def through_engine(socket: Path, lengths: list[list[int]]) -> tuple[float, int]:
    """Seconds for all conversations at once, and cached tokens."""
    transport = httpx.AsyncHTTPTransport(uds=str(socket), limits=httpx.Limits(max_connections=len(lengths)))
    async with httpx.AsyncClient(transport=transport, base_url="http://engine", timeout=600) as client:
        began = time.perf_counter()
        cached = await asyncio.gather(*(converse(client, number, turns) for number, turns in enumerate(lengths)))
        return time.perf_counter() - began, sum(cached)


def through_loop(folder: Path, lengths: list[list[int]], threads: int) -> tuple[float, float]:
    """Seconds and CPU seconds for one conversation after the other, the history computed again each turn."""
    import torch
    from transformers import GenerationConfig, LlamaForCausalLM

    torch.set_num_threads(threads)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    began, cpu_began = time.perf_counter(), time.process_time()
    for number, turns in enumerate(lengths):
        ids = opening(number)
        for turn, length in enumerate(turns):
            prompt = torch.tensor([ids])
            rules = GenerationConfig(  # type: ignore[no-untyped-call]
                max_new_tokens=length, min_new_tokens=length, do_sample=True, pad_token_id=0, **SAMPLING
            )
            mask = torch.ones_like(prompt)
            whole = model.generate(prompt, attention_mask=mask, generation_config=rules)  # type: ignore[misc]
            ids = [*whole[0].tolist(), *reply(number, turn)]
    return time.perf_counter() - began, time.process_time() - cpu_began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--cache-dir", type=Path, default=ROOT / ".cache")
    parser.add_argument("--conversations", type=int, default=16)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--loop-conversations", type=int, help="measure the loop on so many only, and scale")
    options = parser.parse_args()
    from monitor.engine.weights import resolve

    folder = resolve(options.model, cache_dir=options.cache_dir)
    lengths = turn_lengths(options.conversations, options.turns)
    tokens = sum(map(sum, lengths))
    with tempfile.TemporaryDirectory() as place:
        socket = Path(place) / "engine.sock"
        with running_engine(folder, socket, "--threads", str(options.threads)) as engine:
            before = cpu_seconds_of(engine.process.pid)
            seconds, cached = asyncio.run(through_engine(socket, lengths))
            cpu_seconds = cpu_seconds_of(engine.process.pid) - before
    part = lengths[: options.loop_conversations or len(lengths)]
    scale = tokens / sum(map(sum, part))
    loop_seconds, loop_cpu_seconds = (scale * value for value in through_loop(folder, part, options.threads))
    print(
        json.dumps(
            {
                "conversations": options.conversations,
                "turns": options.turns,
                "generated_tokens": tokens,
                "cached_prompt_tokens": cached,
                "engine_seconds": round(seconds, 2),
                "engine_tokens_per_second": round(tokens / seconds, 1),
                "loop_seconds": round(loop_seconds, 2),
                "loop_tokens_per_second": round(tokens / loop_seconds, 1),
                "speedup": round(loop_seconds / seconds, 2),
                "engine_cpu_seconds": round(cpu_seconds, 2),
                "loop_cpu_seconds": round(loop_cpu_seconds, 2),
                "cpu_speedup": round(loop_cpu_seconds / cpu_seconds, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
