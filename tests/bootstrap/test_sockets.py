"""Where the daemon's engine listens."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.bootstrap.sockets import LONGEST_BYTES, engine_socket
from monitor.config import Config, load
from monitor.errors import ConfigError
from tests.cli.commands import NOBODY, write_config


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files; its path is short, unlike that of `tmp_path`, which is made before it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def in_folder(folder: Path) -> Config:
    folder.mkdir(parents=True, exist_ok=True)
    return load(write_config(folder, NOBODY), {})


def deep(folder: Path) -> Path:
    return folder / ("d" * 100)


def test_it_is_in_the_state_folder_where_its_path_fits(temporary: Path) -> None:
    (temporary / "state").mkdir()
    config = in_folder(temporary / "state")
    assert engine_socket(config).parent == config.settings.state_dir


def test_a_long_path_gives_way_to_a_folder_of_this_users_alone(tmp_path: Path, temporary: Path) -> None:
    path = engine_socket(in_folder(deep(tmp_path)))
    assert path.parent.parent == temporary
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(os.fsencode(path)) <= LONGEST_BYTES


def test_each_state_folder_has_a_name_of_its_own_and_always_the_same(tmp_path: Path) -> None:
    some, other = (engine_socket(in_folder(deep(tmp_path) / name)) for name in "ab")
    assert (some == engine_socket(in_folder(deep(tmp_path) / "a")), some == other) == (True, False)


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, temporary: Path, mode: int) -> None:
    (temporary / f"assistant-monitor-{os.getuid()}").mkdir()
    (temporary / f"assistant-monitor-{os.getuid()}").chmod(mode)
    with pytest.raises(ConfigError, match="not a folder of this user's alone"):
        engine_socket(in_folder(deep(tmp_path)))


def test_a_link_in_its_place_is_refused(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    link = temporary / f"assistant-monitor-{os.getuid()}"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="not a folder of this user's alone"):
        engine_socket(in_folder(deep(tmp_path)))
