"""Links have notes, files may go with their last download, and tiers bound what links allow."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    with op.batch_alter_table("tiers", schema=None) as batch_op:
        for name in ("default_lifetime", "max_lifetime", "default_downloads", "max_downloads"):
            batch_op.add_column(sa.Column(name, sa.BigInteger(), nullable=True))
    with op.batch_alter_table("timelinks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("note", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("removal_at", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("timelink_leases", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seen_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("spans", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("completed_at", sa.BigInteger(), nullable=True))
