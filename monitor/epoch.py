"""The epoch: a hash over everything that makes scores comparable, intents aside. Nothing compares across epochs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SCORER_VERSION = 3
"""Grows with every change of a scorer's rules that can move a score."""


def epoch_of(facts: Mapping[str, Any]) -> str:
    """12 hex digits over `facts` (JSON values: user model, sampling, guardrails, window, weights) and the scorers."""
    canonical = json.dumps({"scorers": SCORER_VERSION, **facts}, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
