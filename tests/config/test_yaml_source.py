"""What YAML becomes, and what is refused before any setting is looked at."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.problems import Problems
from monitor.config.yaml_source import MAX_BYTES, Data, plain, read_bytes, read_tree

FILE = Path("x.yaml")


def data(text: str | bytes) -> Data:
    problems = Problems()
    node = read_tree(FILE, text.encode() if isinstance(text, str) else text, problems)
    assert not problems, problems.found
    assert node is not None
    return plain(node)


def refusal(text: str | bytes) -> list[str]:
    problems = Problems()
    read_tree(FILE, text.encode() if isinstance(text, str) else text, problems)
    return sorted(str(problem) for problem in problems.found)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("", None),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("-2", -2),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("'7'", "7"),
        ("9" * 40, 1e40),
    ],
)
def test_plain_values_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    found = data(f"key: {text}\n")
    assert found == {"key": value}
    assert isinstance(found, dict)
    assert type(found["key"]) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: [1,\nb: 2\n", 3, "(while parsing a flow sequence, begun on line 1)"),
        ("a: 1\n\tb: 2\n", 2, "a tab"),
        ("a: 1\nb: 2\na: 3\n", 3, "the key `a` is here twice (first on line 1)"),
        ("", 1, "the file is empty"),
        ("# only words\n", 1, "the file is empty"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("%YAML 1.1\n---\na: 1\n", 2, "directives"),
        ("a: !!python/object:os.system x\n", 1, "tags"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, "merge keys"),
        ("a: *nobody\n", 1, "an alias"),
        ("a: 1\n b: 2\n", 2, "not YAML"),
        ("a: &x [*x]\n", 1, "an alias"),
        ("? [a]\n: 1\n", 1, "a key that is a list"),
        ('a: "\\U00110000"\n', 1, "escapes"),
        ('a: 1\nb: "\\ud800"\n', 2, "an escape that gives no text"),
        ('a: "\\0"\n', 1, "an escape that gives no text"),
        ("a: .nan\n", 1, "not a finite number"),
        ("a: -.inf\n", 1, "not a finite number"),
        ("a: 1\nb: \x07\n", 2, "control character U+0007"),
        (b"\x00\x01\x02\xff", 1, "not UTF-8 text"),
        ("a: 1\nb: ü\n".encode("latin-1"), 2, "not UTF-8 text"),
        ("a: 1\n".encode("utf-16"), 1, "byte order mark of UTF-16"),
        ("[" * 60, 1, "nested deeper than 50 levels"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_line(text: str | bytes, line: int, words: str) -> None:
    (problem,) = refusal(text)
    assert problem.startswith(f"x.yaml:{line}: ")
    assert words in problem


def test_a_utf8_byte_order_mark_is_accepted() -> None:
    assert data(b"\xef\xbb\xbfa: 1\n") == {"a": 1}


def test_an_alias_stands_for_its_value() -> None:
    assert data("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


def test_aliases_that_multiply_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    started = time.process_time()
    (problem,) = refusal("\n".join(lines))
    assert "more than 100000 values" in problem
    assert time.process_time() - started < 2


def test_a_syntax_error_does_not_quote_the_line() -> None:
    (problem,) = refusal('token: "hunter2\nother: 1\n')
    assert "hunter2" not in problem
    assert "hunter2" not in refusal("token: *hunter2\n")[0]


def test_all_duplicates_are_told_at_once() -> None:
    assert len(refusal("a: {b: 1, b: 2}\nc: {d: 1, d: 2}\n")) == 2


def test_a_large_file_is_refused_without_being_parsed(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ValueError, match="larger than 4000000 bytes"):
        read_bytes(path)


@pytest.mark.parametrize("name", ["missing", "folder", "pipe"])
def test_what_is_not_a_regular_file_is_refused_and_never_waited_for(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"no such file|not a regular file"):
        read_bytes(tmp_path / name)


SNIPPETS = st.sampled_from(
    ["a", "1", ":", ": ", "- ", "\n", "\n  ", "{", "}", "[", "]", ",", "&x ", "*x", "!", "%", '"']
)


@given(st.one_of(st.text(), st.lists(SNIPPETS).map("".join), st.lists(SNIPPETS | st.text(max_size=3)).map("".join)))
def test_any_text_gives_a_tree_or_problems(text: str) -> None:
    problems = Problems()
    node = read_tree(FILE, text.encode("utf-8", "surrogatepass"), problems)
    assert node is not None or problems.found


@given(st.binary())
def test_any_bytes_give_a_tree_or_problems(content: bytes) -> None:
    problems = Problems()
    assert read_tree(FILE, content, problems) is not None or problems.found
