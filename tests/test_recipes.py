"""README's recipes are short, and each is run by a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipes import recipes

TESTS = Path(__file__).parent
LINES = 5


@pytest.mark.parametrize("title", sorted(recipes()))
def test_a_recipe_has_at_most_five_lines(title: str) -> None:
    assert len(recipes()[title].splitlines()) <= LINES


@pytest.mark.parametrize("title", sorted(recipes()))
def test_a_recipe_is_run_by_a_test(title: str) -> None:
    runs = [file for file in TESTS.rglob("test_*.py") if f'run_recipe("{title}"' in file.read_text()]
    assert runs
