"""The table "Failure modes" of the README and the tests are about the same faults, each under its code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
COUNTS = {"P": 6, "D": 7, "H": 3, "N": 6, "T": 3, "C": 4, "X": 6, "M": 6, "S": 4, "W": 2, "L": 3}
CODES = {f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)}
BENCHMARK = "D6"
"""A million conversations are too many for a test."""

_SECTION = re.compile(r"^## Failure modes$(.*?)^## ", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| ([A-Z]\d) \|(.*)\|$", re.MULTILINE)
_LINK = re.compile(r"\]\((tests/[\w/.-]+)\)")
_CODE = re.compile(r"([A-Z]\d)\. ?")


def rows() -> list[tuple[str, str]]:
    """Code and rest of each row of the table."""
    section = _SECTION.search((ROOT / "README.md").read_text())
    assert section is not None
    return _ROW.findall(section[1])


def named() -> Iterator[tuple[str, str]]:
    """Code and file of each test whose docstring begins with a code."""
    for path in sorted((ROOT / "tests" / "faults").glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found = _CODE.match(ast.get_docstring(node) or "")
                if found:
                    yield found[1], str(path.relative_to(ROOT))


def test_every_fault_has_a_test_that_names_it() -> None:
    codes = {code for code, _ in named()}
    assert sorted(CODES - codes - {BENCHMARK}) == []
    assert sorted(codes - CODES) == []


def test_every_fault_has_one_row_in_the_readme() -> None:
    listed = [code for code, _ in rows()]
    assert sorted(CODES - set(listed)) == []
    assert sorted(code for code in set(listed) if listed.count(code) > 1 or code not in CODES) == []


def test_a_row_links_to_a_file_with_a_test_that_names_its_fault() -> None:
    files: dict[str, set[str]] = {}
    for code, file in named():
        files.setdefault(code, set()).add(file)
    for code, rest in rows():
        links = set(_LINK.findall(rest))
        assert not [link for link in links if not (ROOT / link).exists()], code
        if code != BENCHMARK:
            assert links & files.get(code, set()), f"{code}: no link to a test that names it: {sorted(links)}"


def test_the_row_that_is_measured_says_so() -> None:
    assert "`make bench-store`" in dict(rows()).get(BENCHMARK, "")
