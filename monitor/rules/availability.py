"""The rule `availability`: the assistant fails to hold too many conversations."""

from __future__ import annotations

from monitor.rules.evidence import Evidence
from monitor.rules.policy import AvailabilityPolicy
from monitor.stats import wilson_bounds

NAME = "availability"


def why_breached(evidence: Evidence, policy: AvailabilityPolicy) -> str | None:
    """Why the assistant counts as unavailable; None when it does not."""
    failed, heard = evidence.errors()
    lowest, _ = wilson_bounds(failed, heard, policy.z)
    if failed and lowest > policy.share:
        return f"the assistant failed to answer in {failed} of {heard} conversations, at least {lowest:.0%} surely"
    failed, heard = evidence.errors(1)
    if failed and failed >= policy.first_round_share * heard:
        return f"the assistant failed to answer in {failed} of {heard} conversations of the first round"
    limited = evidence.rate_limited
    total = sum(len(intent.values[: evidence.rounds]) for intent in evidence.intents)
    if limited and limited > total / 2:
        return f"rate limited: the assistant refused {limited} of {total} conversations"
    return None
