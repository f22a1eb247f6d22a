"""What pages read, write and look for."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The conversations of one intent, newest first, for its page and for lists.
    op.create_index(
        "ix_conversation_intent_finished_at", "conversation", ["intent_id", "finished_at", "id"], unique=False
    )
    # Whether a conversation failed a critical item; few did.
    failed = "critical IS {true} AND is_on IS {true} AND (value < 0.5 OR value IS NULL)"
    op.create_index(
        "ix_score_item_failed_critical",
        "score_item",
        ["conversation_id"],
        unique=False,
        sqlite_where=sa.text(failed.format(true="1")),
        postgresql_where=sa.text(failed.format(true="true")),
    )
    _create_labels()


def _create_labels() -> None:
    op.create_table(
        "label",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sample", sa.Text(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("score_passed", sa.Boolean(), nullable=True),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.CheckConstraint("value BETWEEN 0 AND 1", name=op.f("ck_label_value_is_share")),
        sa.CheckConstraint("probability BETWEEN 0 AND 1", name=op.f("ck_label_probability_is_share")),
        sa.CheckConstraint("score BETWEEN 0 AND 1", name=op.f("ck_label_score_is_share")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_label_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label")),
    )
    op.create_index(op.f("ix_label_conversation_id"), "label", ["conversation_id"], unique=False)
    op.create_index("ix_label_at", "label", ["at", "id"], unique=False)
