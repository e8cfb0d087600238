"""Targets that go with the last download are found by when that is."""

import sqlalchemy as sa

from migrations.indexes import create_index

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    has_moment = sa.text("removal_at IS NOT NULL")
    create_index(
        "ix_timelinks_removal_at",
        "timelinks",
        ["removal_at"],
        sqlite_where=has_moment,
        postgresql_where=has_moment,
    )
