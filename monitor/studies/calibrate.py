"""Scores held against people's labels. Pure: pairs of both in, figures with intervals out.

Every figure says how many labels it stands on; with too few there is none, and the arithmetic says why.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import fmean

from monitor.agreement import Estimate, Z, auc, confusion, corrected_share, kappa, share, spearman
from monitor.calibration import Calibration, TargetAgreement, WeightProposal
from monitor.score import JUDGED_KINDS, PASS_SCORE, Score
from monitor.studies.labels import SCORE, Label
from monitor.weightfit import FOLDS, fit_weights

FEWEST_LABELS = 30
FEWEST_OF_A_KIND = 10
FEWEST_PER_WEIGHT = 15
NOTHING_STORED = Estimate(value=None, reason="no scored conversation of this epoch is stored")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A label with the score that the monitor gave the same conversation, scored by the intent of that name."""

    label: Label
    score: Score
    intent_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """What was measured of one target: its value, whether that passes, and whether a judge had a part in it."""

    value: float
    passed: bool
    was_judged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlabelled:
    """How many of the stored conversations of the epoch passed."""

    passed: int = 0
    n: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Numbers and labels of one target."""

    numbers: list[Number] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


def averaged(measured: Sequence[Measured]) -> list[Measured]:
    """One label for each conversation and target: the mean of those that people gave it. Several people who saw the
    same conversation say less than several conversations.
    """
    groups: dict[tuple[Hashable, str], list[Measured]] = {}
    for one in measured:
        groups.setdefault((one.label.key, one.label.target), []).append(one)
    return [
        replace(some[0], label=replace(some[0].label, value=fmean(one.label.value for one in some)))
        for some in groups.values()
    ]


def calibrate(
    measured: Sequence[Measured],
    weights: Mapping[str, float],
    stored: Unlabelled,
    *,
    calibration_id: str,
    at: datetime,
    epoch: str,
    not_scored: Mapping[str, int],
    seed: int = 0,
) -> Calibration:
    """All figures. `weights` are those of the configuration, `seed` draws the folds of the fit."""
    reasons = dict(not_scored)
    targets: dict[str, Pairs] = {}
    labels = len(measured) + sum(not_scored.values())
    measured = averaged(measured)
    for one in measured:
        found = number_of(one.score, one.label.target)
        if isinstance(found, str):
            reasons[found] = reasons.get(found, 0) + 1
            continue
        pairs = targets.setdefault(one.label.target, Pairs())
        pairs.numbers.append(found)
        pairs.labels.append(one.label)
    return Calibration(
        id=calibration_id,
        at=at,
        epoch=epoch,
        labels=labels,
        targets=tuple(_agreement(name, targets[name], stored) for name in sorted(targets)),
        fit=propose([one for one in measured if one.label.target == SCORE], weights, seed=seed),
        not_scored=reasons,
    )


def number_of(score: Score, target: str) -> Number | str:
    """The score, the component or the item of that name; a text says why there is none."""
    if target == SCORE:
        value, passed, reason = score.value, score.passed, score.reason
        items = score.items
    elif (component := score.component(target)) is not None:
        value, passed, reason = component.value, None, component.reason
        items = component.items
    else:
        item = next((item for item in score.items if item.id == target), None)
        if item is None:
            return f"nothing is called {target}"
        value, passed, reason = item.value, item.passed, item.reason
        items = (item,)
    if value is None:
        return f"{target} not measured: {reason}"
    was_judged = any(item.kind in JUDGED_KINDS and item.is_on and item.value is not None for item in items)
    return Number(value=value, passed=value >= PASS_SCORE if passed is None else passed, was_judged=was_judged)


def too_few(good: int, bad: int) -> str:
    """Why so many labels say nothing yet; empty when they are enough."""
    n = good + bad
    if n >= FEWEST_LABELS and min(good, bad) >= FEWEST_OF_A_KIND:
        return ""
    needed = f"needs {FEWEST_LABELS} with {FEWEST_OF_A_KIND} of each kind"
    text = f"{n} labelled conversations, {good} good and {bad} bad; {needed}"
    if n < 4:
        return text
    half = Z * math.sqrt((1 + 0.5**2 / 2) / (n - 3))
    low, high = math.tanh(math.atanh(0.5) - half), math.tanh(math.atanh(0.5) + half)
    return f"{text}: from {n}, a correlation of 0.50 could be anything from {low:.2f} to {high:.2f}"


def _agreement(target: str, pairs: Pairs, stored: Unlabelled) -> TargetAgreement:
    labels = [label.is_good for label in pairs.labels]
    n, good = len(labels), sum(labels)
    reason = too_few(good, n - good)
    if reason:
        return TargetAgreement(target=target, n=n, good=good, base_rate=good / n, reason=reason)
    values = [number.value for number in pairs.numbers]
    table = confusion([number.passed for number in pairs.numbers], labels)
    agreement = TargetAgreement(
        target=target,
        n=n,
        good=good,
        base_rate=good / n,
        spearman=spearman(values, [label.value for label in pairs.labels]),
        kappa=kappa(table),
        auc=auc(values, labels),
        sensitivity=share(table.both, table.good),
        specificity=share(table.neither, table.bad),
        judged=sum(number.was_judged for number in pairs.numbers),
    )
    if target != SCORE:
        return agreement
    if not stored.n:
        return replace(agreement, pass_rate=NOTHING_STORED, corrected_pass_rate=NOTHING_STORED)
    return replace(
        agreement,
        stored=stored.n,
        pass_rate=share(stored.passed, stored.n),
        corrected_pass_rate=corrected_share(stored.passed, stored.n, table),
    )


def propose(measured: Sequence[Measured], weights: Mapping[str, float], *, seed: int = 0) -> WeightProposal:
    """Weights that follow the labels of whole conversations, over those where every component has a value.

    No intent is in two folds of the fit; with fewer intents than folds, no conversation is.
    """
    names = sorted(weights)
    rows: list[list[float]] = []
    kept: list[Measured] = []
    for one in measured:
        values = [component.value if (component := one.score.component(name)) else None for name in names]
        known = [value for value in values if value is not None]
        if len(known) == len(names) and one.score.value is not None:
            rows.append(known)
            kept.append(one)
    fewest = max(FEWEST_LABELS, FEWEST_PER_WEIGHT * len(names))
    if len(names) < 2:
        return WeightProposal(n=len(kept), reason="a single component has nothing to be weighed against")
    if len(kept) < fewest:
        text = f"{len(kept)} labelled conversations have all of {', '.join(names)}; {FEWEST_PER_WEIGHT} for each"
        return WeightProposal(n=len(kept), reason=f"{text} and {FEWEST_LABELS} at least make {fewest}")
    return _fitted(rows, kept, names, seed)


def _fitted(rows: list[list[float]], kept: Sequence[Measured], names: Sequence[str], seed: int) -> WeightProposal:
    labels = [one.label.value for one in kept]
    fit = fit_weights(rows, labels, group_names(kept), seed=seed)
    total = math.fsum(fit.weights)
    proposal = WeightProposal(
        n=len(kept),
        penalty=fit.penalty,
        in_sample=spearman(fit.in_sample, labels),
        out_of_fold=spearman(fit.out_of_fold, labels),
        as_configured=spearman([one.score.value or 0.0 for one in kept], labels),
    )
    if total <= 0:
        return replace(proposal, reason="no component rises with the labels")
    return replace(proposal, weights={name: weight / total for name, weight in zip(names, fit.weights, strict=True)})


def group_names(kept: Sequence[Measured]) -> list[str]:
    """What must not be in two folds: an intent, or a conversation where there are fewer intents than folds."""
    intents = [one.intent_id for one in kept]
    if len(set(intents)) >= FOLDS:
        return intents
    numbers: dict[Hashable, str] = {}
    return [numbers.setdefault(one.label.key, f"conversation {len(numbers)}") for one in kept]
