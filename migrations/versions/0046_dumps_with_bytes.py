"""Dumps that have their bytes are found by signature and version, by an index."""

import sqlalchemy as sa

from migrations.indexes import create_index

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    create_index(
        "ix_dumps_with_bytes",
        "dumps",
        ["account_id", "signature", "version"],
        sqlite_where=sa.text("dropped_at IS NULL"),
        postgresql_where=sa.text("dropped_at IS NULL"),
    )
