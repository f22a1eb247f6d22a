"""Conversations of four turns and five scored items, in words and documents of the lengths that real ones have."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from random import Random

from monitor.check import Conversation
from monitor.intent import Forbidden, Intent, JudgeQuestion, RequiredFact
from monitor.judge_usage import JudgeUsage
from monitor.score import ComponentScore, Departure, Evidence, ItemScore, Score, UserValidity, checklist_value, compose
from monitor.transcript import EndReason, Role, Sampled, ToolCall, Transcript, Turn, Usage

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SUITE = "shop"
EPOCH = "5f1c9a07be30"
WEIGHTS = {"task": 0.5, "quality": 0.25, "conduct": 0.1}
WORDS = re.findall(
    r"\w+",
    """
    the order number delivery would arrive within thirty days and you can return any item that is not worn with its
    receipt at a shop or by post please note our refund goes to the card used for payment which takes about five
    working days after we have checked what was sent back if the parcel is late write down tracking code so support
    can look for it I am sorry to hear this happened let me know whether another size colour or voucher helps
    instead
    """,
)


def sentence(random: Random, least: int, most: int) -> str:
    """So many words."""
    chosen = random.choices(WORDS, k=random.randint(least, most))
    return " ".join(chosen).capitalize() + "."


def an_intent(intent_id: str, number: int, random: Random) -> Intent:
    """One with a checklist, as it is configured."""
    return Intent(
        id=intent_id,
        description=f"You are a user who wants {sentence(random, 10, 20)}",
        checklist=(
            RequiredFact(id="names-term", patterns=(r"\b30 days\b",), critical=True),
            Forbidden(id="no-card", patterns=(r"\bcard number\b",)),
            JudgeQuestion(id="addresses", question=sentence(random, 10, 16)),
            JudgeQuestion(id="consistent", question=sentence(random, 10, 16)),
        ),
        knows=(sentence(random, 5, 9), sentence(random, 5, 9)),
        weight=1.0 + number % 3,
        critical=number % 10 == 0,
        max_turns=4,
        tags=("bench",),
    )


def sample(intent_id: str, fingerprint: str, random: Random, *, is_good: bool | None) -> Conversation:
    """One that passes or does not; None: its judge failed, so it has no score."""
    turns = _turns(random)
    end = EndReason.JUDGE if is_good is None else EndReason.USER_ENDED
    return Conversation(
        id="",
        check_id="",
        intent_id=intent_id,
        fingerprint=fingerprint,
        persona=random.choice((None, "hurried", "polite", "confused")),
        round=0,
        attempt=1,
        seed=0,
        epoch=EPOCH,
        transcript=Transcript(
            turns=turns,
            end=end,
            outcome=end.outcome,
            started_at=T0,
            finished_at=turns[-1].at + timedelta(seconds=1.5),
            final=Sampled(tokens=1, p_end=0.86),
        ),
        score=_score(random, turns, is_good=is_good),
        validity=UserValidity(departure=Departure.NONE, reason=sentence(random, 6, 14)),
    )


def _turns(random: Random) -> tuple[Turn, ...]:
    at, turns = T0, []
    for number in range(2):
        asked = 0.4 + random.random()
        at += timedelta(seconds=asked)
        hits = ("too_long",) if random.random() < 0.1 else ()
        drawn = Sampled(tries=1 + len(hits), hits=hits, tokens=24, log_likelihood=-41.25, p_end=0.02 + 0.1 * number)
        text = sentence(random, 8, 40)
        turns.append(Turn(role=Role.USER, text=text, at=at, latency_seconds=round(asked, 3), sampled=drawn))
        waited = 0.8 + 3 * random.random()
        at += timedelta(seconds=waited)
        turns.append(
            Turn(
                role=Role.ASSISTANT,
                text=" ".join(sentence(random, 10, 30) for _ in range(random.randint(2, 6))),
                at=at,
                latency_seconds=round(waited, 3),
                first_token_seconds=round(waited / 4, 3),
                usage=Usage(prompt_tokens=180 + 140 * number, completion_tokens=90),
                tool_calls=_calls(random),
                finish_reason="stop",
            )
        )
    return tuple(turns)


def _calls(random: Random) -> tuple[ToolCall, ...]:
    if random.random() > 0.3:
        return ()
    arguments = f'{{"order": "A-{random.randint(10_000, 99_999)}", "fields": ["status", "items", "payment"]}}'
    return (ToolCall(name="get_order", arguments=arguments, result='{"status": "sent", "items": 2, "late": false}'),)


def _score(random: Random, turns: tuple[Turn, ...], *, is_good: bool | None) -> Score:
    task = tuple(
        _item(random, turns, name, kind, value=1.0 if is_good is not False or number else 0.0, critical=number == 0)
        for number, (name, kind) in enumerate((("names-term", "required_fact"), ("no-card", "forbidden")))
    )
    broken = "the judge gave no usable answer in two tries" if is_good is None else ""
    asked = 0.9 if is_good else 0.3
    judged = tuple(
        _item(random, turns, name, "judge", value=None if broken else asked) for name in ("addresses", "consistent")
    )
    manner = _item(random, turns, "repetition", "conduct", value=1.0 if is_good else 0.75)
    value, reason = checklist_value(task)
    signals = {"coherence": 0.9, "helpfulness": round(random.random(), 3)}
    components = (
        ComponentScore(name="task", value=value, reason=reason, items=task),
        ComponentScore(name="quality", value=None if broken else asked, reason=broken, items=judged, signals=signals),
        ComponentScore(name="conduct", value=manner.value, items=(manner,), signals={"jaccard": 0.11}),
    )
    made = compose(components, WEIGHTS)
    used = JudgeUsage(calls=3, prompt_tokens=2400, completion_tokens=210)
    return Score(value=made.value, reason=made.reason, gate=made.gate, components=made.components, judged=used)


def _item(
    random: Random, turns: tuple[Turn, ...], name: str, kind: str, *, value: float | None, critical: bool = False
) -> ItemScore:
    place = random.choice((1, 3))
    quotes = (Evidence(turn=place, quote=turns[place].text[:90]),) if random.random() < 0.7 else ()
    return ItemScore(
        id=name, kind=kind, value=value, reason=sentence(random, 6, 18), critical=critical, evidence=quotes
    )
