"""The command line. `main` is the entry point of `assistant-monitor` and of `python -m monitor`."""

from monitor.cli.main import main

__all__ = ["main"]
