"""Experience: its formula by a probe with fixed answers, and its direction by a real user model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from monitor.bootstrap.experience import followups
from monitor.config.experience import MEASURED
from monitor.errors import CompletionUnavailable
from monitor.intent import Intent
from monitor.score import ComponentScore
from monitor.scorers.contract import Case
from monitor.scorers.experience import Experience, Followups, Scale
from monitor.transcript import Foreseen, Transcript, Turn
from tests.benchmarks.scoring.probing import probing
from tests.fixtures.models import EngineFactory
from tests.parties import intent, transcript

SAID = Followups(satisfied=("thanks",), dissatisfied=("what?", "no"))
SCALE = Scale(center=1.0, spread=2.0)


@dataclass
class FixedProbe:
    """Finds every text as likely as it is told; keeps what it was asked."""

    nlls: tuple[float, ...]
    p_end: float = 0.5
    asked: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)

    async def foresee(
        self, intent: Intent, turns: Sequence[Turn], texts: Sequence[str], *, conversation: str
    ) -> Foreseen:
        del intent
        self.asked.append((turns[-1].text, tuple(texts), conversation))
        return Foreseen(nlls=self.nlls, p_end=self.p_end)


class AbsentProbe:
    """Its server is away."""

    async def foresee(
        self, intent: Intent, turns: Sequence[Turn], texts: Sequence[str], *, conversation: str
    ) -> Foreseen:
        raise CompletionUnavailable("nobody answers")


async def experience(probe: FixedProbe | AbsentProbe, talk: Transcript) -> ComponentScore:
    case = Case(intent=intent(), transcript=talk, conversation_id="c1")
    return await Experience(probe, SAID, SCALE).score(case, {})


@pytest.mark.parametrize(("nlls", "share"), [((2, 2, 4), 0.5), ((1, 3, 5), 0.75), ((9, 1, 1), 0.0), ((0, 50, 50), 1.0)])
async def test_dissatisfied_words_that_are_unexpected_are_good(nlls: tuple[float, ...], share: float) -> None:
    component = await experience(FixedProbe(nlls), transcript("?", "yes"))
    assert component.signals["F"] == share
    assert component.value == pytest.approx(0.6 * share + 0.25 + 0.15 * 0.5)


async def test_complaints_lower_it_by_their_share_of_the_later_turns() -> None:
    talk = transcript("how long?", "A day.", "that is not what i asked", "Sorry.", "how long is the film?", "2 hours.")
    component = await experience(FixedProbe((2, 2, 4), p_end=0.0), talk)
    assert component.value == pytest.approx(0.6 * 0.5 + 0.25 * 0.5)
    assert [evidence.turn for item in component.items for evidence in item.evidence] == [2]


async def test_the_probe_is_asked_about_the_last_reply() -> None:
    probe = FixedProbe((2, 2, 4))
    await experience(probe, transcript("how long?", "A day.", "thanks, bye"))
    assert probe.asked == [("A day.", ("thanks", "what?", "no"), "c1")]


async def test_every_likelihood_is_kept_by_name() -> None:
    signals = (await experience(FixedProbe((2, 3, 4)), transcript("?", "yes"))).signals
    named = {name: signals[name] for name in ("nll_satisfied_1", "nll_dissatisfied_1", "nll_dissatisfied_2", "f")}
    assert named == {"nll_satisfied_1": 2, "nll_dissatisfied_1": 3, "nll_dissatisfied_2": 4, "f": 1.5}


async def test_without_a_reply_it_is_not_measured() -> None:
    component = await experience(FixedProbe((2, 2, 4)), transcript("hello?"))
    assert (component.value, component.reason) == (None, "the assistant said nothing")


async def test_a_user_model_that_is_away_is_never_a_number() -> None:
    with pytest.raises(CompletionUnavailable):
        await experience(AbsentProbe(), transcript("?", "yes"))


def test_the_shipped_follow_ups_are_five_and_three() -> None:
    assert (len(followups().dissatisfied), len(followups().satisfied)) == (5, 3)


@pytest.mark.model
def test_a_helped_user_fares_better_than_one_who_is_not_heard(
    smollm2_folder: Path, engine_child: EngineFactory
) -> None:
    helped = transcript(
        "how long can i return shoes?",
        "You can return shoes within 30 days.",
        "great, and do i need the box?",
        "No, you do not need the box. Just bring the receipt.",
    )
    unheard = transcript(
        "how long can i return shoes?",
        "What is your favourite colour?",
        "that is not what i asked, how long can i return shoes?",
        "What is your favourite colour?",
    )

    async def both(socket: Path) -> list[float | None]:
        constants = MEASURED["prompted", "smollm2"]
        async with probing(socket, "prompted") as probe:
            scorer = Experience(probe, followups(), Scale(center=constants.center, spread=constants.spread))
            cases = [Case(intent=intent(), transcript=talk) for talk in (helped, unheard)]
            return [(await scorer.score(case, {})).value for case in cases]

    with engine_child(smollm2_folder) as engine:
        good, bad = asyncio.run(both(engine.socket))
    assert good is not None
    assert bad is not None
    assert good > bad + 0.2
