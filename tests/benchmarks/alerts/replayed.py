"""A real change of a production model (LLMDrift: Chen, Zaharia and Zou 2023), replayed as a suite's checks."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from monitor.rules.decide import decide
from monitor.rules.evidence import Evidence, IntentEvidence
from monitor.rules.memory import Memory
from monitor.rules.policy import RoundsPolicy, RulesPolicy
from tests.benchmarks.alerts.world import CHECKS_A_YEAR, INTERVAL, START, SUITE, Alarms

BEFORE, AFTER = "openaichat/gpt-4-0314", "openaichat/gpt-4-0613"
INTENTS, QUESTIONS, WARM_UP, PATIENCE = 20, 10, 42, 60
POLICY = RulesPolicy(rounds=RoundsPolicy(least=QUESTIONS, most=QUESTIONS))

Answers = npt.NDArray[np.float64]


def read(folder: Path) -> tuple[Answers, Answers]:
    """Whether each question was answered rightly, by the older and by the newer version. Raises OSError."""
    found: dict[str, dict[int, float]] = {BEFORE: {}, AFTER: {}}
    with (folder / "model_drift.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["model"] in found:
                found[row["model"]][int(row["question_id"])] = float(row["correct"])
    before, after = (np.array([answers[q] for q in sorted(answers)]) for answers in found.values())
    return before, after


class Replay:
    """Checks of 20 intents with 10 questions each, drawn with replacement from the intent's own (id mod 20)."""

    def __init__(self, before: Answers, after: Answers, seed: tuple[int, ...]) -> None:
        self._draw = np.random.default_rng(seed)
        self._before, self._after = before, after
        self._memory, self._number = Memory(), 0
        self.alarms = Alarms()

    def check(self, share: float) -> bool:
        """One check of which `share` of the requests is answered by the newer version; whether an incident opened."""
        evidence = Evidence(
            at=START + self._number * INTERVAL,
            intents=tuple(self._intent(number, share) for number in range(INTENTS)),
            rounds=QUESTIONS,
        )
        decision = decide(SUITE, evidence, self._memory, POLICY)
        self._memory, self._number = decision.memory, self._number + 1
        return bool(self.alarms.hear(decision.verdicts))

    def _intent(self, number: int, share: float) -> IntentEvidence:
        questions = self._draw.choice(np.arange(number, len(self._before), INTENTS), QUESTIONS)
        is_newer = self._draw.random(QUESTIONS) < share
        values = np.where(is_newer, self._after[questions], self._before[questions])
        return IntentEvidence(
            intent_id=f"intent-{number}",
            fingerprint=f"intent-{number}",
            weight=1.0,
            critical=False,
            values=tuple(values.tolist()),
            passed=tuple((values > 0.5).tolist()),
            errors=(False,) * QUESTIONS,
        )


def checks_to_find(number: int, before: Answers, after: Answers, share: float) -> int:
    """How many checks after the change the first incident opens."""
    replay = Replay(before, after, (5, number))
    for _ in range(WARM_UP):
        replay.check(0.0)
    replay.alarms = Alarms()
    return next((count for count in range(1, PATIENCE) if replay.check(share)), PATIENCE)


def false_alarms(number: int, before: Answers, after: Answers) -> int:
    """Incidents in a year without a change."""
    replay = Replay(before, after, (6, number))
    for _ in range(WARM_UP):
        replay.check(0.0)
    replay.alarms.notifications.clear()
    for _ in range(CHECKS_A_YEAR):
        replay.check(0.0)
    return len(replay.alarms.notifications)


def measure(folder: Path, *, replications: int, years: int, processes: int) -> Mapping[str, object]:
    """The 90th percentiles of checks to find, and false alarms a year under the rules that find them."""
    before, after = read(folder)
    figures: dict[str, object] = {}
    with ProcessPoolExecutor(processes) as pool:
        for share in (1.0, 0.5, 0.16):
            find = partial(checks_to_find, before=before, after=after, share=share)
            found = list(pool.map(find, range(replications)))
            figures[f"replay_{share * 100:.0f}_p90_checks"] = float(np.quantile(found, 0.9))
        alarms = list(pool.map(partial(false_alarms, before=before, after=after), range(years)))
    return figures | {"replay_16_false_alarms_per_year": sum(alarms) / years}
