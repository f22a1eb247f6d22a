"""What the rules can find in a suite of this size, before anything was measured; and what they cannot find at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.rules.policy import IntentPolicy, QualityPolicy, RegressionPolicy, RulesPolicy
from monitor.stats import BernoulliSteps, variance_of_sums

USUAL_SHARE = 0.80
"""How often intents pass, where a figure needs an assumption; one that passes always varies less."""


def quality_margin(weights: Sequence[float], rounds: int, policy: QualityPolicy, least_spread: float) -> float:
    """How far below the threshold an average must be to breach when every conversation fails: z sqrt(V)."""
    variance = _of_mean(weights, rounds, variance_of_sums(rounds, 0.0, 0.0)) + least_spread**2
    return policy.z * math.sqrt(variance)


def why_quality_cannot(weights: Sequence[float], rules: RulesPolicy) -> str | None:
    """Why even a suite that fails altogether would be no breach of `quality`; None where it would."""
    if rules.quality is None:
        return None
    rounds, policy = rules.rounds.most, rules.quality
    margin = quality_margin(weights, rounds, policy, rules.baseline.least_spread)
    if margin < policy.threshold:
        return None
    return (
        f"rule quality can never breach: in {len(weights)} x {rounds} conversations chance alone is {policy.z:g} x "
        f"{margin / policy.z:.2f} = {margin:.2f}, and the threshold only {policy.threshold:.2f} above an average of 0; "
        "write more rounds, or `rule: mean`"
    )


def regression_drop(
    weights: Sequence[float], rounds: int, policy: RegressionPolicy, checks: int, spread: float
) -> float:
    """The fall of the average that the CUSUM finds in so many checks on the average: d/2 + h V / (d k).

    From its mean increment (d/V)(fall - d/2) (Hawkins and Olwell 1998, 3.2), with intents that pass as usual.
    """
    variance = _of_mean(weights, rounds, USUAL_SHARE * (1.0 - USUAL_SHARE)) + spread**2
    return policy.drop / 2 + policy.limit * variance / (policy.drop * checks)


def failures_to_tell(share: float, policy: IntentPolicy) -> int:
    """How many failures in a row an intent that passed in this share of conversations is told of after."""
    share = min(share, policy.highest_share)
    ways = (BernoulliSteps.between(share, low) for low in (share / 2, min(policy.gone_share, share / 4)))
    return math.ceil(policy.limit / max(steps.on_failure for steps in ways))


def _of_mean(weights: Sequence[float], rounds: int, variance: float) -> float:
    total = math.fsum(weights)
    return variance * math.fsum((weight / total) ** 2 for weight in weights) / rounds
