"""Fixtures that several test modules share are written in `tests/fixtures`."""

from pathlib import Path

from hypothesis import settings

FIXTURES = Path(__file__).parent / "fixtures"
pytest_plugins = [f"tests.fixtures.{path.stem}" for path in sorted(FIXTURES.glob("[a-z]*.py"))]

# A test fails for what the code does, never for how busy the machine is or what was drawn this time.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")
