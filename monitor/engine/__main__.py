"""`python -m monitor.engine`: plain arguments in, one engine served until it is told to stop."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from monitor.engine.settings import EngineSettings, ExitCode


def parse(arguments: list[str]) -> EngineSettings:
    """The settings that the arguments say. Raises SystemExit(2) with a usage line when they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m monitor.engine", description=__doc__)
    parser.add_argument("--model", required=True, help="a folder, a hub id, or smollm2")
    parser.add_argument("--revision", help="the hub's revision to pin")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--socket", type=Path, help="Unix socket to listen on")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help="TCP port to listen on; 0 picks a free one")
    parser.add_argument("--max-context", type=int, help="tokens of prompt and answer together")
    parser.add_argument("--max-batch-tokens", type=int, default=512, help="tokens that one step may compute")
    parser.add_argument("--max-slots", type=int, default=64, help="conversations kept in memory")
    parser.add_argument("--queue", type=int, default=256, help="requests that may wait")
    parser.add_argument("--threads", type=int, help="CPU threads to compute with")
    parser.add_argument("--cache-dir", type=Path, help="where fetched and converted weights lie")
    parser.add_argument("--parent-pid", type=int, help="end when this process is gone")
    parser.add_argument("--served-model-name", help="the name in requests, instead of --model")
    parser.add_argument("--request-seconds", type=float, default=600.0, help="no request runs longer")
    parser.add_argument("--no-progress-seconds", type=float, default=120.0, help="end when a step takes longer")
    try:
        return EngineSettings(**vars(parser.parse_args(arguments)))
    except ValueError as exc:
        parser.error(str(exc))


def main(arguments: list[str] | None = None) -> int:
    """Serve until stopped; an `ExitCode`."""
    settings = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        from monitor.engine.server import serve
    except ImportError as exc:
        print(
            f"the engine needs torch and transformers: pip install 'assistant-monitor[engine]' ({exc})", file=sys.stderr
        )
        return ExitCode.CANNOT_START
    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
