"""Dumps are found by the version of the application, by an index."""

import sqlalchemy as sa

from migrations.indexes import create_index

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    create_index(
        "ix_dumps_by_version",
        "dumps",
        ["account_id", "version", "id"],
        sqlite_where=sa.text("version IS NOT NULL"),
        postgresql_where=sa.text("version IS NOT NULL"),
    )
