"""Component `experience`: how it went for the user, by the model that plays users and by what the user said.

.60 F + .25 C + .15 E. F: whether the user model expects dissatisfied rather than satisfied words next; C: 1 less the
share of turns in which the user complained or said the same again; E: the probability that the user ends here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from monitor.score import ComponentScore, Evidence, ItemScore
from monitor.scorers.contract import Answers, Case, Question, UserProbe
from monitor.scorers.items import QUOTE_CHARACTERS
from monitor.scorers.reactions import complaints, is_assent, is_complaint, is_negation, is_rephrased, is_thanks
from monitor.text import words
from monitor.transcript import Foreseen, Role, Transcript, Turn

F_WEIGHT, C_WEIGHT, E_WEIGHT = 0.60, 0.25, 0.15
SLOPE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Followups:
    """What a satisfied and what a dissatisfied user might say next, in the words of the user model's examples."""

    satisfied: tuple[str, ...]
    dissatisfied: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them, the satisfied ones first."""
        return self.satisfied + self.dissatisfied


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where f lies for one user model: `center` is worth one half, each `spread` (above 0) a quarter more or less."""

    center: float
    spread: float

    def share(self, f: float) -> float:
        """F = clip(.5 + .25 (f - center) / spread, 0, 1)."""
        return min(1.0, max(0.0, 0.5 + SLOPE * (f - self.center) / self.spread))


def experience_of(f: float, c: float, e: float) -> float:
    """.60 F + .25 C + .15 E, each in [0, 1]."""
    return min(1.0, F_WEIGHT * f + C_WEIGHT * c + E_WEIGHT * e)


class Experience:
    """A `Scorer`. Raises what the probe raises: without the user model nothing is known."""

    name = "experience"

    def __init__(self, probe: UserProbe, followups: Followups, scale: Scale) -> None:
        self._probe = probe
        self._followups = followups
        self._scale = scale

    def questions(self, case: Case) -> Sequence[Question]:
        """None."""
        return ()

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        """The weighted mean. Raises CompletionFailure or EngineFailure."""
        turns = _up_to_the_last_reply(case.transcript)
        if not turns:
            return ComponentScore(name=self.name, value=None, reason="the assistant said nothing")
        texts = self._followups.texts
        foreseen = await self._probe.foresee(case.intent, turns, texts, conversation=case.conversation_id)
        satisfied = foreseen.nlls[: len(self._followups.satisfied)]
        f = fmean(foreseen.nlls[len(satisfied) :]) - fmean(satisfied)
        unhappy = complaints(case.transcript)
        later = len(case.transcript.user_turns) - 1
        f_share, c_share = self._scale.share(f), 1 - len(unhappy) / later if later > 0 else 1.0
        return ComponentScore(
            name=self.name,
            value=experience_of(f_share, c_share, foreseen.p_end),
            items=(_expected_words(f_share, f), _contentment(c_share, unhappy, case.transcript)),
            signals={"f": f, "F": f_share, "C": c_share, "E": foreseen.p_end}
            | self._single(foreseen)
            | _user_signals(case.transcript),
        )

    def _single(self, foreseen: Foreseen) -> dict[str, float]:
        """The likelihoods one by one, numbered within their kind."""
        count = len(self._followups.satisfied)
        named = {f"nll_satisfied_{place}": nll for place, nll in enumerate(foreseen.nlls[:count], start=1)}
        named |= {f"nll_dissatisfied_{place}": nll for place, nll in enumerate(foreseen.nlls[count:], start=1)}
        return named | {"log_p_end": math.log(max(foreseen.p_end, 1e-12))}


def _up_to_the_last_reply(transcript: Transcript) -> tuple[Turn, ...]:
    """What the user has heard: words of theirs after the last reply are no answer to any."""
    last = max((place for place, turn in enumerate(transcript.turns) if turn.role is Role.ASSISTANT), default=-1)
    return transcript.turns[: last + 1]


def _expected_words(share: float, f: float) -> ItemScore:
    return ItemScore(
        id="expected_words",
        kind="experience",
        value=share,
        reason=f"dissatisfied words are {f:+.2f} nats a token less expected than satisfied ones",
        weight=F_WEIGHT,
    )


def _contentment(share: float, unhappy: Sequence[int], transcript: Transcript) -> ItemScore:
    return ItemScore(
        id="contentment",
        kind="experience",
        value=share,
        reason=f"{1 - share:.0%} of the user's later turns complain or say it again" if unhappy else "no complaint",
        weight=C_WEIGHT,
        evidence=tuple(Evidence(turn=at, quote=transcript.turns[at].text[:QUOTE_CHARACTERS]) for at in unhappy),
    )


def _user_signals(transcript: Transcript) -> dict[str, float]:
    """What the user's turns tell; rates are over those after the first."""
    said = [turn.text for turn in transcript.user_turns]
    if not said:
        return {}
    later = said[1:]
    lengths = [float(len(words(text))) for text in said]
    return {
        "complaint_rate": _mean([is_complaint(text) for text in later]),
        "rephrase_rate": _mean([is_rephrased(text, said[:place]) for place, text in enumerate(later, start=1)]),
        "thanks_rate": _mean([is_thanks(text) for text in later]),
        "thanks_at_end": float(bool(later) and is_thanks(said[-1])),
        "user_words": fmean(lengths),
        "user_words_trend": lengths[-1] - lengths[min(1, len(lengths) - 1)],
        "user_questions": _mean([text.count("?") for text in later]),
        "user_negations": _mean([is_negation(text) for text in later]),
        "user_assents": _mean([is_assent(text) for text in later]),
    }


def _mean(numbers: Sequence[float]) -> float:
    return fmean(numbers) if numbers else 0.0
