"""Half a year of one large suite: checks with real summaries, verdicts and baselines, and samples of conversations.

Everything follows from the seed. Values only; how they get into a database is `loading`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import fmean

from monitor.check import CheckRecord, CheckStatus, CheckSummary, Conversation, Group, IntentSummary, Trigger
from monitor.fidelity import Fidelity
from monitor.incident import Incident
from monitor.intent import Intent, Suite
from monitor.rules.decide import decide
from monitor.rules.evidence import Evidence, IntentEvidence
from monitor.rules.memory import Memory
from monitor.rules.policy import RulesPolicy
from monitor.stats import clustered_standard_error, stratified_standard_error
from monitor.store import Baseline
from monitor.transcript import Outcome
from monitor.verdict import Finding, Verdict
from tests.benchmarks.store.samples import EPOCH, SUITE, T0, an_intent, sample

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVERY = timedelta(hours=4)
PLAYED_WITHIN_SECONDS = 1500.0
INTENTS = 200
ROUNDS, ROUNDS_WEIGHTS = (4, 8, 12, 16, 20), (80, 12, 4, 2, 2)
"""Most checks stop after their first wave."""
GOOD, BAD = 3, 2
"""Samples of each intent that pass and that do not; one more has no score, because its judge failed."""
JUDGE_ERRORS = 0.01
EPOCHS = 3
FALLS = ((0.25, 0.27, 0.15), (0.60, 0.61, 0.30), (0.992, 1.0, 0.12))
"""From and to, as shares of the time, and by how much fewer conversations pass; the last one has not ended."""
SICK_EVERY = 40
"""Of the intents one in so many passes seldom while the last of `FALLS` lasts."""
FIDELITY = Fidelity(
    conversations=800,
    turns=1600,
    turns_to_end=2.0,
    ended_by_user=0.91,
    opener_words=14.2,
    intent_overlap=0.21,
    first_turn_diversity=0.93,
    type_token=0.19,
    p_end_at_end=0.82,
    p_end_before=0.09,
    tries_per_turn=1.12,
    hits_per_turn=0.12,
    hits={"repetition": 60, "too_long": 71, "verbatim_copy": 61},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """An intent: how often its conversations pass in good times, and their samples (passing, failing, not scored)."""

    intent: Intent
    fingerprint: str
    pass_rate: float
    good: tuple[int, ...]
    bad: tuple[int, ...]
    broken: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One conversation of a check: an index into the samples, and when it began after its check."""

    sample: int
    round: int
    after_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeCheck:
    """A check with what it said and the conversations of it that are still kept."""

    record: CheckRecord
    verdicts: tuple[Verdict, ...]
    plays: tuple[Play, ...]


