"""A configuration that is read while another holds: read until it stands still, and held against the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from monitor.config.explain import locate
from monitor.config.fields import Section
from monitor.config.load import Config, load
from monitor.config.problems import Problems
from monitor.config.yaml_source import Node, read_bytes, read_tree
from monitor.errors import ConfigError

STEADY_SECONDS = 0.2
READS = 6
FIXED_SECTIONS = ("simulator", "store", "server")
FIXED_KEYS = (("state_dir",), ("public_url",), ("logging", "format"))
"""What the process is built on: it takes a restart to change."""


def read_again(old: Config, env: Mapping[str, str], sleep: Callable[[float], None] = time.sleep) -> Config:
    """The configuration of the same path as its files are now, secrets included. Blocks for a moment.

    Raises ConfigError with all problems: what `load` refuses, what takes a restart, and files that do not stand still.
    """
    new = _steady(old.path, env, sleep)
    problems = Problems()
    root = _tree(old.path)
    for keys in _fixed(old, new):
        line, key = locate(root, keys) if root else (1, ".".join(keys))
        text = "differs from what the monitor runs with, which takes a restart; restart it, or write what was there"
        problems.add(old.path, line, key, text)
    problems.refuse()
    return new


def is_same(old: Config, new: Config) -> bool:
    """Whether every file and secret holds what it held."""
    return old.content_hash == new.content_hash and old.settings == new.settings and old.suites == new.suites


def _steady(path: Path, env: Mapping[str, str], sleep: Callable[[float], None]) -> Config:
    """A file that is being written may be a whole configuration by chance, and so may two of different days."""
    before: Config | ConfigError | None = None
    for _ in range(READS):
        try:
            now: Config | ConfigError = load(path, env)
        except ConfigError as exc:
            now = exc
        match before, now:
            case Config(), Config() if is_same(before, now):
                return now
            case ConfigError(), ConfigError() if before.problems == now.problems:
                raise now
        before = now
        sleep(STEADY_SECONDS)
    raise ConfigError([f"{path}:1: its files change while they are read; reload when they are written"])


def _fixed(old: Config, new: Config) -> Iterator[tuple[str, ...]]:
    """The keys that differ and must not."""
    for name in FIXED_SECTIONS:
        yield from ((name, key) for key in _differing(getattr(old.settings, name), getattr(new.settings, name)))
    for keys in FIXED_KEYS:
        was, wanted = old.settings, new.settings
        for key in keys:
            was, wanted = getattr(was, key), getattr(wanted, key)
        if was != wanted:
            yield keys


def _differing(old: Section, new: Section) -> Iterator[str]:
    for name, field in type(old).model_fields.items():
        if getattr(old, name) != getattr(new, name):
            yield field.alias or name


def _tree(path: Path) -> Node | None:
    try:
        return read_tree(path, read_bytes(path), Problems())
    except ValueError:
        return None
