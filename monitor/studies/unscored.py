"""Why a conversation has no score, where scoring it raised something: the others are scored all the same."""

from __future__ import annotations

import logging

from monitor.errors import CompletionFailure, EngineFailure, JudgeFailure

log = logging.getLogger(__name__)
FAULT = "a fault of the monitor"


def why_unscored(exc: Exception, name: str) -> str:
    """The reason for people; what nobody foresaw is logged with its traceback, `name` being the conversation's."""
    if isinstance(exc, JudgeFailure | CompletionFailure | EngineFailure):
        return f"{type(exc).__name__}: {exc}"
    log.error("scoring_broke conversation=%s", name, exc_info=exc)
    return f"{FAULT}: {type(exc).__name__}: {exc}"


def is_fault(reason: str) -> bool:
    """Whether a reason of `why_unscored` is one that nobody foresaw."""
    return reason.startswith(FAULT)
