"""Claims of downloads end by themselves until a download begins."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # the leases that there are stay good: their downloads were counted when they were claimed
    op.add_column("timelink_leases", sa.Column("expires_at", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_timelink_leases_expires_at"), "timelink_leases", ["expires_at"])
    op.drop_index(op.f("ix_timelink_leases_timelink_id"), table_name="timelink_leases")
    op.create_index(
        op.f("ix_timelink_leases_timelink_id_timelink_leases_expires_at"),
        "timelink_leases",
        ["timelink_id", "expires_at"],
    )
