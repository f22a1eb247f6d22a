"""Reads a part of a configuration for a process that needs no more of it, neither the secrets nor the intents: what is
wrong elsewhere in the file is not its business.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeVar

from monitor.config.explain import validate
from monitor.config.fields import Section
from monitor.config.problems import Problems
from monitor.config.secrets import Surroundings
from monitor.config.yaml_source import Node, read_bytes, read_tree
from monitor.errors import ConfigError

P = TypeVar("P", bound=Section)


def read_part(
    path: Path, env: Mapping[str, str], wanted: type[P], only: Mapping[str, Collection[str]] | None = None
) -> P:
    """The keys that `wanted` has; of the sections in `only`, these keys alone. Raises ConfigError with all problems."""
    problems = Problems()
    try:
        root = read_tree(path, read_bytes(path), problems)
    except ValueError as exc:
        raise ConfigError([f"{path}: {exc}; create it, or correct the path"]) from exc
    around = Surroundings(path.absolute().parent, env)
    part = validate(wanted, _reduced(root, wanted, only or {}), around, path, problems) if root else None
    problems.refuse()
    assert part is not None, "no part and no problem"
    return part


def _reduced(root: Node, wanted: type[Section], only: Mapping[str, Collection[str]]) -> Node:
    kept = _with_keys(root, wanted.model_fields)
    if not isinstance(kept.value, dict):
        return kept
    sections = {key: _with_keys(node, only[key]) if key in only else node for key, node in kept.value.items()}
    return Node(kept.line, sections, kept.lines)


def _with_keys(node: Node, keys: Collection[str]) -> Node:
    if not isinstance(node.value, dict):
        return node
    return Node(node.line, {key: child for key, child in node.value.items() if key in keys}, node.lines)
