"""What the process's exit code says, and which error leads to which."""

from __future__ import annotations

import enum

from monitor.check import CheckStatus
from monitor.errors import ConfigError, NotThere


class ExitCode(enum.IntEnum):
    """The answer of a command to whatever started it."""

    HEALTHY = 0
    """Done; a check found the assistant healthy."""
    DEGRADED = 1
    """The average is below the threshold."""
    CONFIGURATION = 2
    """The configuration or the command line is wrong; nothing was started."""
    INSUFFICIENT_DATA = 3
    """Too few valid conversations to say anything about the assistant."""
    INFRASTRUCTURE = 4
    """Database, schema, lock, engine, model, an address, or scores that canaries call sick: something that the monitor
    stands on.
    """
    INTERNAL = 5
    """A fault of the monitor itself."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C."""
    TERMINATED = 143
    """Stopped by SIGTERM; the daemon ends with 0."""


def code_of_status(status: CheckStatus) -> ExitCode:
    """What a finished check answers."""
    known = {CheckStatus.HEALTHY: ExitCode.HEALTHY, CheckStatus.DEGRADED: ExitCode.DEGRADED}
    return known.get(status, ExitCode.INSUFFICIENT_DATA)


def code_of_error(error: Exception) -> ExitCode:
    """What an error that no command handled answers: the configuration's fault, or that of what we stand on."""
    return ExitCode.CONFIGURATION if isinstance(error, ConfigError | NotThere) else ExitCode.INFRASTRUCTURE
