"""llama.cpp's `llama-server`: a slot for each conversation, prompts kept in their slots."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.benchmarks.engine.client import Ask
from tests.benchmarks.engine.figures import Turn
from tests.benchmarks.engine.foreign import Foreign
from tests.benchmarks.engine.workload import TEMPERATURE, TOP_P

SLOT_TOKENS = 1024
KEYS = {"float32": "f32", "bfloat16": "bf16"}
SAMPLING = {"temperature": TEMPERATURE, "top_p": TOP_P, "top_k": 50, "min_p": 0.0, "samplers": ["top_k", "top_p"]}


def llamacpp(
    binary: str | None, file: Path | None, dtype: str, *, slots: int, threads: int, differs: str = ""
) -> Foreign:
    """The server `binary` with the weights of a GGUF file, beside the engine in `dtype`."""

    def command(port: int) -> list[str]:
        each = ["--threads", str(threads), "--threads-batch", str(threads)]
        # An empty prompt cache in memory: what it keeps beside the slots only costs here.
        room = ["--parallel", str(slots), "--ctx-size", str(slots * SLOT_TOKENS), "--cache-ram", "0"]
        kind = ["--cache-type-k", KEYS[dtype], "--cache-type-v", KEYS[dtype]]
        address = ["--host", "127.0.0.1", "--port", str(port), "--offline"]
        return [str(binary), "--model", str(file), *address, *each, *room, *kind]

    return Foreign(
        f"llama.cpp {file.name if file else dtype}", dtype, command, _asking, {}, differs, _missing(binary, file)
    )


def _missing(binary: str | None, file: Path | None) -> str | None:
    if not binary or not Path(binary).is_file():
        return "no llama-server (LLAMA_SERVER)"
    return None if file and file.is_file() else "no GGUF file"


def _asking(client: httpx.AsyncClient) -> Ask:
    async def ask(prompt: list[int], length: int, seed: int) -> Turn:
        body = {"prompt": prompt, "n_predict": length, "ignore_eos": True, "seed": seed, **SAMPLING}
        answer = await client.post("/completion", json={**body, "return_tokens": True, "cache_prompt": True})
        said = answer.raise_for_status().json()
        return Turn(len(prompt), tuple(said["tokens"]), said["timings"]["cache_n"])

    return ask
