"""From the numbers of checks to verdicts. Pure: history and policy in, findings out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.check import CheckStatus, CheckSummary
from monitor.verdict import Finding, Severity, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanPolicy:
    """The rule `mean`: a breach when the average is below `threshold` in `failing_checks` of `window_checks` checks.

    It has recovered when `recovery_checks` checks in a row are at the threshold or above. `valid_share` is the least
    share of valid conversations, in [0, 1], for a check to say anything at all.
    """

    threshold: float
    failing_checks: int = 1
    window_checks: int = 1
    recovery_checks: int = 2
    valid_share: float = 0.80
    severity: Severity = Severity.CRITICAL


def status_of(summary: CheckSummary, policy: MeanPolicy) -> tuple[CheckStatus, str]:
    """What one check says by itself, and why."""
    if summary.mean is None or summary.valid_share < policy.valid_share:
        return CheckStatus.INCONCLUSIVE, too_few(summary, policy.valid_share)
    if summary.mean < policy.threshold:
        return CheckStatus.DEGRADED, f"average {summary.mean:.2f} is below {policy.threshold:.2f}"
    return CheckStatus.HEALTHY, f"average {summary.mean:.2f} is at {policy.threshold:.2f} or above"


def too_few(summary: CheckSummary, share: float) -> str:
    """That a check has not enough valid conversations to say anything."""
    return f"{summary.valid} of {summary.planned} conversations are valid, {share:.0%} are needed"


def judge_mean(
    scope: str, summary: CheckSummary, earlier: Sequence[float], policy: MeanPolicy, *, doubt: str | None = None
) -> Verdict:
    """The verdict of the rule `mean` on a check that just ended.

    `earlier` are the averages of the conclusive checks before it in the same epoch, newest first. A breach needs this
    check itself to be below the threshold, so that a check that is well never opens an incident. `doubt`: why the
    scores of this check are not to be believed.
    """
    if doubt is not None:
        return _verdict(scope, Finding.UNKNOWN, doubt, None, policy)
    status, reason = status_of(summary, policy)
    if status is CheckStatus.INCONCLUSIVE or summary.mean is None:
        return _verdict(scope, Finding.UNKNOWN, reason, summary.mean, policy)
    means = [summary.mean, *earlier]
    window, recent = means[: policy.window_checks], means[: policy.recovery_checks]
    failing = sum(1 for mean in window if mean < policy.threshold)
    if summary.mean < policy.threshold and failing >= policy.failing_checks:
        if policy.window_checks > 1:
            reason += f" ({failing} of the last {len(window)} checks)"
        return _verdict(scope, Finding.BREACH, reason, summary.mean, policy)
    if len(recent) == policy.recovery_checks and min(recent) >= policy.threshold:
        return _verdict(scope, Finding.RECOVERED, reason, summary.mean, policy)
    return _verdict(scope, Finding.HOLD, reason, summary.mean, policy)


def _verdict(scope: str, finding: Finding, reason: str, value: float | None, policy: MeanPolicy) -> Verdict:
    return Verdict(
        scope=scope,
        rule="mean",
        finding=finding,
        severity=policy.severity,
        reason=reason,
        value=value,
        threshold=policy.threshold,
    )
