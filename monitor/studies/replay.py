"""A series of scores from anywhere through the rules and the alert machine: what each check would have said and done.

Pure: nothing is stored and nobody is told. Knows no files.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.alert import steps
from monitor.check import CheckSummary
from monitor.closing import NOT_WATCHED, inhibitor
from monitor.errors import ConfigError
from monitor.machine import AlertPolicy, AlertState, Effect, Event, Phase
from monitor.rules.decide import decide
from monitor.rules.evidence import Evidence, IntentEvidence
from monitor.rules.mean import judge_mean
from monitor.rules.memory import Memory
from monitor.rules.policy import RoundsPolicy, RulesPolicy
from monitor.stats import stratified_mean
from monitor.verdict import OVERALL, Verdict

COLUMNS = ("check", "round", "intent", "score")
PASSED = 0.5
SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Scores by check, intent and round; None where nothing was scored. Checks are in the order of the file."""

    checks: Mapping[str, Mapping[str, Mapping[int, float | None]]]

    @property
    def intents(self) -> tuple[str, ...]:
        """All intents, in the order in which they first come."""
        return tuple(dict.fromkeys(intent for check in self.checks.values() for intent in check))


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One check: its verdicts, the alerts after it, and what the machine asked for."""

    check: str
    at: datetime
    verdicts: tuple[Verdict, ...]
    alerts: tuple[AlertState, ...]
    effects: tuple[Effect, ...]


def read(lines: Iterable[str]) -> Series:
    """The series of a CSV with the columns check, round, intent, score. Raises ConfigError, naming every wrong line."""
    rows = csv.DictReader(lines, strict=True)
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise ConfigError([f"line 1: no column {', '.join(missing)}; the first line must name {', '.join(COLUMNS)}"])
    checks: dict[str, dict[str, dict[int, float | None]]] = {}
    problems: list[str] = []
    try:
        for row in rows:
            problem = _take(row, checks)
            if problem and len(problems) < SHOWN_PROBLEMS:
                problems.append(f"line {rows.line_num}: {problem}")
    except csv.Error as exc:
        problems.append(f"line {rows.line_num}: no CSV: {exc}")
    if not checks and not problems:
        problems.append("no line with a score; write at least one")
    if problems:
        raise ConfigError(problems)
    return Series(checks=checks)


def _take(row: Mapping[str, str | None], checks: dict[str, dict[str, dict[int, float | None]]]) -> str | None:
    """Put a row where it belongs; what is wrong with it, or None."""
    check, intent = (row["check"] or "").strip(), (row["intent"] or "").strip()
    if not check or not intent or intent == OVERALL:
        return f"check and intent must be named, and an intent not {OVERALL}"
    try:
        number, score = _round(row["round"] or ""), _score((row["score"] or "").strip())
    except ValueError as exc:
        return str(exc)
    played = checks.setdefault(check, {}).setdefault(intent, {})
    if number in played:
        return f"round {number} of {intent} in check {check} stands there twice"
    played[number] = score
    return None


def _round(text: str) -> int:
    try:
        return int(text)
    except ValueError as exc:
        raise ValueError(f"round {text!r} is no whole number") from exc


def _score(text: str) -> float | None:
    try:
        score = float(text) if text else None
    except ValueError as exc:
        raise ValueError(f"score {text!r} is no number; leave it empty where nothing was scored") from exc
    if score is not None and not (math.isfinite(score) and 0.0 <= score <= 1.0):
        raise ValueError(f"score {text} is not between 0 and 1")
    return score


@dataclass(slots=True, kw_only=True)
class Replay:
    """The rules and the alert machine over a series, which cannot be asked for more: its rounds are taken as fixed."""

    suite: str
    rules: RulesPolicy
    policy: AlertPolicy
    start: datetime
    every: timedelta
    weights: Mapping[str, float] = field(default_factory=dict)
    critical: frozenset[str] = frozenset()
    _memory: Memory = field(default_factory=Memory)
    _alerts: dict[str, AlertState] = field(default_factory=dict)
    _means: list[float] = field(default_factory=list)

    def run(self, series: Series) -> Iterator[Replayed]:
        """Check after check."""
        for number, (name, played) in enumerate(series.checks.items()):
            at = self.start + number * self.every
            evidence = self._evidence(series.intents, played, at)
            rules = replace(
                self.rules, rounds=RoundsPolicy(least=max(1, evidence.rounds), most=max(1, evidence.rounds))
            )
            decision = decide(self.suite, evidence, self._memory, rules)
            self._memory = decision.memory
            verdicts = (*decision.verdicts, *self._mean(evidence))
            effects = self._step(verdicts, decision.unwatched, at)
            yield Replayed(
                check=name,
                at=at,
                verdicts=verdicts,
                alerts=tuple(state for state in self._alerts.values() if state.phase is not Phase.OK),
                effects=effects,
            )

    def _mean(self, evidence: Evidence) -> Iterator[Verdict]:
        """What the rule `mean` says, where it is on."""
        policy = self.rules.mean
        if policy is None:
            return
        mean = stratified_mean([*evidence.strata({}).values()])
        summary = CheckSummary(
            planned=evidence.planned,
            valid=evidence.valid,
            mean=mean,
            mean_scored=None,
            success_rate=None,
            average_turns=None,
            outcomes={},
            intents=(),
        )
        yield judge_mean(f"{self.suite}/{OVERALL}", summary, self._means, policy)
        if mean is not None and summary.valid_share >= policy.valid_share:
            self._means.insert(0, mean)

    def _evidence(
        self, intents: Sequence[str], played: Mapping[str, Mapping[int, float | None]], at: datetime
    ) -> Evidence:
        rounds = max(len(scores) for scores in played.values())
        return Evidence(
            at=at, rounds=rounds, intents=tuple(self._intent(name, played[name]) for name in intents if name in played)
        )

    def _intent(self, name: str, scores: Mapping[int, float | None]) -> IntentEvidence:
        values = tuple(scores[number] for number in sorted(scores))
        return IntentEvidence(
            intent_id=name,
            fingerprint=name,
            weight=self.weights.get(name, 1.0),
            critical=name in self.critical,
            values=values,
            passed=tuple(None if value is None else value >= PASSED for value in values),
            errors=(False,) * len(values),
        )

    def _step(self, verdicts: Sequence[Verdict], unwatched: AbstractSet[str], at: datetime) -> tuple[Effect, ...]:
        overall = f"{self.suite}/{OVERALL}"
        effects: list[Effect] = []
        scopes = {verdict.scope for verdict in verdicts} | (unwatched & self._alerts.keys())
        for scope in sorted(scopes, key=lambda scope: (scope != overall, scope)):
            before = self._alerts.get(scope, AlertState(scope=scope))
            said: list[Event] = [verdict for verdict in verdicts if verdict.scope == scope]
            said += [NOT_WATCHED] if scope in unwatched else []
            suite = self._alerts.get(overall) if scope != overall else None
            policy = replace(self.policy, inhibited_by=inhibitor(suite, said) if suite else None)
            self._alerts[scope], asked = steps(before, said, policy, at, f"{scope}@{at.isoformat()}")
            effects += asked
        return tuple(effects)
