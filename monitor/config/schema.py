"""JSON Schemas of the configuration and of files of intents, for editors. `python -m monitor.config.schema [FOLDER]`
writes them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from monitor.config.intents import IntentsFile
from monitor.config.settings import Settings

FOLDER = Path("config/schema")


def schemas() -> dict[str, str]:
    """File name to content."""
    models: dict[str, type[BaseModel]] = {"monitor.schema.json": Settings, "intents.schema.json": IntentsFile}
    return {name: _render(model.model_json_schema()) for name, model in models.items()}


def write(folder: Path) -> None:
    """Write both files, making the folder if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in schemas().items():
        (folder / name).write_text(content, encoding="utf-8")


def _render(schema: dict[str, object]) -> str:
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
