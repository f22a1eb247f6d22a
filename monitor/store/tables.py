"""The tables. Column names are the field names of the values that they hold; `migrations/` builds the same schema."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    and_,
    false,
    literal_column,
    or_,
)

from monitor.calibration import TargetAgreement, WeightProposal
from monitor.canary import CanaryAlarm, CanaryScore
from monitor.check import CheckStatus, CheckSummary, Purpose, Trigger
from monitor.incident import Alert, NotificationStatus
from monitor.judge_usage import JudgeUsage
from monitor.labelling import Sample
from monitor.machine import Breach, NotificationKind, Phase
from monitor.rules.memory import Memory
from monitor.score import PASS_SCORE, ComponentScore, Evidence, UserValidity
from monitor.store.types import CleanText, Document, Real, UtcDateTime, Word
from monitor.transcript import EndReason, Outcome, Role, Sampled, ToolCall, Usage
from monitor.verdict import Finding, Severity


class SlotState(StrEnum):
    """HELD by an owner until its lease runs out; DONE; or ABORTED, to be claimed once more."""

    HELD = "held"
    DONE = "done"
    ABORTED = "aborted"


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# SQLite numbers rows by itself only in a column that is called INTEGER.
_Sequence = BigInteger().with_variant(Integer, "sqlite")
_Words = Document(tuple[str, ...])


def _share(name: str, *, nullable: bool) -> tuple[Column[Any], CheckConstraint]:
    """A number from 0 to 1."""
    return Column(name, Real, nullable=nullable), CheckConstraint(f"{name} BETWEEN 0 AND 1", name=f"{name}_is_share")


schedule_slot = Table(
    "schedule_slot",
    metadata,
    Column("suite", CleanText, primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("owner", CleanText, nullable=False),
    Column("version", Integer, nullable=False),
    Column("lease_until", UtcDateTime, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("state", Word(SlotState), nullable=False),
    Column("claim", CleanText, nullable=False),
)

check = Table(
    "check",
    metadata,
    Column("id", CleanText, primary_key=True),
    Column("suite", CleanText, nullable=False),
    Column("trigger", Word(Trigger), nullable=False),
    Column("status", Word(CheckStatus), nullable=False),
    Column("epoch", CleanText, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("planned", Integer, nullable=False),
    Column("slot_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("summary", Document(CheckSummary)),
    Column("reason", CleanText, nullable=False),
    Column("process", CleanText, nullable=False),
    Column("purpose", Word(Purpose), nullable=False, server_default=Purpose.WATCH.value),
    Column("assistant", CleanText),
)
Index("ix_check_suite_started_at", check.c.suite, check.c.started_at, check.c.id)
Index("ix_check_started_at", check.c.started_at, check.c.id)
Index("ix_check_status", check.c.status)

conversation = Table(
    "conversation",
    metadata,
    Column("id", CleanText, primary_key=True),
    Column("check_id", CleanText, ForeignKey("check.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("intent_id", CleanText, nullable=False),
    Column("fingerprint", CleanText, nullable=False),
    Column("persona", CleanText),
    Column("round", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("epoch", CleanText, nullable=False, server_default=""),
    Column("end", Word(EndReason), nullable=False),
    Column("outcome", Word(Outcome), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime, nullable=False, index=True),
    Column("detail", CleanText, nullable=False),
    Column("final", Document(Sampled)),
    Column("cuts", _Words, nullable=False),
    *_share("score", nullable=True),
    Column("score_reason", CleanText, nullable=False),
    *_share("gate", nullable=False),
    Column("components", Document(tuple[ComponentScore, ...]), nullable=False),
    Column("judged", Document(JudgeUsage)),
    Column("validity", Document(UserValidity)),
    Column("user", CleanText),
)
Index("ix_conversation_intent_finished_at", conversation.c.intent_id, conversation.c.finished_at, conversation.c.id)

turn = Table(
    "turn",
    metadata,
    Column("conversation_id", CleanText, ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("role", Word(Role), nullable=False),
    Column("text", CleanText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("latency_seconds", Real),
    Column("first_token_seconds", Real),
    Column("usage", Document(Usage)),
    Column("tool_calls", Document(tuple[ToolCall, ...]), nullable=False),
    Column("finish_reason", CleanText),
    Column("sampled", Document(Sampled)),
)

score_item = Table(
    "score_item",
    metadata,
    Column("conversation_id", CleanText, ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("component", CleanText, nullable=False),
    Column("id", CleanText, nullable=False),
    Column("kind", CleanText, nullable=False),
    *_share("value", nullable=True),
    Column("reason", CleanText, nullable=False),
    Column("weight", Real, nullable=False),
    Column("critical", Boolean, nullable=False),
    Column("closes_gate", Boolean, nullable=False),
    Column("is_on", Boolean, nullable=False),
    Column("evidence", Document(tuple[Evidence, ...]), nullable=False),
)

# Written out: a database knows that it may use the index only where the very same words are asked for.
FAILED_CRITICAL = and_(
    score_item.c.critical.is_(True),
    score_item.c.is_on.is_(True),
    or_(score_item.c.value < literal_column(str(PASS_SCORE)), score_item.c.value.is_(None)),
)
Index(
    "ix_score_item_failed_critical",
    score_item.c.conversation_id,
    sqlite_where=FAILED_CRITICAL,
    postgresql_where=FAILED_CRITICAL,
)

# A check by a name that people gave it, to hold later ones against.
named_check = Table(
    "named_check",
    metadata,
    Column("name", CleanText, primary_key=True),
    Column("check_id", CleanText, ForeignKey("check.id", ondelete="CASCADE"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

# One conversation may be scored again several times; its first score stays where it is.
rescore = Table(
    "rescore",
    metadata,
    Column("id", CleanText, primary_key=True),
    Column("conversation_id", CleanText, ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("epoch", CleanText, nullable=False),
    Column("fingerprint", CleanText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    *_share("score", nullable=True),
    Column("score_reason", CleanText, nullable=False),
    *_share("gate", nullable=False),
    Column("components", Document(tuple[ComponentScore, ...]), nullable=False),
    Column("judged", Document(JudgeUsage)),
)

# A label goes with its conversation: its reason may quote it, and without the transcript nobody can check it.
label = Table(
    "label",
    metadata,
    Column("id", CleanText, primary_key=True),
    Column("conversation_id", CleanText, ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("by", CleanText, nullable=False),
    Column("passed", Boolean, nullable=False),
    *_share("value", nullable=True),
    Column("reason", CleanText, nullable=False),
    Column("sample", Word(Sample), nullable=False),
    *_share("probability", nullable=True),
    *_share("score", nullable=True),
    Column("score_passed", Boolean),
    Column("epoch", CleanText, nullable=False),
)
Index("ix_label_at", label.c.at, label.c.id)

calibration = Table(
    "calibration",
    metadata,
    Column("id", CleanText, primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("epoch", CleanText, nullable=False),
    Column("labels", Integer, nullable=False),
    Column("targets", Document(tuple[TargetAgreement, ...]), nullable=False),
    Column("fit", Document(WeightProposal), nullable=False),
    Column("not_scored", Document(dict[str, int]), nullable=False),
)

canary_run = Table(
    "canary_run",
    metadata,
    Column("sequence", _Sequence, primary_key=True),
    Column("id", CleanText, nullable=False, unique=True),
    Column("at", UtcDateTime, nullable=False),
    Column("epoch", CleanText, nullable=False),
    Column("fingerprint", CleanText, nullable=False),
    Column("scored", Integer, nullable=False),
    Column("not_scored", Integer, nullable=False),
    *_share("auc", nullable=True),
    *_share("mean_good", nullable=True),
    *_share("mean_bad", nullable=True),
    Column("flips", Integer),
    Column("is_sick", Boolean, nullable=False),
    Column("alarms", Document(tuple[CanaryAlarm, ...]), nullable=False),
    Column("results", Document(tuple[CanaryScore, ...]), nullable=False),
    sqlite_autoincrement=True,  # the newest run has the highest number, whatever the clock does
)
Index("ix_canary_run_epoch_fingerprint", canary_run.c.epoch, canary_run.c.fingerprint, canary_run.c.sequence)

# No foreign key: calls are reported while the conversation goes on, which is written at its end.
reported_call = Table(
    "reported_call",
    metadata,
    Column("conversation_id", CleanText, primary_key=True),
    Column("id", CleanText, primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("name", CleanText, nullable=False),
    Column("arguments", CleanText, nullable=False),
    Column("result", CleanText),
    Column("is_error", Boolean, nullable=False),
)

verdict = Table(
    "verdict",
    metadata,
    Column("check_id", CleanText, ForeignKey("check.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("scope", CleanText, nullable=False),
    Column("rule", CleanText, nullable=False),
    Column("finding", Word(Finding), nullable=False),
    Column("severity", Word(Severity), nullable=False),
    Column("reason", CleanText, nullable=False),
    Column("value", Real),
    Column("threshold", Real),
)

# What the rules remember of a suite within an epoch. Versioned: two checks that end at once do not lose one another.
baseline = Table(
    "baseline",
    metadata,
    Column("suite", CleanText, primary_key=True),
    Column("epoch", CleanText, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("memory", Document(Memory), nullable=False),
)

alert_state = Table(
    "alert_state",
    metadata,
    Column("scope", CleanText, primary_key=True),
    Column("phase", Word(Phase), nullable=False),
    Column("since", UtcDateTime),
    Column("incident_id", CleanText),
    Column("rule", CleanText),  # of the version before; `breaches` has taken its place
    Column("severity", Word(Severity)),
    Column("channels", _Words, nullable=False),
    Column("unresolved", _Words, nullable=False),
    Column("version", Integer, nullable=False),
    Column("breaches", Document(tuple[Breach, ...]), nullable=False, server_default="[]"),
    Column("suppressed_by", CleanText),
    Column("acked_by", CleanText),
    Column("acked_until", UtcDateTime),
    Column("reminders", Integer, nullable=False, server_default="0"),
    Column("reminded_at", UtcDateTime),
    Column("escalated", Integer, nullable=False, server_default="0"),
    Column("opens", Document(tuple[datetime, ...]), nullable=False, server_default="[]"),
    Column("calm", Integer, nullable=False, server_default="0"),
    Column("is_flapping", Boolean, nullable=False, server_default=false()),
    Column("told_at", UtcDateTime),
    Column("told_severity", Word(Severity)),
)

incident = Table(
    "incident",
    metadata,
    Column("id", CleanText, primary_key=True),
    Column("scope", CleanText, nullable=False),
    Column("dedup_key", CleanText, nullable=False),
    Column("rule", CleanText, nullable=False),
    Column("severity", Word(Severity), nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("opened_by_check", CleanText, ForeignKey("check.id", ondelete="SET NULL")),
    Column("reason", CleanText, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("closed_by_check", CleanText, ForeignKey("check.id", ondelete="SET NULL")),
    Column("close_reason", CleanText, nullable=False),
    Column("acked_by", CleanText),
    Column("acked_until", UtcDateTime),
)
Index("ix_incident_opened_at", incident.c.opened_at, incident.c.id)
_is_open = incident.c.closed_at.is_(None)
Index("uq_incident_open_scope", incident.c.scope, unique=True, sqlite_where=_is_open, postgresql_where=_is_open)

silence = Table(
    "silence",
    metadata,
    Column("id", CleanText, primary_key=True),
    Column("scope_pattern", CleanText, nullable=False),
    Column("created_by", CleanText, nullable=False),
    Column("reason", CleanText, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False, index=True),
    Column("expired_at", UtcDateTime),
)

audit = Table(
    "audit",
    metadata,
    Column("sequence", _Sequence, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", CleanText, nullable=False),
    Column("action", CleanText, nullable=False),
    Column("subject", CleanText, nullable=False),
    Column("detail", CleanText, nullable=False),
    sqlite_autoincrement=True,  # numbers of deleted rows are never given out again
)

# No foreign key to `incident`: test messages belong to none.
notification = Table(
    "notification",
    metadata,
    Column("sequence", _Sequence, primary_key=True),
    Column("id", CleanText, nullable=False, unique=True),
    Column("incident_id", CleanText, nullable=False, index=True),
    Column("scope", CleanText, nullable=False),
    Column("channel", CleanText, nullable=False),
    Column("kind", Word(NotificationKind), nullable=False),
    Column("dedup_key", CleanText, nullable=False),
    Column("alert", Document(Alert), nullable=False),
    Column("status", Word(NotificationStatus), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", UtcDateTime),
    Column("sent_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("last_error", CleanText, nullable=False),
    Column("reference", CleanText),
    Column("lease_owner", CleanText),
    Column("lease_until", UtcDateTime),
    sqlite_autoincrement=True,  # numbers of deleted rows are never given out again
)
Index(
    "ix_notification_queue",
    notification.c.status,
    notification.c.channel,
    notification.c.dedup_key,
    notification.c.sequence,
)

counter = Table(
    "counter",
    metadata,
    Column("name", CleanText, primary_key=True),
    Column("labels", CleanText, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
