"""A configuration that is read while another holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.config import Config
from monitor.config.reload import is_same, read_again
from monitor.errors import ConfigError
from tests.config.samples import CONFIG, INTENTS, loaded, write

SECRET = f"{CONFIG}notify: {{pagerduty: {{routing_key_file: key}}}}\n"


def again(old: Config, meanwhile: Callable[[float], None] = lambda _: None) -> Config:
    """Read without waiting; `meanwhile` happens between two readings."""
    return read_again(old, {}, meanwhile)


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        (lambda folder: None, True),
        (lambda folder: write(folder, SECRET + "# a word\n"), False),
        (lambda folder: write(folder, SECRET, INTENTS.replace("30", "14")), False),
        (lambda folder: (folder / "key").write_text("another"), False),
    ],
    ids=["nothing", "a comment", "intents", "a secret"],
)
def test_another_content_of_any_file_is_another_configuration(
    tmp_path: Path, changed: Callable[[Path], object], same: bool
) -> None:
    (tmp_path / "key").write_text("routing-key")
    old = loaded(tmp_path, SECRET)
    changed(tmp_path)
    assert is_same(old, again(old)) is same


@pytest.mark.parametrize(
    ("change", "line", "key"),
    [
        (CONFIG.replace("kind: scripted", "kind: scripted, run_seed: 7"), 1, "simulator.run_seed"),
        (f"{CONFIG}store: {{retention_days: 7}}\n", 6, "store.retention_days"),
        (f"{CONFIG}server:\n  pages: null\n", 7, "server.pages"),
        (f"{CONFIG}state_dir: elsewhere\n", 6, "state_dir"),
        (f"{CONFIG}public_url: https://monitor.example.com\n", 6, "public_url"),
        (f"{CONFIG}logging: {{format: text}}\n", 6, "logging.format"),
    ],
)
def test_what_the_process_is_built_on_takes_a_restart(tmp_path: Path, change: str, line: int, key: str) -> None:
    old = loaded(tmp_path)
    path = write(tmp_path, change)
    with pytest.raises(ConfigError) as refused:
        again(old)
    (problem,) = refused.value.problems
    assert problem.startswith(f"{path}:{line}: {key}: ")
    assert "restart" in problem


def test_a_level_of_the_log_may_change(tmp_path: Path) -> None:
    old = loaded(tmp_path)
    write(tmp_path, f"{CONFIG}logging: {{level: debug}}\n")
    assert again(old).settings.logging.level == "debug"


def test_a_file_that_is_still_being_written_is_read_until_it_stands_still(tmp_path: Path) -> None:
    old = loaded(tmp_path)
    whole = f"{CONFIG}alerting: {{threshold: 0.6}}\n"
    path = write(tmp_path, whole[: whole.index("alerting")])
    pauses: list[float] = []

    def go_on(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            path.write_text(whole)

    assert again(old, go_on).settings.alerting.threshold == 0.6
    assert len(pauses) == 2


def test_files_that_never_stand_still_are_refused(tmp_path: Path) -> None:
    old = loaded(tmp_path)
    count = iter(range(100))

    def write_on(_: float) -> None:
        write(tmp_path, f"{CONFIG}# {next(count)}\n")

    with pytest.raises(ConfigError, match="change while they are read"):
        again(old, write_on)


def test_a_file_that_is_gone_is_no_empty_configuration(tmp_path: Path) -> None:
    old = loaded(tmp_path)
    (tmp_path / "intents.yaml").unlink()
    with pytest.raises(ConfigError, match="there is no such file"):
        again(old)
