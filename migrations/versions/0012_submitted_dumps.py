"""Dumps that public keys submitted are known, and their bytes counted for each account."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # which key the dumps that there are came by nobody knows: they are their accounts' own
    op.add_column("dumps", sa.Column("submitted_bytes", sa.BigInteger(), nullable=True))
    op.add_column(
        "accounts",
        sa.Column("submitted_bytes", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.create_index(
        "ix_dumps_submitted",
        "dumps",
        ["account_id", "id", "object_id", "submitted_bytes"],
        sqlite_where=sa.text("submitted_bytes IS NOT NULL"),
        postgresql_where=sa.text("submitted_bytes IS NOT NULL"),
    )
