"""Symbols whose dumps are to be read again are found by an index."""

import sqlalchemy as sa

from migrations.indexes import create_index

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    create_index(
        "ix_symbols_reread_at",
        "symbols",
        ["reread_at"],
        sqlite_where=sa.text("reread_at IS NOT NULL"),
        postgresql_where=sa.text("reread_at IS NOT NULL"),
    )
