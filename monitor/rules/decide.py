"""All rules over one check: what each says, and what is remembered for the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.rules import availability, intent, quality, regression
from monitor.rules.evidence import Evidence, IntentEvidence
from monitor.rules.memory import Drift, IntentMemory, Measured, Memory, pooled
from monitor.rules.policy import RulesPolicy
from monitor.verdict import Finding, Severity, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How far a scope fell from its baseline, as its CUSUM estimates it, and since when.

    Of a suite the fall of its average since then, of an intent that of the share passed in this check.
    """

    drop: float
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """The average of a suite has been above its baseline for so long that the baseline is out of date."""

    mean: float
    reference: float
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a check says, and the memory after it. `shifts` are by scope, of those that are in breach. `rise` None: the
    baseline is not too low, as far as is known. `unwatched`: the scopes of intents that pass too seldom for their rule.
    """

    verdicts: tuple[Verdict, ...]
    memory: Memory
    shifts: Mapping[str, Shift] = field(default_factory=dict)
    rise: Rise | None = None
    unwatched: frozenset[str] = frozenset()


def without_baseline(memory: Memory) -> Memory:
    """What is left to know when the baseline is taken anew: what the other rules of the whole suite have heard."""
    own = {regression.NAME, intent.NAME}
    return Memory(
        recent=memory.recent,
        good={rule: count for rule, count in memory.good.items() if rule not in own},
        breached=memory.breached - own,
    )


def decide(
    suite: str, evidence: Evidence, memory: Memory, policy: RulesPolicy, *, doubt: str | None = None
) -> Decision:
    """The verdicts of every rule that is on. A check with too few valid conversations, or with scores that are in
    `doubt` (why they are), says nothing and teaches nothing, except that the assistant was not to be reached.
    """
    judging = _Judging(suite, evidence, memory, policy)
    return judging.decide(doubt)


class _Judging:
    """One check under judgement; collects verdicts and the next memory."""

    def __init__(self, suite: str, evidence: Evidence, memory: Memory, policy: RulesPolicy) -> None:
        self._scope = f"{suite}/overall"
        self._suite = suite
        self._evidence = evidence
        self._before = memory
        self._policy = policy
        self._memory = memory
        self._verdicts: list[Verdict] = []
        self._shifts: dict[str, Shift] = {}
        self._rise: Rise | None = None
        self._unwatched: set[str] = set()

    def decide(self, doubt: str | None) -> Decision:
        self._availability()
        if doubt is not None:
            self._unknown(doubt)
            return Decision(verdicts=tuple(self._verdicts), memory=self._memory)
        if too_few := self._too_few():
            self._unknown(too_few)
            return Decision(verdicts=tuple(self._verdicts), memory=self._memory)
        self._quality()
        self._regression()
        self._intents()
        if regression.NAME not in self._memory.breached:
            least = self._policy.rounds.least
            self._memory = self._memory.learned(self._evidence, self._policy.baseline, least)
        breached = {verdict.scope for verdict in self._verdicts if verdict.finding is Finding.BREACH}
        shifts = {scope: shift for scope, shift in self._shifts.items() if scope in breached and shift.drop > 0.0}
        return Decision(
            verdicts=tuple(self._verdicts),
            memory=self._memory,
            shifts=shifts,
            rise=self._rise,
            unwatched=frozenset(self._unwatched),
        )

    def _too_few(self) -> str:
        """That too few conversations are valid; empty where there are enough."""
        valid, planned, share = self._evidence.valid, self._evidence.planned, self._policy.valid_share
        is_enough = valid and valid >= share * planned
        return "" if is_enough else f"{valid} of {planned} conversations are valid, {share:.0%} are needed"

    def _unknown(self, reason: str) -> None:
        rules = {quality.NAME: self._policy.quality, regression.NAME: self._policy.regression}
        for name, policy in rules.items():
            if policy is not None:
                self._say(name, Finding.UNKNOWN, Severity.CRITICAL, reason)

    def _availability(self) -> None:
        policy = self._policy.availability
        if policy is None:
            return
        why = availability.why_breached(self._evidence, policy)
        if why is None and (too_few := self._too_few()):  # an outage is known from few; its end is not
            self._say(availability.NAME, Finding.UNKNOWN, Severity.CRITICAL, too_few)
            return
        failed, heard = self._evidence.errors()
        reason = why or f"the assistant failed to answer in {failed} of {heard} conversations"
        finding = self._judged(availability.NAME, why is not None, why is None, policy.recovery_checks)
        self._say(
            availability.NAME, finding, Severity.CRITICAL, reason, failed / heard if heard else None, policy.share
        )

    def _quality(self) -> None:
        policy = self._policy.quality
        strata = self._evidence.strata(self._before.sums())
        measured = pooled(strata, self._before.tau_squared(self._policy.baseline))
        if policy is None or measured is None:
            return
        mean, variance = measured
        at = self._evidence.at
        kept = [entry for entry in self._before.recent if at - policy.day < entry.at <= at]
        recent = (*kept, Measured(at=at, mean=mean, variance=variance))
        why = quality.why_breached(mean, variance, quality.day_mean(recent, at, policy), policy)
        self._memory = replace(self._memory, recent=recent)
        finding = self._judged(quality.NAME, why is not None, quality.is_good(mean, policy), policy.recovery_checks)
        reason = why or f"average {mean:.3f} is not surely below {policy.threshold:.2f}"
        self._say(quality.NAME, finding, Severity.CRITICAL, reason, mean, policy.threshold)

    def _regression(self) -> None:
        policy = self._policy.regression
        if policy is None:
            return
        compared = regression.compare(self._evidence, self._before, policy, self._policy.baseline)
        if compared is None:
            self._say(regression.NAME, Finding.UNKNOWN, Severity.WARNING, "the baseline is being taken")
            return
        fall = regression.fall(self._before.fall, compared, policy, self._evidence.at)
        rise = regression.rise(self._before.rise, compared, policy, self._evidence.at)
        middle = compared.reference - policy.drop / 2
        is_bad = fall.level > compared.limit
        is_good = compared.mean > middle
        finding = self._judged(regression.NAME, is_bad and not is_good, is_good, policy.recovery_checks)
        if finding is Finding.RECOVERED:
            fall = Drift()
        confirmed = is_bad and (
            self._before.confirmed
            or regression.is_confirmed(self._evidence, self._before, policy, self._policy.baseline)
        )
        is_rise_told = self._before.is_rise_told and rise.level > 0.0
        self._memory = replace(self._memory, fall=fall, rise=rise, confirmed=confirmed, is_rise_told=is_rise_told)
        if rise.level > compared.limit and rise.mean is not None:
            self._rise = Rise(mean=rise.mean, reference=compared.reference, since=rise.since)
        drop = compared.reference - (compared.mean if fall.mean is None else fall.mean)
        self._shifts[self._scope] = Shift(drop=drop, since=fall.since)
        since = f" on average since {fall.since:%Y-%m-%d %H:%M} UTC" if fall.since else ""
        moved = f"{abs(drop):.3f} {'lower' if drop > 0 else 'higher'}{since}"
        reason = f"average {compared.mean:.3f}, baseline {compared.reference:.3f}; {moved}"
        severity = Severity.CRITICAL if confirmed else Severity.WARNING
        self._say(regression.NAME, finding, severity, reason, compared.mean, middle)

    def _intents(self) -> None:
        policy = self._policy.intent
        if policy is None:
            return
        after = dict(self._memory.intents)
        for heard in self._evidence.intents:
            known = after.get(heard.fingerprint)
            if known is not None:
                after[heard.fingerprint] = self._intent(heard, known)
        self._memory = replace(self._memory, intents=after)

    def _intent(self, heard: IntentEvidence, known: IntentMemory) -> IntentMemory:
        policy = self._policy.intent
        assert policy is not None, "asked by _intents"
        expects = intent.expected(known, self._policy)
        if intent.passes_too_seldom(known, self._policy):
            self._unwatched.add(f"{self._suite}/{heard.intent_id}")
        if expects is None or not heard.outcomes:
            quiet = intent.Levels(halved=0.0, gone=0.0)
            return intent.remembered(heard, known, quiet, is_breached=known.is_breached, at=self._evidence.at)
        after = intent.levels(heard, known, expects)
        rate = sum(heard.outcomes) / len(heard.outcomes)
        finding = Finding.BREACH if after.highest > expects.limit and rate <= expects.middle else Finding.HOLD
        if finding is Finding.HOLD and intent.has_recovered(heard, known, expects, policy):
            # Said of every good intent: an incident may be open from before the memory was taken anew.
            finding = Finding.RECOVERED
            after = intent.Levels(halved=0.0, gone=0.0) if known.is_breached else after
        reason = (
            f"{heard.intent_id} passed {sum(heard.outcomes)} of {len(heard.outcomes)} times, {expects.p0:.0%} before"
        )
        severity = Severity.CRITICAL if heard.critical else Severity.WARNING
        scope = f"{self._suite}/{heard.intent_id}"
        self._say(intent.NAME, finding, severity, reason, rate, expects.middle, scope=scope)
        is_breached = finding is Finding.BREACH or (known.is_breached and finding is Finding.HOLD)
        remembered = intent.remembered(heard, known, after, is_breached=is_breached, at=self._evidence.at)
        self._shifts[scope] = Shift(drop=expects.p0 - rate, since=remembered.since)
        return remembered

    def _judged(self, rule: str, is_bad: bool, is_good: bool, recovery_checks: int) -> Finding:
        """The finding of a rule of the whole suite, by whether this check is bad, good, or between."""
        good = {**self._memory.good, rule: self._memory.good.get(rule, 0) + 1 if is_good else 0}
        breached = self._memory.breached
        finding = Finding.HOLD
        if is_bad:
            finding, breached = Finding.BREACH, breached | {rule}
        elif good[rule] >= recovery_checks:
            finding, breached = Finding.RECOVERED, breached - {rule}
        self._memory = replace(self._memory, good=good, breached=breached)
        return finding

    def _say(
        self,
        rule: str,
        finding: Finding,
        severity: Severity,
        reason: str,
        value: float | None = None,
        threshold: float | None = None,
        *,
        scope: str | None = None,
    ) -> None:
        verdict = Verdict(
            scope=scope or self._scope,
            rule=rule,
            finding=finding,
            severity=severity,
            reason=reason,
            value=value,
            threshold=threshold,
        )
        self._verdicts.append(verdict)
