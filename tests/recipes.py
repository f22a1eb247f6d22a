"""README's recipes, run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def recipes() -> dict[str, str]:
    """The shell lines of each recipe by its title."""
    section = README.read_text().partition("\n## Recipes\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^### (.+?)\n.*?^```bash\n(.*?)^```$", section, re.M | re.S))


def run_recipe(
    title: str, folder: Path, *, timeout: float = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """A recipe, run in `folder` until its first line that fails; `environment` is added to ours."""
    programs = Path(sys.executable).parent
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    return subprocess.run(
        ["bash", "-euc", recipes()[title]],
        cwd=folder,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
