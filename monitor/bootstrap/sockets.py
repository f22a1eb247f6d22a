"""Where the daemon's engine listens: in the state folder, or, where that path is too long for a Unix socket, in this
user's own folder among the temporary files, by a name that follows from the state folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from monitor.config import Config
from monitor.errors import ConfigError

SOCKET_NAME = "engine.sock"
LONGEST_BYTES = 90
"""Unix sockets end at 107 (unix(7)), and one is made under a longer name before it is there."""


def engine_socket(config: Config) -> Path:
    """The same in every process that has this state folder. Raises ConfigError where there is no place for it."""
    path = config.settings.state_dir / SOCKET_NAME
    if len(os.fsencode(path)) <= LONGEST_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(config.settings.state_dir)).hexdigest()[:16]
    instead = _own_folder(config) / f"{digest}.sock"
    if len(os.fsencode(instead)) > LONGEST_BYTES:
        raise ConfigError([f"{config.path}: state_dir: {path} is too long for a Unix socket; choose a shorter folder"])
    return instead


def _own_folder(config: Config) -> Path:
    """A folder that nobody else may enter."""
    folder = Path(tempfile.gettempdir()) / f"assistant-monitor-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigError(
            [
                f"{config.path}: state_dir: {config.settings.state_dir} is too long for the engine's Unix socket, and "
                f"{folder} is not a folder of this user's alone (mode 0700); choose a shorter folder"
            ]
        )
    return folder
