"""The rules of a suite, as the configuration has them."""

from __future__ import annotations

from monitor.config.alerting import AlertingSettings
from monitor.config.settings import Settings
from monitor.rules.mean import MeanPolicy
from monitor.rules.policy import (
    AvailabilityPolicy,
    IntentPolicy,
    QualityPolicy,
    RegressionPolicy,
    RoundsPolicy,
    RulesPolicy,
)
from monitor.verdict import Severity


def rules_policy(settings: Settings, suite_name: str) -> RulesPolicy:
    """What is looked for in a suite's checks, and how many rounds they may take."""
    alerting, suite = settings.alerting, settings.suites[suite_name]
    rounds, threshold = suite.rounds, settings.threshold(suite_name)
    is_mean = alerting.rule == "mean"
    regression = None if is_mean else alerting.regression
    return RulesPolicy(
        rounds=RoundsPolicy(least=rounds.least, most=rounds.most),
        quality=None if is_mean else QualityPolicy(threshold=threshold, recovery_checks=alerting.recovery_checks),
        regression=RegressionPolicy(drop=regression.drop, limit=regression.limit) if regression else None,
        intent=IntentPolicy(limit=alerting.intent.limit) if alerting.intent else None,
        availability=AvailabilityPolicy(share=alerting.availability.share) if alerting.availability else None,
        mean=_mean(alerting, threshold) if is_mean else None,
        valid_share=alerting.valid_share,
        is_due=suite.schedule is not None,
    )


def _mean(alerting: AlertingSettings, threshold: float) -> MeanPolicy:
    return MeanPolicy(
        threshold=threshold,
        failing_checks=alerting.failing_checks,
        window_checks=alerting.window_checks,
        recovery_checks=alerting.recovery_checks,
        valid_share=alerting.valid_share,
        severity=Severity(alerting.severity),
    )
