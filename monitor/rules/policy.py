"""What the rules are to look for, as the configuration has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from monitor.rules.mean import MeanPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsPolicy:
    """How many rounds a check plays: `least` at once, then `wave` more at a time up to `most`.

    `confirming` rounds follow where a regression was found, of all intents or of the one. With `least` equal to `most`
    the number is fixed.
    """

    least: int = 4
    wave: int = 4
    most: int = 20
    confirming: int = 10

    @property
    def is_fixed(self) -> bool:
        """Whether every check plays the same number of rounds, whatever it hears."""
        return self.least == self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPolicy:
    """The mean is below `threshold` by more than chance: `z` is the normal quantile that chance is held against. Or it
    is below it over a `day` of at least `day_checks` checks.
    """

    threshold: float = 0.70
    z: float = 2.33
    day: timedelta = timedelta(hours=24)
    day_checks: int = 3
    recovery_margin: float = 0.02
    recovery_checks: int = 2
    healthy_z: float = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionPolicy:
    """The mean fell by `drop` or so from its baseline; `limit` is the CUSUM's decision interval."""

    drop: float = 0.04
    limit: float = 7.5
    recovery_checks: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentPolicy:
    """One intent passes half as often as it did, or not at all (in `gone_share` of conversations at most); intents that
    passed less often than `least_share` are not watched.
    """

    limit: float = 10.0
    gone_share: float = 0.02
    suspicious: float = 5.0
    least_share: float = 0.20
    highest_share: float = 0.985
    recovery_checks: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityPolicy:
    """The assistant fails to answer: more than `share` of conversations, at the one-sided level of `z` (99 %)."""

    share: float = 0.05
    z: float = 2.326
    first_round_share: float = 0.5
    recovery_checks: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselinePolicy:
    """How much is to be known before a change can be seen: `armed` checks with limits times `caution`, then `full`.

    `least_spread` is the smallest standard deviation between checks that is believed.
    """

    armed: int = 12
    full: int = 42
    caution: float = 1.3
    least_spread: float = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesPolicy:
    """All rules of a suite; None: that rule is off. `mean` takes the place of `quality` and `regression`. `is_due`: it
    has a schedule, so that valid checks can be missed.
    """

    rounds: RoundsPolicy = RoundsPolicy()
    quality: QualityPolicy | None = QualityPolicy()
    regression: RegressionPolicy | None = RegressionPolicy()
    intent: IntentPolicy | None = IntentPolicy()
    availability: AvailabilityPolicy | None = AvailabilityPolicy()
    mean: MeanPolicy | None = None
    baseline: BaselinePolicy = BaselinePolicy()
    valid_share: float = 0.80
    is_due: bool = True

    @classmethod
    def only_mean(cls, mean: MeanPolicy, *, rounds: int) -> RulesPolicy:
        """The average of so many rounds against a threshold, and nothing else."""
        return cls(
            rounds=RoundsPolicy(least=rounds, most=rounds),
            quality=None,
            regression=None,
            intent=None,
            availability=None,
            mean=mean,
            valid_share=mean.valid_share,
        )

    @property
    def off(self) -> frozenset[str]:
        """The names of the rules that are off: what they found before is moot."""
        names = ("quality", "regression", "intent", "availability", "mean")
        off = frozenset(name for name in names if getattr(self, name) is None)
        return off if self.is_due else off | {"nodata"}

    @property
    def threshold(self) -> float | None:
        """What the average is held against; None: nothing."""
        if self.mean is not None:
            return self.mean.threshold
        return self.quality.threshold if self.quality else None
