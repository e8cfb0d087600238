"""Pictures that are to be looked at once more are found by an index."""

import sqlalchemy as sa

from migrations.indexes import create_index

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    create_index(
        "ix_pictures_to_be_examined",
        "pictures",
        ["id"],
        sqlite_where=sa.text("bare IS NULL"),
        postgresql_where=sa.text("bare IS NULL"),
    )
