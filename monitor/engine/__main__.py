"""`python -m monitor.engine`: plain arguments in, one engine served until it is told to stop."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitor.engine.settings import EngineSettings, ExitCode

ADDRESS = {"socket", "host", "port"}


def parse(arguments: list[str], configured: Mapping[str, Any] | None = None, *, note: str = "") -> EngineSettings:
    """The settings that the arguments say, else `configured`, else the defaults of `EngineSettings`.

    An address among the arguments replaces a configured one as a whole. `note` ends the help.
    Raises SystemExit(2) with a usage line when they are wrong.
    """
    parser = _parser(note)
    said = vars(parser.parse_args(arguments))
    left_out = ADDRESS if said.keys() & {"socket", "port"} else set()
    values = {name: value for name, value in (configured or {}).items() if name not in left_out} | said
    if "model" not in values:
        parser.error("the following arguments are required: --model")
    try:
        return EngineSettings(**values)
    except ValueError as exc:
        parser.error(str(exc))


def _parser(note: str) -> argparse.ArgumentParser:
    """Every option of `EngineSettings`; what is not given is not in the result."""
    parser = argparse.ArgumentParser(
        prog="python -m monitor.engine", description=__doc__, epilog=note, argument_default=argparse.SUPPRESS
    )
    parser.add_argument("--model", help="a folder, a hub id, or smollm2")
    parser.add_argument("--revision", help="the hub's revision to pin")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="cpu by default")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="float32 by default")
    parser.add_argument("--socket", type=Path, help="Unix socket to listen on")
    parser.add_argument("--host", help="127.0.0.1 by default")
    parser.add_argument("--port", type=int, help="TCP port to listen on; 0 picks a free one")
    parser.add_argument("--max-context", type=int, help="tokens of prompt and answer together")
    parser.add_argument("--max-batch-tokens", type=int, help="tokens that one step may compute")
    parser.add_argument("--max-slots", type=int, help="conversations kept in memory")
    parser.add_argument("--queue", type=int, help="requests that may wait")
    parser.add_argument("--threads", type=int, help="CPU threads to compute with")
    parser.add_argument("--cache-dir", type=Path, help="where fetched and converted weights lie")
    parser.add_argument("--parent-pid", type=int, help="end when this process is gone")
    parser.add_argument("--served-model-name", help="the name in requests, instead of --model")
    parser.add_argument("--request-seconds", type=float, help="no request runs longer")
    parser.add_argument("--startup-seconds", type=float, help="end when loading takes longer")
    parser.add_argument("--no-progress-seconds", type=float, help="end when a step takes longer")
    parser.add_argument("--restarts", type=int, help="engines before this one that had to be replaced, for /metrics")
    return parser


def main(arguments: list[str] | None = None, configured: Mapping[str, Any] | None = None, *, note: str = "") -> int:
    """Serve until stopped, as `parse` understands the arguments; an `ExitCode`."""
    settings = parse(sys.argv[1:] if arguments is None else arguments, configured, note=note)
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
