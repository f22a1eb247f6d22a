"""How much the simulated users are like people, as far as their words and their ends tell.

Pure: conversations in, one `Fidelity` out. Knows neither models nor scores. Fixed openings and scripted turns are the
author's and left out. Some of the measures are those of the UserLM paper (arXiv 2510.06552), whose figures are in
`PUBLISHED`; they are means over its data, so other intents move them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean

from monitor.intent import Intent
from monitor.text import words
from monitor.transcript import EndReason, Outcome, Role, Sampled, Transcript, Turn

NO_RANGE = "no published range"
PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "first_turn_diversity": {"people": 0.9401, "UserLM-8b": 0.9455, "GPT-4o": 0.7442},
}
"""What the paper gives for people and for models that play users, by measure. A measure that is not here has none."""
COMPARED_OPENERS = 200
"""First turns of one intent that are compared, each with each."""
_FUNCTION_WORDS = frozenset(
    words(
        """
        a about above after again all also am an and any are as at be because been before but by can could did do
        does each for from get had has have he her here him his how i i'd i'll i'm i've if in into is it it's its
        just know let like may me might more most my need no not of on or our out over please she should so some
        such than that that's the their them then there these they this those to too up us user very want wants
        was we were what when where which while who whose why will with would you your
        """
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """What `conversations` with `turns` sampled user turns look like; None: not measured.

    Of completed conversations: `turns_to_end` (mean user turns), `ended_by_user` (share; the others ran out of turns).
    Of sampled first turns: `opener_words` (mean words), `intent_overlap` (mean Jaccard of their content words and
    those of the description) and `first_turn_diversity` (1 - mean Jaccard of the words of two of one intent).
    Of sampled turns: `type_token` (distinct words over words, which falls as a check grows), `tries_per_turn`,
    `hits_per_turn` and `hits` by guardrail; ends are counted as turns here. `p_end_at_end` and `p_end_before` are the
    user model's mean probability of the end where it ended and where it went on.
    """

    conversations: int
    turns: int
    turns_to_end: float | None = None
    ended_by_user: float | None = None
    opener_words: float | None = None
    intent_overlap: float | None = None
    first_turn_diversity: float | None = None
    type_token: float | None = None
    p_end_at_end: float | None = None
    p_end_before: float | None = None
    tries_per_turn: float | None = None
    hits_per_turn: float | None = None
    hits: Mapping[str, int] = field(default_factory=dict)


MEASURES: Mapping[str, str] = {
    "turns_to_end": "user turns in a completed conversation",
    "ended_by_user": "share of completed conversations that the user ended",
    "opener_words": "words in the first turn",
    "intent_overlap": "content words that the first turn shares with the intent (Jaccard)",
    "first_turn_diversity": "1 - overlap of first turns of one intent (Jaccard)",
    "type_token": "distinct words over words",
    "p_end_at_end": "probability of the end where the user ended",
    "p_end_before": "probability of the end where the user went on",
    "tries_per_turn": "tries until a turn kept to the guardrails",
    "hits_per_turn": "tries that a guardrail rejected, per turn",
}


def measure(talks: Iterable[tuple[Intent, Transcript]]) -> Fidelity | None:
    """The fidelity of the users of these conversations; None where no model played any."""
    played = [(intent, talk) for intent, talk in talks if any(_sampled_turns(talk))]
    if not played:
        return None
    turns = [turn for _, talk in played for turn in _sampled_turns(talk)]
    ended = [talk for _, talk in played if talk.outcome is Outcome.COMPLETED]
    draws = [draw for _, talk in played for draw in _draws(talk)]
    said = [word for turn in turns for word in words(turn.text)]
    openers = [(intent, first) for intent, talk in played if (first := _opener(talk)) is not None]
    hits = Counter(hit for draw in draws for hit in draw.hits)
    return Fidelity(
        conversations=len(played),
        turns=len(turns),
        turns_to_end=_mean(len(talk.user_turns) for talk in ended),
        ended_by_user=_mean(talk.end is EndReason.USER_ENDED for talk in ended),
        opener_words=_mean(len(text.split()) for _, text in openers),
        intent_overlap=_mean(_overlap(content_words(text), content_words(i.description)) for i, text in openers),
        first_turn_diversity=_diversity(openers),
        type_token=len(set(said)) / len(said) if said else None,
        p_end_at_end=_mean(_ends(ended)),
        p_end_before=_mean(turn.sampled.p_end for turn in turns if turn.sampled and turn.sampled.p_end is not None),
        tries_per_turn=_mean(draw.tries for draw in draws),
        hits_per_turn=hits.total() / len(draws) if draws else None,
        hits=dict(sorted(hits.items())),
    )


def content_words(text: str) -> frozenset[str]:
    """The words of an English text without those that every sentence has."""
    return frozenset(words(text)) - _FUNCTION_WORDS


def _sampled_turns(talk: Transcript) -> Iterator[Turn]:
    return (turn for turn in talk.user_turns if not turn.is_fixed_text)


def _draws(talk: Transcript) -> Iterator[Sampled]:
    """How each sampled turn came about, the end included."""
    for turn in _sampled_turns(talk):
        if turn.sampled is not None:
            yield turn.sampled
    if talk.final is not None and talk.final.tokens is not None:
        yield talk.final


def _opener(talk: Transcript) -> str | None:
    first = next((turn for turn in talk.turns if turn.role is Role.USER), None)
    return None if first is None or first.is_fixed_text else first.text


def _ends(ended: Iterable[Transcript]) -> Iterator[float]:
    for talk in ended:
        if talk.end is EndReason.USER_ENDED and talk.final is not None and talk.final.p_end is not None:
            yield talk.final.p_end


def _diversity(openers: Sequence[tuple[Intent, str]]) -> float | None:
    """Pairs of one intent alone are compared; every such pair counts the same."""
    by_intent: dict[str, list[frozenset[str]]] = {}
    for intent, text in openers:
        by_intent.setdefault(intent.id, []).append(frozenset(words(text)))
    overlap = _mean(
        _overlap(one, other) for texts in by_intent.values() for one, other in combinations(texts[:COMPARED_OPENERS], 2)
    )
    return None if overlap is None else 1.0 - overlap


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def _mean(values: Iterable[float]) -> float | None:
    found = [float(value) for value in values]
    return fmean(found) if found else None
