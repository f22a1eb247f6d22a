"""What a check was made for and with whom, who played the user, and checks by name."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("check", sa.Column("purpose", sa.Text(), nullable=False, server_default="watch"))
    op.add_column("check", sa.Column("assistant", sa.Text(), nullable=True))
    op.add_column("conversation", sa.Column("user", sa.Text(), nullable=True))
    op.create_table(
        "named_check",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("check_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["check_id"], ["check.id"], name=op.f("fk_named_check_check_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_named_check")),
    )
