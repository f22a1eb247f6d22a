"""Which conversations people are asked to label: an even sample, and one that looks where scores are likeliest wrong.

Pure. Each conversation is drawn by itself with a known probability (Poisson sampling), so that figures on any of the
two samples can be weighed back to all conversations, and a draw can be repeated: it depends on nothing but the seed,
the conversation's id, and the weights of all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.labelling import Sample
from monitor.score import PASS_SCORE, Departure
from monitor.seeds import SEED_BITS, derive
from monitor.transcript import EndReason

SIZE = 20
"""So many are drawn for each sample on average."""
NEAR = 0.25
"""A score nearer than this to the limit between passed and failed is doubtful."""
RARE = 0.2
"""What came of at most this share of an intent's conversations is unusual."""
FEWEST_OF_INTENT = 5
"""With fewer conversations of an intent nothing about it is called unusual."""

UNSURE = (0.25, 0.75)
"""A judge whose answer lies between these was not sure, or did not say the same each time."""

DOUBTFUL, CRITICAL, UNSETTLED, UNUSUAL, DEPARTED = 4.0, 3.0, 3.0, 3.0, 2.0
"""What each reason adds to the weight 1 that every conversation has: none is left out for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A scored conversation, as far as it matters for being drawn. `departure` None: not measured.

    `has_unsure_judge`: an item that is on has a judge's answer within UNSURE.
    """

    id: str
    suite: str
    intent_id: str
    epoch: str
    finished_at: datetime
    end: EndReason
    score: float
    has_failed_critical: bool
    has_unsure_judge: bool
    departure: Departure | None

    @property
    def passed(self) -> bool:
        """As `Score.passed`."""
        return self.score >= PASS_SCORE and not self.has_failed_critical


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """How much likelier than others one is to be drawn, and why."""

    weight: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A conversation that was drawn, and the probability with which that happened."""

    candidate: Candidate
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Both samples of one draw, each in an order by which its first ones are a sample of their own."""

    of: int
    random: tuple[Drawn, ...]
    risk: tuple[Drawn, ...]

    def sample(self, name: Sample) -> tuple[Drawn, ...]:
        """The sample of that name; nothing is drawn of what people pick."""
        return {Sample.RANDOM: self.random, Sample.RISK: self.risk, Sample.CHOSEN: ()}[name]

    def find(self, name: Sample, conversation_id: str) -> Drawn | None:
        """The conversation, if that sample has it."""
        return next((one for one in self.sample(name) if one.candidate.id == conversation_id), None)


def draw(candidates: Sequence[Candidate], seed: str, *, size: int = SIZE) -> Queue:
    """Both samples. The same seed and candidates give the same ones, in whatever order they come."""
    even = [1.0] * len(candidates)
    by_risk = [risk.weight for risk in risks(candidates)]
    return Queue(
        of=len(candidates),
        random=_poisson(candidates, probabilities(even, size), (seed, Sample.RANDOM.value)),
        risk=_poisson(candidates, probabilities(by_risk, size), (seed, Sample.RISK.value)),
    )


def risks(candidates: Sequence[Candidate]) -> list[Risk]:
    """The risk of each: a score near the limit, a failed critical item, a judge that was not sure, an end that is
    unusual for its intent, a user who departed from it.
    """
    of_intent = Counter((one.suite, one.intent_id) for one in candidates)
    alike = Counter(_way(one) for one in candidates)
    return [_risk(one, alike[_way(one)], of_intent[one.suite, one.intent_id]) for one in candidates]


def probabilities(weights: Sequence[float], size: int) -> list[float]:
    """In proportion to the weights, none over 1, summing to `size`; all 1 where there are no more than that."""
    if len(weights) <= size:
        return [1.0] * len(weights)
    # Those whose share would be over 1 are certain; what they leave is shared out among the others, largest first.
    order = sorted(range(len(weights)), key=lambda index: -weights[index])
    found = [1.0] * len(weights)
    left, total = float(size), sum(weights)
    for place, index in enumerate(order):
        if left * weights[index] < total:
            for other in order[place:]:
                found[other] = left * weights[other] / total
            break
        left, total = left - 1, total - weights[index]
    return found


def _poisson(candidates: Sequence[Candidate], chances: Sequence[float], seed: tuple[str, str]) -> tuple[Drawn, ...]:
    lots = [derive(*seed, one.id) / 2**SEED_BITS for one in candidates]
    drawn = [
        (lot / chance, Drawn(candidate=one, probability=chance))
        for one, chance, lot in zip(candidates, chances, lots, strict=True)
        if lot < chance
    ]
    return tuple(one for _, one in sorted(drawn, key=lambda pair: (pair[0], pair[1].candidate.id)))


def _way(candidate: Candidate) -> tuple[str, str, EndReason, bool]:
    return candidate.suite, candidate.intent_id, candidate.end, candidate.passed


def _risk(candidate: Candidate, alike: int, of_intent: int) -> Risk:
    rareness = 1 - alike / of_intent / RARE if of_intent >= FEWEST_OF_INTENT else 0.0
    has_departed = candidate.departure not in (None, Departure.NONE)
    parts = {
        "its score is near the limit": DOUBTFUL * max(0.0, 1 - abs(candidate.score - PASS_SCORE) / NEAR),
        "a critical item failed": CRITICAL * candidate.has_failed_critical,
        "its judge was not sure": UNSETTLED * candidate.has_unsure_judge,
        "it came out as this intent seldom does": UNUSUAL * max(0.0, rareness),
        "its user departed from the intent": DEPARTED * has_departed,
    }
    return Risk(weight=1 + sum(parts.values()), reasons=tuple(name for name, part in parts.items() if part))
