"""The frozen record of one conversation: who said what, how it ended, and whose fault that was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """The two parties of a conversation."""

    USER = "user"
    ASSISTANT = "assistant"


class Fault(StrEnum):
    """Whose fault it is that a conversation has no score of its own."""

    NOBODY = "nobody"
    ASSISTANT = "assistant"
    OURS = "ours"


class Outcome(StrEnum):
    """How a conversation counts. Closed and mutually exclusive."""

    COMPLETED = "completed"
    ASSISTANT_ERROR = "assistant_error"
    ASSISTANT_TIMEOUT = "assistant_timeout"
    RATE_LIMITED = "rate_limited"
    SIMULATOR_INVALID = "simulator_invalid"
    SIMULATOR_ERROR = "simulator_error"
    JUDGE_ERROR = "judge_error"
    CANCELLED = "cancelled"

    @property
    def fault(self) -> Fault:
        """Nobody's for a completed conversation, the assistant's for its errors and timeouts, ours for all else."""
        if self is Outcome.COMPLETED:
            return Fault.NOBODY
        if self in (Outcome.ASSISTANT_ERROR, Outcome.ASSISTANT_TIMEOUT):
            return Fault.ASSISTANT
        return Fault.OURS

    @property
    def is_valid(self) -> bool:
        """Whether the conversation says something about the assistant."""
        return self.fault is not Fault.OURS


class EndReason(StrEnum):
    """What exactly ended a conversation; `outcome` says how that counts."""

    USER_ENDED = "user_ended"
    MAX_TURNS = "max_turns"
    CONNECTION_FAILED = "connection_failed"
    DNS_FAILED = "dns_failed"
    TLS_FAILED = "tls_failed"
    REDIRECTED = "redirected"
    HTTP_STATUS = "http_status"
    MALFORMED = "malformed"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    TURN_DEADLINE = "turn_deadline"
    CONVERSATION_DEADLINE = "conversation_deadline"
    RATE_LIMITED = "rate_limited"
    GUARDRAILS = "guardrails"
    UNFAIR_USER = "unfair_user"
    ENGINE = "engine"
    JUDGE = "judge"
    INTERNAL = "internal"
    SHUTDOWN = "shutdown"
    CHECK_DEADLINE = "check_deadline"
    KILL_SWITCH = "kill_switch"
    BUDGET = "budget"

    @property
    def outcome(self) -> Outcome:
        """The outcome that this end leads to."""
        return _OUTCOMES[self]


_OUTCOMES = {
    EndReason.USER_ENDED: Outcome.COMPLETED,
    EndReason.MAX_TURNS: Outcome.COMPLETED,
    EndReason.CONNECTION_FAILED: Outcome.ASSISTANT_ERROR,
    EndReason.DNS_FAILED: Outcome.ASSISTANT_ERROR,
    EndReason.TLS_FAILED: Outcome.ASSISTANT_ERROR,
    EndReason.REDIRECTED: Outcome.ASSISTANT_ERROR,
    EndReason.HTTP_STATUS: Outcome.ASSISTANT_ERROR,
    EndReason.MALFORMED: Outcome.ASSISTANT_ERROR,
    EndReason.EMPTY: Outcome.ASSISTANT_ERROR,
    EndReason.TOO_LARGE: Outcome.ASSISTANT_ERROR,
    EndReason.TURN_DEADLINE: Outcome.ASSISTANT_TIMEOUT,
    EndReason.CONVERSATION_DEADLINE: Outcome.ASSISTANT_TIMEOUT,
    EndReason.RATE_LIMITED: Outcome.RATE_LIMITED,
    EndReason.GUARDRAILS: Outcome.SIMULATOR_INVALID,
    EndReason.UNFAIR_USER: Outcome.SIMULATOR_INVALID,
    EndReason.ENGINE: Outcome.SIMULATOR_ERROR,
    EndReason.INTERNAL: Outcome.SIMULATOR_ERROR,
    EndReason.JUDGE: Outcome.JUDGE_ERROR,
    EndReason.SHUTDOWN: Outcome.CANCELLED,
    EndReason.CHECK_DEADLINE: Outcome.CANCELLED,
    EndReason.KILL_SWITCH: Outcome.CANCELLED,
    EndReason.BUDGET: Outcome.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that a server says it used; None where it did not say (which is not zero)."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool call that the assistant made, told with a reply or `was_reported` beside it.

    `arguments` is JSON text as received; a call that is an `is_error` changed nothing.
    """

    name: str
    arguments: str
    result: str | None = None
    is_error: bool = False
    was_reported: bool = False


class Receipt(StrEnum):
    """What became of a report: taken, now or before; or refused, as one too many or as its id's first one differs."""

    TAKEN = "taken"
    TOO_MANY = "too_many"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedCall:
    """A tool call that was reported beside a conversation. `id` tells one report of a conversation from another."""

    conversation_id: str
    id: str
    at: datetime
    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """How a simulated user's turn came about.

    `log_likelihood` is the sum of the natural log-probabilities of its tokens (None: fixed text, or the server gave
    none); `p_end` the probability, before this turn, that the user would end here (None with `p_end_reason`);
    `hits` the guardrails that rejected earlier tries.
    """

    tries: int = 1
    hits: tuple[str, ...] = ()
    tokens: int | None = None
    log_likelihood: float | None = None
    p_end: float | None = None
    p_end_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What a user model expects after a transcript.

    `nlls`: of each text that was asked about, as the whole next user turn, the mean negative natural log-probability
    of its tokens; `p_end`: the probability that the user ends here.
    """

    nlls: tuple[float, ...]
    p_end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message.

    `latency_seconds` and `first_token_seconds` are measured on our side: a reply's from the request on, a user's turn
    from when the user model was asked for it, tries and all.
    """

    role: Role
    text: str
    at: datetime
    latency_seconds: float | None = None
    first_token_seconds: float | None = None
    usage: Usage | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    sampled: Sampled | None = None

    @property
    def is_fixed_text(self) -> bool:
        """Whether no model made it, so that its time and likelihood say nothing."""
        return self.role is Role.USER and (self.sampled is None or self.sampled.tokens is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One finished conversation. `cuts` lists what the window policy left out of the user model's sight."""

    turns: tuple[Turn, ...]
    end: EndReason
    outcome: Outcome
    started_at: datetime
    finished_at: datetime
    detail: str = ""
    final: Sampled | None = None
    cuts: tuple[str, ...] = ()

    @property
    def user_turns(self) -> tuple[Turn, ...]:
        """The user's turns, oldest first."""
        return tuple(turn for turn in self.turns if turn.role is Role.USER)

    @property
    def assistant_turns(self) -> tuple[Turn, ...]:
        """The assistant's turns, oldest first."""
        return tuple(turn for turn in self.turns if turn.role is Role.ASSISTANT)

    @property
    def duration_seconds(self) -> float:
        """Wall time from the first request to the end."""
        return (self.finished_at - self.started_at).total_seconds()
