"""Dumps that are to be read again are found by an index."""

import sqlalchemy as sa

from migrations.indexes import create_index

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    create_index(
        "ix_dumps_reread_at",
        "dumps",
        ["reread_at"],
        sqlite_where=sa.text("reread_at IS NOT NULL"),
        postgresql_where=sa.text("reread_at IS NOT NULL"),
    )