class World:
    """`conversations` of one suite with 200 intents. `checks` is run through once; then the rest is known as well."""

    def __init__(self, conversations: int, *, seed: int = 1) -> None:
        self._random = Random(seed)
        self.conversations = conversations
        self.samples: list[Conversation] = []
        self.played = [self._intent(number) for number in range(INTENTS)]
        self._rounds = self._plan()
        self._memory = Memory()
        self._policy = RulesPolicy()
        self.baselines: dict[str, Baseline] = {}
        self.incidents: dict[str, Incident] = {}
        self._open: dict[str, str] = {}

    def _intent(self, number: int) -> Played:
        words = ("refund", "delivery", "warranty", "invoice", "account", "size", "voucher", "repair")
        made, intent = [], an_intent(f"{words[number % len(words)]}-{number:03}", number, self._random)
        fingerprint = intent.fingerprint
        for is_good in (True,) * GOOD + (False,) * BAD + (None,):
            made.append(len(self.samples))
            self.samples.append(sample(intent.id, fingerprint, self._random, is_good=is_good))
        return Played(
            intent=intent,
            fingerprint=fingerprint,
            pass_rate=self._random.betavariate(9, 1.2),
            good=tuple(made[:GOOD]),
            bad=tuple(made[GOOD : GOOD + BAD]),
            broken=made[-1],
        )

    def _plan(self) -> list[int]:
        """How many rounds each check has, oldest first. Of the oldest, retention has deleted what is too much."""
        rounds: list[int] = []
        while sum(rounds) * INTENTS < self.conversations:
            rounds.append(self._random.choices(ROUNDS, ROUNDS_WEIGHTS)[0])
        return rounds[::-1]

    @property
    def suite(self) -> Suite:
        """What is configured."""
        return Suite(
            name=SUITE,
            assistant="production",
            intents=tuple(played.intent for played in self.played),
            rounds=ROUNDS[0],
            timeout_seconds=3600.0,
            threshold=0.7,
            most_rounds=ROUNDS[-1],
        )

    def checks(self) -> Iterator[MadeCheck]:
        """Every check, oldest first."""
        retired = sum(self._rounds) * INTENTS - self.conversations
        for number, rounds in enumerate(self._rounds):
            made = self._check(number, rounds)
            yield replace(made, plays=made.plays[retired:]) if number == 0 else made

    def _check(self, number: int, rounds: int) -> MadeCheck:
        started_at = NOW - EVERY * (len(self._rounds) - number)
        share = number / len(self._rounds)
        epoch = f"{EPOCH[:-1]}{int(share * EPOCHS)}"
        if epoch not in self.baselines:
            self._memory = Memory()
        plays = {played.intent.id: self._plays(played, rounds, share) for played in self.played}
        finished_at = started_at + timedelta(seconds=PLAYED_WITHIN_SECONDS + 90)
        evidence = Evidence(
            at=finished_at,
            intents=tuple(self._evidence(played, plays[played.intent.id]) for played in self.played),
            rounds=rounds,
        )
        decision = decide(SUITE, evidence, self._memory, self._policy)
        self._memory = decision.memory
        record = CheckRecord(
            id=f"{self._random.getrandbits(128):032x}",
            suite=SUITE,
            trigger=Trigger.SCHEDULE,
            status=_status(decision.verdicts),
            epoch=epoch,
            seed=self._random.getrandbits(63),
            started_at=started_at,
            planned=rounds * INTENTS,
            slot_at=started_at,
            finished_at=finished_at,
            summary=self._summary(evidence, rounds, plays),
            reason=next((v.reason for v in decision.verdicts if v.finding is Finding.BREACH), "every rule holds"),
        )
        self.baselines[epoch] = Baseline(suite=SUITE, epoch=epoch, version=1, at=finished_at, memory=decision.memory)
        self._alert(record, decision.verdicts)
        ordered = sorted((play for every in plays.values() for play in every), key=lambda play: play.after_seconds)
        return MadeCheck(record=record, verdicts=decision.verdicts, plays=tuple(ordered))

    def _plays(self, played: Played, rounds: int, share: float) -> list[Play]:
        fall = sum(drop for begin, end, drop in FALLS if begin <= share < end)
        is_sick = share >= FALLS[-1][0] and int(played.intent.id[-3:]) % SICK_EVERY == 1
        rate = 0.15 if is_sick else max(0.0, played.pass_rate - fall)
        return [self._play(played, number, rate, rounds) for number in range(rounds)]

    def _play(self, played: Played, number: int, rate: float, rounds: int) -> Play:
        draw = self._random
        if draw.random() < JUDGE_ERRORS:
            chosen = played.broken
        else:
            chosen = draw.choice(played.good if draw.random() < rate else played.bad)
        after = PLAYED_WITHIN_SECONDS * (number + draw.random()) / rounds
        return Play(sample=chosen, round=number, after_seconds=after)

    def _evidence(self, played: Played, plays: list[Play]) -> IntentEvidence:
        values = [self.samples[play.sample].value for play in plays]
        passed = [self.samples[play.sample].score.passed for play in plays]
        return IntentEvidence(
            intent_id=played.intent.id,
            fingerprint=played.fingerprint,
            weight=played.intent.weight,
            critical=played.intent.critical,
            values=tuple(values),
            passed=tuple(passed),
            errors=(False,) * len(plays),
        )

    def _summary(self, evidence: Evidence, rounds: int, plays: Mapping[str, list[Play]]) -> CheckSummary:
        intents = tuple(_intent_summary(intent) for intent in evidence.intents)
        known = [(intent.mean, intent.weight) for intent in intents if intent.mean is not None]
        mean = sum(value * weight for value, weight in known) / sum(weight for _, weight in known)
        outcomes = Counter(self.samples[p.sample].transcript.outcome for every in plays.values() for p in every)
        strata = [(i.weight, [value for value in i.values if value is not None]) for i in evidence.intents]
        return CheckSummary(
            planned=rounds * INTENTS,
            valid=evidence.valid,
            mean=mean,
            mean_scored=mean,
            success_rate=sum(intent.passed for intent in intents) / evidence.valid,
            average_turns=2.0,
            outcomes={outcome: outcomes[outcome] for outcome in Outcome if outcomes[outcome]},
            intents=intents,
            standard_error=stratified_standard_error(strata),
            in_spec=Group(conversations=evidence.valid, mean=mean),
            out_of_spec=Group(conversations=0, mean=None),
            fidelity=FIDELITY,
            rounds=rounds,
            clustered_error=clustered_standard_error([(s.weight, s.mean) for s in intents if s.mean is not None]),
            latency_seconds=1.9,
        )

    def _alert(self, check: CheckRecord, verdicts: tuple[Verdict, ...]) -> None:
        """Open and close incidents as the verdicts say."""
        at = check.finished_at
        assert at is not None
        for verdict in verdicts:
            open_id = self._open.get(verdict.scope)
            if verdict.finding is Finding.BREACH and open_id is None:
                made = _incident(f"{self._random.getrandbits(128):032x}", verdict, check.id, at)
                self.incidents[made.id] = made
                self._open[verdict.scope] = made.id
            elif verdict.finding is Finding.RECOVERED and open_id and self.incidents[open_id].rule == verdict.rule:
                self.incidents[open_id] = replace(
                    self.incidents[open_id], closed_at=at, closed_by_check=check.id, close_reason=verdict.reason
                )
                del self._open[verdict.scope]


