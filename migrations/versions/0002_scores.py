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
