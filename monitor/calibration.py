"""What labels of people said about the scores, and whether that still holds. Values and one pure rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.agreement import Estimate

CHANCE = 0.5
"""The AUC of a number that tells nothing apart."""


class Standing(StrEnum):
    """What is known of a judge: its scores follow people's labels under this epoch; nobody knows; or they did long ago
    or elsewhere.
    """

    CALIBRATED = "calibrated"
    UNCALIBRATED = "uncalibrated"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetAgreement:
    """How one number (the score, a component or an item) agrees with its labels.

    `base_rate` is the share of good labels; `sensitivity` the share of good ones that pass, `specificity` the share of
    bad ones that do not; `corrected_pass_rate` what people would pass of the stored conversations. `reason` says why
    nothing was measured. `n` counts labelled conversations, `judged` those among them in whose number a judge had a
    part, and `stored` the conversations that `pass_rate` is of.
    """

    target: str
    n: int
    good: int
    base_rate: float | None = None
    spearman: Estimate | None = None
    kappa: Estimate | None = None
    auc: Estimate | None = None
    sensitivity: Estimate | None = None
    specificity: Estimate | None = None
    pass_rate: Estimate | None = None
    corrected_pass_rate: Estimate | None = None
    reason: str = ""
    judged: int = 0
    stored: int = 0

    @property
    def vouches(self) -> bool:
        """Whether it says that a judge tells good from bad: it had a part in most of the numbers, and the interval of
        the AUC lies above one half.
        """
        low = self.auc.low if self.auc else None
        return not self.reason and 2 * self.judged > self.n and low is not None and low > CHANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightProposal:
    """Weights of components that follow the labels, summing to 1; None, and `reason`, where no fit was made.

    The Spearman correlations are those of the fit on the rows that it saw and on rows that it did not see, and of the
    score as it is on the same rows.
    """

    n: int
    weights: Mapping[str, float] | None = None
    penalty: float | None = None
    in_sample: Estimate | None = None
    out_of_fold: Estimate | None = None
    as_configured: Estimate | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Scores of one epoch held against labels."""

    id: str
    at: datetime
    epoch: str
    labels: int
    targets: tuple[TargetAgreement, ...]
    fit: WeightProposal
    not_scored: Mapping[str, int] = field(default_factory=dict)
    """Labels without a number to hold against them, by the reason."""

    @property
    def is_measured(self) -> bool:
        """Whether there were labels enough for at least one number."""
        return any(not target.reason for target in self.targets)

    @property
    def vouches(self) -> bool:
        """Whether one of the numbers says that a judge tells good from bad."""
        return any(target.vouches for target in self.targets)


def standing(newest: Calibration | None, epoch: str, now: datetime, *, days: int) -> Standing:
    """What the newest calibration says about a judge's scores of `epoch`: stale when it is of another or over `days`
    old; nothing where no judge had a part in it or its scores follow no labels.
    """
    if newest is None or not newest.vouches:
        return Standing.UNCALIBRATED
    if newest.epoch != epoch or now - newest.at > timedelta(days=days):
        return Standing.STALE
    return Standing.CALIBRATED
