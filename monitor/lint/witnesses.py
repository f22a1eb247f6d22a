"""Texts that a regular expression matches: a few, made from the expression itself.

Knows groups, alternatives, classes and quantifiers well enough for patterns that people write; what it makes wrongly is
thrown away, since every text is held against the expression.
"""

from __future__ import annotations

import re

from monitor.errors import PatternTooSlow
from monitor.patterns import search

MOST = 64
_CLASSES = {"d": "1", "w": "a", "s": " ", "n": "\n", "t": "\t", "D": "x", "W": "-", "S": "x"}
_USUAL = "a7 -.,"
_PLACES = frozenset("bBAZ")
_LOOKS = ("?=", "?!", "?<=", "?<!")


def witnesses(pattern: str) -> list[str]:
    """Texts in which the pattern occurs, case ignored; none for what is not understood."""
    try:
        made, _ = _alternatives(pattern, 0)
        return [text for text in dict.fromkeys(made) if search(pattern, text) is not None]
    except (IndexError, ValueError, PatternTooSlow):
        return []


def _alternatives(pattern: str, at: int) -> tuple[list[str], int]:
    """Texts of what stands from `at` to the end of its group, and where that is."""
    made: list[str] = []
    branch = [""]
    while at < len(pattern) and pattern[at] != ")":
        if pattern[at] == "|":
            made += branch
            branch, at = [""], at + 1
            continue
        atom, at = _atom(pattern, at)
        atom, at = _repeated(pattern, at, atom)
        branch = [before + after for before in branch for after in atom][:MOST]
    return (made + branch)[:MOST], at


def _atom(pattern: str, at: int) -> tuple[list[str], int]:
    character = pattern[at]
    if character == "(":
        return _group(pattern, at + 1)
    if character == "[":
        return _class(pattern, at + 1)
    if character == "\\":
        return [_escaped(pattern[at + 1])], at + 2
    return ["" if character in "^$" else "x" if character == "." else character], at + 1


def _group(pattern: str, at: int) -> tuple[list[str], int]:
    look = next((mark for mark in _LOOKS if pattern.startswith(mark, at)), None)
    if look:
        at += len(look)
    elif pattern.startswith("?P<", at):
        at = pattern.index(">", at) + 1
    elif pattern.startswith("?", at):
        at = pattern.index(":", at) + 1
    made, end = _alternatives(pattern, at)
    return [""] if look else made, end + 1


def _class(pattern: str, at: int) -> tuple[list[str], int]:
    """One character of the class: the first that it names, or whatever it does not exclude."""
    first = at + (pattern[at] == "^")
    end = pattern.index("]", first + 1)
    while pattern[end - 1] == "\\" and pattern[end - 2] != "\\":
        end = pattern.index("]", end + 1)
    whole = pattern[at - 1 : end + 1]
    named = _escaped(pattern[first + 1]) if pattern[first] == "\\" else pattern[first]
    return [next((one for one in (named, *_USUAL) if re.fullmatch(whole, one)), "")], end + 1


def _repeated(pattern: str, at: int, atom: list[str]) -> tuple[list[str], int]:
    """The atom with its quantifier: as seldom as may be, and once."""
    if at < len(pattern) and pattern[at] in "?*+":
        atom = atom if pattern[at] == "+" else [*atom, ""]
        at += 1
    elif counted := re.compile(r"\{(\d*),?\d*\}").match(pattern, at):
        atom = [text * min(int(counted[1] or 0), MOST) for text in atom]
        at = counted.end()
    else:
        return atom, at
    return atom, at + (at < len(pattern) and pattern[at] in "?+")


def _escaped(character: str) -> str:
    return "" if character in _PLACES else _CLASSES.get(character, character)
