"""Checks put into a store as a daemon does it, and the reports of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from monitor.check import CheckRecord, CheckStatus, Conversation, Trigger, summarize
from monitor.check_report import CheckReport, Circumstances, gather
from monitor.intent import Intent
from monitor.score import ComponentScore, Evidence, ItemScore, Score
from monitor.store import Closing, Store
from monitor.transcript import EndReason, Role, Sampled, ToolCall, Transcript, Turn
from monitor.verdict import Finding, Severity, Verdict
from tests.parties import intent

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOURS = timedelta(hours=4)
SHOES, REFUND = intent(id="shoes"), intent(id="refund", weight=2.0)
SUITE = (SHOES, REFUND, intent(id="opening-hours", critical=True))
ROUNDS = 4
Scores = Mapping[str, Sequence[float | EndReason]]
"""By intent, one entry a round: what the conversation is worth, or how it ended without a score."""

GOOD: Scores = {"shoes": (0.9, 1.0, 0.9, 1.0), "refund": (0.9,) * 4, "opening-hours": (1.0,) * 4}
FALLEN: Scores = {
    "shoes": (0.9, 1.0, 0.9, 0.9),
    "refund": (0.1, 0.0, 0.2, 0.1),
    "opening-hours": (1.0, 1.0, EndReason.HTTP_STATUS, 0.9),
}
NOW = Circumstances(made_at=AT + timedelta(hours=1), threshold=0.7, base_url="https://monitor.example")


def score(value: float, *, quote: str = "30 days") -> Score:
    """A score of `value` with one item that a turn is quoted for."""
    item = ItemScore(
        id="days",
        kind="required_fact",
        value=1.0 if value >= 0.5 else 0.0,
        reason="the pattern '30 days' was found" if value >= 0.5 else "the pattern '30 days' was not found",
        critical=True,
        evidence=(Evidence(turn=1, quote=quote),),
    )
    task = ComponentScore(name="task", value=value, items=(item,))
    return Score(value=value, reason="", gate=1.0, components=(task,))


def transcript(
    at: datetime = AT,
    *,
    said: Sequence[str] = ("How long can I return shoes?", "Within 30 days, unworn.", "Thanks!"),
    end: EndReason = EndReason.USER_ENDED,
    detail: str = "",
    calls: tuple[ToolCall, ...] = (),
) -> Transcript:
    """A conversation of these texts, the user first; `calls` are made with the first reply."""
    turns = tuple(
        Turn(
            role=Role.ASSISTANT if number % 2 else Role.USER,
            text=text,
            at=at + timedelta(seconds=number),
            latency_seconds=1.5 if number % 2 else None,
            tool_calls=calls if number == 1 else (),
            sampled=None if number % 2 else Sampled(tries=2, hits=("too_long",), tokens=9),
        )
        for number, text in enumerate(said)
    )
    finished = at + timedelta(seconds=12)
    return Transcript(turns=turns, end=end, outcome=end.outcome, started_at=at, finished_at=finished, detail=detail)


def conversation(
    check_id: str, of: Intent, number: int, worth: float | EndReason, *, epoch: str = "e1", at: datetime = AT
) -> Conversation:
    """Round `number` of an intent."""
    if isinstance(worth, EndReason):
        made = Score(value=None, reason="not scored", gate=1.0, components=())
        told = transcript(at, said=("How long can I return shoes?",), end=worth, detail="HTTP 503")
    else:
        made, told = score(worth), transcript(at)
    return Conversation(
        id=f"{check_id}-{of.id}-{number}",
        check_id=check_id,
        intent_id=of.id,
        fingerprint=of.fingerprint,
        persona=None,
        round=number,
        attempt=1,
        seed=7,
        epoch=epoch,
        transcript=told,
        score=made,
    )


def play(check_id: str, scores: Scores, intents: Sequence[Intent] = SUITE, at: datetime = AT) -> list[Conversation]:
    """Every conversation of a check."""
    known = {one.id: one for one in intents}
    return [
        conversation(check_id, known[intent_id], number, worth, at=at)
        for intent_id, worths in scores.items()
        for number, worth in enumerate(worths)
    ]


def verdict(finding: Finding, value: float) -> Verdict:
    return Verdict(
        scope="shop/overall",
        rule="quality",
        finding=finding,
        severity=Severity.CRITICAL,
        reason=f"average {value:.3f} is below 0.75 by more than chance",
        value=value,
        threshold=0.75,
    )


def begin(store: Store, check_id: str, *, at: datetime = AT, epoch: str = "e1", suite: str = "shop") -> CheckRecord:
    """A check that runs."""
    check = CheckRecord(
        id=check_id,
        suite=suite,
        trigger=Trigger.SCHEDULE,
        status=CheckStatus.RUNNING,
        epoch=epoch,
        seed=7,
        started_at=at,
        planned=len(SUITE) * ROUNDS,
    )
    store.open_check(check, None)
    return check


def run(
    store: Store,
    check_id: str = "now",
    scores: Scores = FALLEN,
    *,
    status: CheckStatus = CheckStatus.DEGRADED,
    at: datetime = AT,
    epoch: str = "e1",
    suite: str = "shop",
    intents: Sequence[Intent] = SUITE,
    verdicts: tuple[Verdict, ...] = (),
    conversations: Sequence[Conversation] | None = None,
) -> CheckRecord:
    """A check from its start to its end; with `conversations` just those."""
    check = begin(store, check_id, at=at, epoch=epoch, suite=suite)
    played = play(check_id, scores, intents, at) if conversations is None else conversations
    for one in played:
        store.save_conversation(one, None)
    ended = replace(
        check,
        status=status,
        reason="average 0.53 is below 0.75" if status is CheckStatus.DEGRADED else "average 0.95",
        finished_at=at + timedelta(minutes=3),
        summary=summarize(played, intents, ROUNDS),
    )
    store.close_check(Closing(check=ended, verdicts=verdicts))
    return ended


def fallen(store: Store) -> CheckRecord:
    """A healthy check, and four hours later one whose refunds have become bad."""
    run(store, "before", GOOD, status=CheckStatus.HEALTHY, at=AT - HOURS)
    return run(store, verdicts=(verdict(Finding.BREACH, 0.53),))


def reported(store: Store, check: CheckRecord, now: Circumstances = NOW) -> CheckReport:
    return gather(store, check, now)
