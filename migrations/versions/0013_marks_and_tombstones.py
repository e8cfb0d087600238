"""The store's generation, puts that may take effect late, and work of which a day has one turn."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # a database that has an id has marked its store
    op.add_column(
        "instance", sa.Column("generation", sa.BigInteger(), nullable=False, server_default="1")
    )
    op.add_column(
        "tombstones", sa.Column("put_at", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.execute("UPDATE tombstones SET put_at = due_at")
    op.create_table(
        "daily",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily")),
        sa.UniqueConstraint("name", name=op.f("uq_daily_name")),
        sqlite_autoincrement=True,
    )
