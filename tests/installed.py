"""Programs that pip cannot install: a test that needs one is skipped where it is absent, and fails in CI."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def installed(program: str, debian_package: str) -> Path:
    """Where the program is."""
    found = shutil.which(program)
    if found is None:
        missing(f"{program} is not installed (Debian: {debian_package})")
    return Path(found)


def as_root() -> None:
    """Go on only as root: namespaces, mounts and cgroups are made."""
    if os.geteuid() != 0:
        missing("only root can run this test")


def missing(reason: str) -> NoReturn:
    """Something that the test needs is not there."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; CI installs it")
    pytest.skip(reason)
