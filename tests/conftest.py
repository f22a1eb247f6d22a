"""Fixtures that several test modules share are written in `tests/fixtures`."""

from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures"
pytest_plugins = [f"tests.fixtures.{path.stem}" for path in sorted(FIXTURES.glob("[a-z]*.py"))]
