"""Pictures that have no placeholder yet are found by an index."""

import sqlalchemy as sa

from migrations.indexes import create_index

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    create_index(
        "ix_pictures_to_be_seen",
        "pictures",
        ["id"],
        sqlite_where=sa.text("thumbhash IS NULL"),
        postgresql_where=sa.text("thumbhash IS NULL"),
    )
