"""What the user invented, beyond what its intent says: only a judge can tell, so without one it is not measured.

What hindered the assistant makes the conversation worthless; a small or a helpful departure is scored and told apart.
A judge whose answers are draws is asked three times in all before it says that anything was invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add

from monitor.intent import Intent
from monitor.judge_usage import JudgeUsage
from monitor.score import Departure, UserValidity
from monitor.scorers.contract import Answers, Case, Judge, Question
from monitor.scorers.passes import PASSES, further, together
from monitor.seeds import derive

YES = 0.5
UNASKED = UserValidity(departure=None, reason="not measured: no judge is configured")
FIXED = UserValidity(departure=None, reason="not measured: the user's words are the intent's own")
QUESTIONS = {
    "user-kept-to-intent": (
        "Does every requirement, wish, fact and constraint that the USER brings up follow from what the user was told, "
        "so that the user invented none?"
    ),
    "user-made-it-no-harder": (
        "Was the assistant's task at most as hard as what the user was told makes it, so that nothing that the USER "
        "invented or got wrong hindered the assistant?"
    ),
    "user-made-it-no-easier": (
        "Was the assistant's task at least as hard as what the user was told makes it, so that nothing that the USER "
        "invented or gave away helped the assistant?"
    ),
}
"""By id. Yes is good, as everywhere. Part of the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departed:
    """What a judge says of the user, and what asking took."""

    validity: UserValidity
    usage: JudgeUsage | None = None


async def departure_of(case: Case, judge: Judge | None, *, seed: int) -> Departed:
    """How far the user went beyond its intent; without a judge, not measured. Raises JudgeFailure."""
    if all(turn.is_fixed_text for turn in case.transcript.user_turns):
        return Departed(validity=FIXED)
    if judge is None:
        return Departed(validity=UNASKED)
    brief = _brief(case.intent)
    questions = [Question(id=name, text=f"{brief} {text}") for name, text in QUESTIONS.items()]
    first = await judge.ask(questions, case, seed=seed)
    found = _validity(first.answers)
    if not judge.is_sampled or found.is_in_spec:
        return Departed(validity=found, usage=first.usage)
    seeds = [derive(seed, "pass", number) for number in range(1, PASSES)]
    passes = [first, *await further(judge, questions, case, seeds, earlier=first.usage)]
    validity = _validity(together([one.answers for one in passes]))
    return Departed(validity=validity, usage=reduce(add, [one.usage for one in passes]))


def _brief(intent: Intent) -> str:
    """What the user was told, for whoever judges whether it kept to that."""
    parts = [f"The user was told: {intent.description}", *intent.knows]
    parts += [f"The user does not know: {unknown}" for unknown in intent.does_not_know]
    if intent.opening:
        parts.append("The user's first message was given and is beyond reproach.")
    return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts)


def _validity(answers: Answers) -> UserValidity:
    """Harder goes before easier: what hindered the assistant must not count against it."""
    kept, no_harder, no_easier = (answers[name] for name in QUESTIONS)
    if kept.value >= YES:
        return UserValidity(departure=Departure.NONE, reason=kept.reason, evidence=kept.evidence)
    if no_harder.value < YES:
        departure, told = Departure.HINDERED, no_harder
    elif no_easier.value < YES:
        departure, told = Departure.HELPED, no_easier
    else:
        departure, told = Departure.MINOR, kept
    return UserValidity(departure=departure, reason=told.reason or kept.reason, evidence=kept.evidence + told.evidence)
