"""What the rules remember between checks, and alerts in which several rules share an incident."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "baseline",
        sa.Column("suite", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("memory", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("suite", "epoch", name=op.f("pk_baseline")),
    )
    op.add_column("incident", sa.Column("acked_by", sa.Text(), nullable=True))
    op.add_column("incident", sa.Column("acked_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alert_state", sa.Column("breaches", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("alert_state", sa.Column("suppressed_by", sa.Text(), nullable=True))
    op.add_column("alert_state", sa.Column("acked_by", sa.Text(), nullable=True))
    op.add_column("alert_state", sa.Column("acked_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alert_state", sa.Column("reminders", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("alert_state", sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alert_state", sa.Column("escalated", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("alert_state", sa.Column("opens", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("alert_state", sa.Column("calm", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("alert_state", sa.Column("is_flapping", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("alert_state", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alert_state", sa.Column("told_severity", sa.Text(), nullable=True))
    _give_open_alerts_their_breach()
    _create_silences_and_audit()


def _create_silences_and_audit() -> None:
    op.create_table(
        "silence",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("scope_pattern", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence")),
    )
    op.create_index(op.f("ix_silence_ends_at"), "silence", ["ends_at"], unique=False)
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )


def _give_open_alerts_their_breach() -> None:
    """The rule of an open incident becomes its one breach, told when it began."""
    alert = sa.table(
        "alert_state",
        sa.column("scope", sa.Text),
        sa.column("phase", sa.Text),
        sa.column("rule", sa.Text),
        sa.column("severity", sa.Text),
        sa.column("since", sa.DateTime(timezone=True)),
        sa.column("breaches", sa.JSON),
        sa.column("told_at", sa.DateTime(timezone=True)),
        sa.column("told_severity", sa.Text),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(alert).where(alert.c.phase == "firing")).mappings().all():
        # SQLite keeps no zone; all times are UTC.
        since = row["since"].isoformat() + ("" if row["since"].tzinfo else "+00:00")
        breach = {"rule": row["rule"], "severity": row["severity"], "reason": "", "since": since}
        told = {"told_at": row["since"], "told_severity": row["severity"]}
        connection.execute(sa.update(alert).where(alert.c.scope == row["scope"]).values(breaches=[breach], **told))
