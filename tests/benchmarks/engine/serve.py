"""`transformers serve` with continuous batching. It takes text only, so prompts are the same but for tokenisation."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
from tokenizers import Tokenizer

from tests.benchmarks.engine.client import Ask
from tests.benchmarks.engine.figures import Turn
from tests.benchmarks.engine.foreign import Foreign
from tests.benchmarks.engine.workload import TEMPERATURE, TOP_P

PAGES = {"--cb-block-size": "32", "--cb-num-blocks": "1024", "--cb-max-batch-tokens": "512"}
NO_END = -1


def transformers_serve(program: str | None, folder: Path, dtype: str, *, threads: int) -> Foreign:
    """The server of the environment that `program` (the command `transformers`) belongs to."""

    def command(port: int) -> list[str]:
        server = [str(program), "serve", str(folder), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
        pages = [word for pair in PAGES.items() for word in pair]
        return [*server, "--dtype", dtype, "--continuous-batching", *pages]

    def asking(client: httpx.AsyncClient) -> Ask:
        return _asking(client, str(folder), Tokenizer.from_file(str(folder / "tokenizer.json")))

    environment = {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    missing = None if program and Path(program).is_file() else "no command transformers with the extra serving"
    return Foreign(
        f"transformers serve {dtype}", dtype, command, asking, environment, "takes and gives text, not ids", missing
    )


def _asking(client: httpx.AsyncClient, model: str, tokenizer: Tokenizer) -> Ask:
    sampling = {"do_sample": True, "temperature": TEMPERATURE, "top_p": TOP_P, "eos_token_id": NO_END}

    async def ask(prompt: list[int], length: int, seed: int) -> Turn:
        settings = json.dumps({**sampling, "max_new_tokens": length})
        text = tokenizer.decode(prompt, skip_special_tokens=False)
        body = {"model": model, "prompt": text, "max_tokens": length, "generation_config": settings}
        said = (await client.post("/v1/completions", json=body)).raise_for_status().json()
        if said["usage"]["completion_tokens"] != length:
            raise RuntimeError(f"{said['usage']['completion_tokens']} tokens instead of {length}")
        again = tokenizer.encode(said["choices"][0]["text"], add_special_tokens=False).ids
        # As many ids as were generated, whatever their text is in ids: the history must grow alike on all sides.
        return Turn(said["usage"]["prompt_tokens"], tuple((again + prompt)[:length]))

    return ask
