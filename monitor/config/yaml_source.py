"""YAML text to a tree in which every value knows its line.

YAML 1.2 with the core schema (`yes` and `on` are text, `010` is ten), one document, no tags, no directives, no merge
keys; every key once. What a file may cost is bounded: its size, its values, its depth, what its aliases expand to.
Knows nothing of settings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from monitor.config.problems import Problems

MAX_BYTES = 4_000_000
MAX_VALUES = 100_000
MAX_DEPTH = 50

Scalar = str | int | float | bool | None
Data = Scalar | list["Data"] | dict[str, "Data"]

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_SPECIAL_FLOATS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a document. `lines` holds the line of each key when the value is a mapping."""

    line: int
    value: Scalar | tuple[Node, ...] | dict[str, Node]
    lines: dict[str, int] = field(default_factory=dict)


class _Unreadable(Exception):
    """Raised when a document is not read any further; `line` and the text say where and why."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """The content of a regular file. Raises ValueError with a text for people when there is none to have."""
    try:
        if not path.is_file():
            raise ValueError("there is no such file" if not path.exists() else "is not a regular file")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as exc:
        raise ValueError(f"cannot be read ({exc.strerror or type(exc).__name__})") from exc
    if len(content) > limit:
        raise ValueError(f"is larger than {limit} bytes")
    return content


def read_tree(path: Path, content: bytes, problems: Problems) -> Node | None:
    """The tree of a document, or None when it has none that could be used; what is wrong is added to `problems`."""
    before = len(problems.found)
    try:
        node = _Composer(path, problems).compose(_decode(content))
    except _Unreadable as exc:
        problems.add(path, exc.line, "", str(exc))
        return None
    except MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        # Never the error's own text: it quotes the line, which may hold a secret.
        problems.add(path, mark.line + 1 if mark else 1, "", _syntax(exc))
        return None
    except (YAMLError, ValueError, OverflowError):
        # ruamel.yaml lets chr's ValueError through for an escape beyond Unicode.
        problems.add(path, 1, "", "not YAML; look for escapes (backslashes) in double quotes that name no character")
        return None
    if node is None and len(problems.found) == before:
        problems.add(path, 1, "", "the file is empty; write the configuration into it")
    return node


def plain(node: Node) -> Data:
    """The values alone: dicts, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain(child) for child in node.value]
    return node.value


def _decode(content: bytes) -> str:
    if content.startswith(_BYTE_ORDER_MARKS):
        raise _Unreadable(1, "not UTF-8 text (it begins with the byte order mark of UTF-16 or UTF-32); save as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content[: exc.start].count(b"\n") + 1
        raise _Unreadable(line, "not UTF-8 text; save the file as UTF-8") from exc
    if found := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise _Unreadable(line, f"holds the control character U+{ord(found.group()):04X}; this is not a text file")
    return text


def _syntax(error: MarkedYAMLError) -> str:
    problem = str(error.problem or error.context or "the text cannot be read")
    if r"'\t'" in problem:
        return "a tab where YAML wants spaces; indent with spaces"
    problem = re.sub(r"alias '.*'|alias \".*\"", "alias", problem, flags=re.DOTALL)
    since = f" ({error.context}, begun on line {error.context_mark.line + 1})" if error.context_mark else ""
    return f"not YAML: {' '.join(problem.split())[:120]}{since}; check indentation, colons and quotes from there on"


class _Composer:
    """Builds the tree of one document from the parser's events."""

    def __init__(self, path: Path, problems: Problems) -> None:
        self._path = path
        self._problems = problems
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._count = 0

    def compose(self, text: str) -> Node | None:
        events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)
        root: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                self._check_document(event, documents)
            elif isinstance(event, ScalarEvent | SequenceStartEvent | MappingStartEvent | AliasEvent):
                root = self._node(event, events, 1)
        return None if root is None or root.value is None else root

    def _check_document(self, event: DocumentStartEvent, documents: int) -> None:
        line = _line(event)
        if documents > 1:
            raise _Unreadable(line, "a second document begins here; one file holds one, without `---` in between")
        if event.version or event.tags:
            raise _Unreadable(line, "directives (`%`) are not supported; remove them")

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> Node:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        assert isinstance(event, ScalarEvent | SequenceStartEvent | MappingStartEvent)
        self._spend(1, event)
        if depth > MAX_DEPTH:
            raise _Unreadable(_line(event), f"nested deeper than {MAX_DEPTH} levels")
        if event.tag is not None:
            self._add(_line(event), "tags (`!...`) are not supported; write the plain value")
        before = self._count
        if isinstance(event, SequenceStartEvent):
            node = self._sequence(event, events, depth)
        elif isinstance(event, MappingStartEvent):
            node = self._mapping(event, events, depth)
        else:
            node = self._scalar(event)
        if event.anchor:
            self._anchors[event.anchor] = (node, self._count - before + 1)
        return node

    def _scalar(self, event: ScalarEvent) -> Node:
        value = event.value if event.style else _core(event.value)
        if isinstance(value, float) and not math.isfinite(value):
            self._add(_line(event), "not a finite number; write one with digits")
            value = 0.0
        if isinstance(value, str) and _NO_TEXT.search(value):
            self._add(_line(event), "an escape that gives no text (NUL or half a surrogate pair); remove it")
        return Node(_line(event), value)

    def _sequence(self, start: Event, events: Iterator[Event], depth: int) -> Node:
        children: list[Node] = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            children.append(self._node(event, events, depth + 1))
        return Node(_line(start), tuple(children))

    def _mapping(self, start: Event, events: Iterator[Event], depth: int) -> Node:
        children: dict[str, Node] = {}
        lines: dict[str, int] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            key = self._key(event)
            child = self._node(next(events), events, depth + 1)
            if key in children:
                self._add(_line(event), f"the key `{key}` is here twice (first on line {lines[key]}); keep one")
                continue
            children[key], lines[key] = child, _line(event)
        return Node(_line(start), children, lines)

    def _key(self, event: Event) -> str:
        if not isinstance(event, ScalarEvent):
            raise _Unreadable(_line(event), "a key that is a list, a mapping or an alias; write plain text")
        self._spend(1, event)
        if event.value == "<<" and not event.style:
            self._add(_line(event), "merge keys (`<<`) are not supported; repeat the values")
        return str(event.value)

    def _alias(self, event: AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            raise _Unreadable(_line(event), "an alias (`*`) without an anchor (`&`) above it that is complete")
        node, size = self._anchors[event.anchor]
        self._spend(size, event)
        return node

    def _spend(self, values: int, event: Event) -> None:
        self._count += values
        if self._count > MAX_VALUES:
            raise _Unreadable(_line(event), f"more than {MAX_VALUES} values (with aliases expanded); split or shrink")

    def _add(self, line: int, text: str) -> None:
        self._problems.add(self._path, line, "", text)


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1


def _core(text: str) -> Scalar:
    """A plain scalar by YAML 1.2's core schema."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _SPECIAL_FLOATS.fullmatch(text) or _FLOAT.fullmatch(text):
        return float(text.replace(".", "", 1) if _SPECIAL_FLOATS.fullmatch(text) else text)
    return text
