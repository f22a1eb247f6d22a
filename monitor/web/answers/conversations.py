"""Conversations as the API tells them. All text in them is what users, assistants and judges said: never trust it."""

from __future__ import annotations

from monitor.check import Conversation, Rescored
from monitor.judge_usage import JudgeUsage
from monitor.labelling import Sample
from monitor.score import Departure
from monitor.transcript import EndReason, Fault, Outcome, Role
from monitor.web.answers.answer import Answer
from monitor.web.cursors import PlaceCursor
from monitor.web.moments import Moment


class ConversationAnswer(Answer):
    """One conversation without its turns. `score` null: not measured, see `score_reason`. `value` is what counts in the
    mean: 0 for the assistant's errors, null where it says nothing about the assistant; `passed` is null there too.
    """

    id: str
    suite: str
    check_id: str
    intent_id: str
    persona: str | None
    round: int
    attempt: int
    epoch: str
    outcome: Outcome
    end: EndReason
    detail: str
    started_at: Moment
    finished_at: Moment
    score: float | None
    score_reason: str
    value: float | None
    passed: bool | None


class ConversationsAnswer(Answer):
    """One part of the conversations, newest first. It may hold fewer than were asked for, or none, and go on: few are
    wanted of many then.
    """

    conversations: list[ConversationAnswer]
    next: PlaceCursor | None


class UsageAnswer(Answer):
    """Tokens that a server says it used."""

    prompt_tokens: int | None
    completion_tokens: int | None


class ToolCallAnswer(Answer):
    """A tool call; `arguments` and `result` are text as received."""

    name: str
    arguments: str
    result: str | None
    is_error: bool
    was_reported: bool


class SampledAnswer(Answer):
    """How a simulated user's turn came about."""

    tries: int
    hits: list[str]
    tokens: int | None
    log_likelihood: float | None
    p_end: float | None
    p_end_reason: str | None


class TurnAnswer(Answer):
    """One message."""

    role: Role
    text: str
    at: Moment
    latency_seconds: float | None
    first_token_seconds: float | None
    usage: UsageAnswer | None
    tool_calls: list[ToolCallAnswer]
    finish_reason: str | None
    sampled: SampledAnswer | None


class EvidenceAnswer(Answer):
    """Where something was seen: the number of the turn, from 0, and the words."""

    turn: int
    quote: str


class ItemAnswer(Answer):
    """One item of a checklist or rule of a component."""

    id: str
    kind: str
    value: float | None
    passed: bool | None
    reason: str
    weight: float
    critical: bool
    closes_gate: bool
    is_on: bool
    evidence: list[EvidenceAnswer]


class ComponentAnswer(Answer):
    """One component of a score."""

    name: str
    value: float | None
    reason: str
    signals: dict[str, float]
    items: list[ItemAnswer]


class ValidityAnswer(Answer):
    """Whether the simulated user kept to its intent; `departure` null: not measured, see `reason`."""

    departure: Departure | None
    reason: str
    evidence: list[EvidenceAnswer]


class RescoredAnswer(Answer):
    """A later score of a conversation."""

    id: str
    epoch: str
    fingerprint: str
    at: Moment
    score: float | None
    score_reason: str
    passed: bool | None
    gate: float
    components: list[ComponentAnswer]

    @classmethod
    def of(cls, rescored: Rescored) -> RescoredAnswer:
        """The answer for a stored one."""
        score = rescored.score
        return cls(
            id=rescored.id,
            epoch=rescored.epoch,
            fingerprint=rescored.fingerprint,
            at=rescored.at,
            score=score.value,
            score_reason=score.reason,
            passed=score.passed,
            gate=score.gate,
            components=[ComponentAnswer.model_validate(component) for component in score.components],
        )


class WholeConversationAnswer(ConversationAnswer):
    """One conversation with its turns, its score and the scores that came later. `judged` null: no judge took part."""

    seed: int
    fingerprint: str
    gate: float
    components: list[ComponentAnswer]
    judged: JudgeUsage | None
    validity: ValidityAnswer | None
    turns: list[TurnAnswer]
    final: SampledAnswer | None
    cuts: list[str]
    rescored: list[RescoredAnswer]

    @classmethod
    def of(cls, conversation: Conversation, suite: str, rescored: list[Rescored]) -> WholeConversationAnswer:
        """The answer for a stored one."""
        transcript, score, value = conversation.transcript, conversation.score, conversation.value
        has_failed = transcript.outcome.fault is Fault.ASSISTANT
        shared = ("outcome", "end", "detail", "started_at", "finished_at", "turns", "final", "cuts")
        own = ("id", "check_id", "intent_id", "persona", "round", "attempt", "epoch", "seed", "fingerprint", "validity")
        return cls.model_validate(
            {name: getattr(transcript, name) for name in shared}
            | {name: getattr(conversation, name) for name in own}
            | {
                "suite": suite,
                "score": score.value,
                "score_reason": score.reason,
                "value": value,
                "passed": None if value is None else score.passed is True and not has_failed,
                "gate": score.gate,
                "components": score.components,
                "judged": score.judged,
                "rescored": [RescoredAnswer.of(one) for one in rescored],
            }
        )


class LabelAnswer(Answer):
    """What one person said of one conversation; of the same person the newest label counts. `value` is a grade in
    [0, 1], null without one. `probability` is that with which the conversation was drawn, null where it was picked.
    `score`, `score_passed` and `epoch` are what the monitor said when the label was given; null: it had no score.
    """

    id: str
    conversation_id: str
    at: Moment
    by: str
    passed: bool
    value: float | None
    reason: str
    sample: Sample
    probability: float | None
    score: float | None
    score_passed: bool | None
    epoch: str


class LabelsAnswer(Answer):
    """One part of the labels, newest first."""

    labels: list[LabelAnswer]
    next: PlaceCursor | None
