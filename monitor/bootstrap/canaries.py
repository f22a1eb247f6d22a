"""The canaries that come with the package, and the study of those that a configuration can judge."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from monitor.bootstrap.parts import utc_now
from monitor.config import Config
from monitor.config.canaries import CanarySettings, read_canaries
from monitor.errors import ConfigError
from monitor.package_data import data_folder
from monitor.store import Store
from monitor.studies.canaries import Canary, CanaryStudy, canary_case, judgeable
from monitor.studies.measure import CaseScoring
from monitor.studies.messages import Unreadable

Use = Callable[[], AbstractAsyncContextManager[None]]


def shipped_canaries() -> tuple[Canary, ...]:
    """All of them, by id. Raises ConfigError for files that are not as they should be."""
    folder = data_folder("config") / "canaries"
    return tuple(_canary(settings) for settings in read_canaries(folder))


def can_judge(config: Config) -> bool:
    """Whether the configuration can tell good canaries from bad ones: by what their intents ask for."""
    return "task" in config.settings.scoring.weights


def has_canaries(config: Config) -> bool:
    """Whether the daemon scores canaries."""
    return config.settings.canaries.enabled and can_judge(config)


def build_canaries(
    config: Config, scoring: CaseScoring, epoch: str, store: Store, user_in_use: Use = nullcontext
) -> CanaryStudy:
    """The study of what this configuration can judge. The user model is kept loaded only where scoring asks it.

    Raises ConfigError.
    """
    has_judge = scoring.scoring.judge is not None
    return CanaryStudy(
        store=store,
        scoring=scoring,
        epoch=epoch,
        canaries=judgeable(shipped_canaries(), has_judge=has_judge) if can_judge(config) else (),
        now=utc_now,
        user_in_use=user_in_use if "experience" in config.settings.scoring.weights else nullcontext,
    )


def _canary(settings: CanarySettings) -> Canary:
    document = json.dumps(settings.model_dump(mode="json", by_alias=True), sort_keys=True, ensure_ascii=False)
    try:
        case = canary_case(settings.intent.value(), [dict(message) for message in settings.messages])
    except Unreadable as exc:
        raise ConfigError([f"canary {settings.id}: {exc}"]) from exc
    return Canary(
        id=settings.id,
        kind=settings.kind,
        is_good=settings.label == "good",
        needs_judge=settings.needs == "judge",
        case=case,
        fingerprint=hashlib.sha256(document.encode()).hexdigest(),
    )
