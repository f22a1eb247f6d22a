"""A model's folder as a source of what its server does not hand out. Knows nothing of servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from monitor.completions.contract import ModelInfo
from monitor.errors import EngineFailure


def read_model_info(folder: Path, max_context: int) -> ModelInfo:
    """What a folder of a model says, for servers that do not hand it out. Raises EngineFailure when it lacks parts."""
    try:
        tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        settings = _read_json(folder / "tokenizer_config.json")
        template_file = folder / "chat_template.jinja"
        template = template_file.read_text(encoding="utf-8") if template_file.exists() else None
    except (OSError, ValueError) as exc:
        raise EngineFailure(f"the folder {folder} is no model's: it needs a tokenizer.json ({exc})") from exc
    ends: set[int] = set()
    for name in ("config.json", "generation_config.json"):
        stated = _read_json(folder / name).get("eos_token_id")
        ends.update(stated if isinstance(stated, list) else [] if stated is None else [stated])
    return ModelInfo(
        name=folder.name,
        tokenizer=tokenizer,
        chat_template=template or settings.get("chat_template"),
        end_ids=tuple(sorted(ends)),
        max_context=max_context,
    )


def _read_json(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found if isinstance(found, dict) else {}