def talk(made: Conversation, *, conversation_id: str, check_id: str, began: datetime, number: int) -> Conversation:
    """A sample as a conversation of its own, begun at that time."""
    moved = began - T0
    said = made.transcript
    turns = tuple(replace(turn, at=turn.at + moved) for turn in said.turns)
    transcript = replace(said, turns=turns, started_at=said.started_at + moved, finished_at=said.finished_at + moved)
    return replace(made, id=conversation_id, check_id=check_id, round=number, seed=number, transcript=transcript)


def _intent_summary(intent: IntentEvidence) -> IntentSummary:
    values = [value for value in intent.values if value is not None]
    return IntentSummary(
        intent_id=intent.intent_id,
        weight=intent.weight,
        critical=intent.critical,
        mean=fmean(values) if values else None,
        planned=len(intent.values),
        valid=len(values),
        passed=sum(intent.outcomes),
        fingerprint=intent.fingerprint,
    )


def _status(verdicts: tuple[Verdict, ...]) -> CheckStatus:
    is_bad = any(v.finding is Finding.BREACH and v.scope == f"{SUITE}/overall" for v in verdicts)
    return CheckStatus.DEGRADED if is_bad else CheckStatus.HEALTHY


def _incident(incident_id: str, verdict: Verdict, check_id: str, at: datetime) -> Incident:
    return Incident(
        id=incident_id,
        scope=verdict.scope,
        dedup_key=f"shop:production:{verdict.scope}",
        rule=verdict.rule,
        severity=verdict.severity,
        opened_at=at,
        opened_by_check=check_id,
        reason=verdict.reason,
    )
