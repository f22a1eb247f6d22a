"""Section `alerting`: what counts as worse, and when that ends."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from monitor.config.fields import Section, Share, wrong

Limit = Annotated[float, Field(gt=0.0, le=100.0)]


OF_MEAN = frozenset({"failing_checks", "window_checks", "severity"})


class RegressionSettings(Section):
    """The average fell from its baseline (a CUSUM; Page 1954)."""

    drop: float = Field(default=0.04, gt=0.0, le=0.5)
    """The fall that is looked for; half of it is taken for chance."""
    limit: Limit = 7.5
    """Evidence, as a log-likelihood ratio, that is needed to tell."""


class IntentRuleSettings(Section):
    """One intent passes half as often as it did, or not at all (Bernoulli CUSUMs)."""

    limit: Limit = 10.0
    """Evidence, as a log-likelihood ratio, that is needed to tell."""


class AvailabilitySettings(Section):
    """The assistant fails to hold conversations."""

    share: Share = 0.05
    """The share that it may fail; a breach needs surely more (Wilson's bound at 99 %), or half of the first round."""


class AlertingSettings(Section):
    """When a suite's checks become an incident, and when that ends."""

    rule: Literal["quality", "mean"] = "quality"
    """`quality`: the average is below the threshold by more than chance, or all day; with it goes `regression`. `mean`:
    the average alone is held against the threshold, in place of both.
    """
    threshold: Share = 0.70
    regression: RegressionSettings | None = RegressionSettings()
    """`null` turns the rule off."""
    intent: IntentRuleSettings | None = IntentRuleSettings()
    """`null` turns the rule off."""
    availability: AvailabilitySettings | None = AvailabilitySettings()
    """`null` turns the rule off."""
    failing_checks: int = Field(default=1, ge=1, le=100)
    """`mean`: an incident opens when this many of the last `window_checks` are below the threshold, the newest among
    them.
    """
    window_checks: int = Field(default=1, ge=1, le=100)
    recovery_checks: int = Field(default=2, ge=1, le=100)
    """It ends after this many good checks in a row."""
    valid_share: Share = 0.80
    """With a smaller share of valid conversations a check says nothing."""
    severity: Literal["critical", "error", "warning", "info"] = "critical"
    """`mean`: how severe a breach is."""

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        unused = sorted(self.model_fields_set & OF_MEAN) if self.rule != "mean" else []
        if unused:
            raise wrong(
                *((name, "means nothing beside `rule: quality`; remove it, or write `rule: mean`") for name in unused)
            )
        return self

    @model_validator(mode="after")
    def _can_happen(self) -> Self:
        if self.failing_checks > self.window_checks:
            text = f"{self.failing_checks} of {self.window_checks} checks can never fail; raise window_checks"
            raise wrong(("failing_checks", text))
        return self
