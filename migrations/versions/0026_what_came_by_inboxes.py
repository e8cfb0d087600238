"""What came by an inbox is found by an index."""

import sqlalchemy as sa

from migrations.indexes import create_index

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    for table in ("files", "bundles"):
        create_index(
            f"ix_{table}_inbox_id_{table}_created_at",
            table,
            ["inbox_id", "created_at"],
            sqlite_where=sa.text("inbox_id IS NOT NULL"),
            postgresql_where=sa.text("inbox_id IS NOT NULL"),
        )
