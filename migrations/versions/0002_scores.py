"""What scores were made under, what judging them cost, and whether the simulated user was a fair one."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Adding columns leaves SQLite's table in place; making it anew would delete what refers to it.
    op.add_column("conversation", sa.Column("epoch", sa.Text(), nullable=False, server_default=""))
    op.add_column("conversation", sa.Column("judged", sa.JSON(), nullable=True))
    op.add_column("conversation", sa.Column("validity", sa.JSON(), nullable=True))
    # A conversation was scored under the epoch of its check.
    op.execute('UPDATE conversation SET epoch = (SELECT epoch FROM "check" WHERE "check".id = conversation.check_id)')
    op.create_table(
        "rescore",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("score_reason", sa.Text(), nullable=False),
        sa.Column("gate", sa.Double(), nullable=False),
        sa.Column("components", sa.JSON(), nullable=False),
        sa.Column("judged", sa.JSON(), nullable=True),
        sa.CheckConstraint("gate BETWEEN 0 AND 1", name=op.f("ck_rescore_gate_is_share")),
        sa.CheckConstraint("score BETWEEN 0 AND 1", name=op.f("ck_rescore_score_is_share")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversation.id"], name=op.f("fk_rescore_conversation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rescore")),
    )
    op.create_index(op.f("ix_rescore_conversation_id"), "rescore", ["conversation_id"], unique=False)
    op.create_table(
        "calibration",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("fit", sa.JSON(), nullable=False),
        sa.Column("not_scored", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration")),
    )
    op.create_index(op.f("ix_calibration_at"), "calibration", ["at"], unique=False)
    op.create_table(
        "reported_call",
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("is_error", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", "id", name=op.f("pk_reported_call")),
    )
    op.create_index(op.f("ix_reported_call_at"), "reported_call", ["at"], unique=False)
    op.create_table(
        "canary_run",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("scored", sa.Integer(), nullable=False),
        sa.Column("not_scored", sa.Integer(), nullable=False),
        sa.Column("auc", sa.Double(), nullable=True),
        sa.Column("mean_good", sa.Double(), nullable=True),
        sa.Column("mean_bad", sa.Double(), nullable=True),
        sa.Column("flips", sa.Integer(), nullable=True),
        sa.Column("is_sick", sa.Boolean(), nullable=False),
        sa.Column("alarms", sa.JSON(), nullable=False),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.CheckConstraint("auc BETWEEN 0 AND 1", name=op.f("ck_canary_run_auc_is_share")),
        sa.CheckConstraint("mean_bad BETWEEN 0 AND 1", name=op.f("ck_canary_run_mean_bad_is_share")),
        sa.CheckConstraint("mean_good BETWEEN 0 AND 1", name=op.f("ck_canary_run_mean_good_is_share")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_canary_run")),
        sa.UniqueConstraint("id", name=op.f("uq_canary_run_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_canary_run_epoch_fingerprint", "canary_run", ["epoch", "fingerprint", "sequence"], unique=False)
