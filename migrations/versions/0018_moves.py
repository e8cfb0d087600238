"""A row tells whose turn it is to move objects to another store, and what is left."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    op.create_table(
        "moves",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("left_objects", sa.BigInteger(), nullable=True),
        sa.Column("left_bytes", sa.BigInteger(), nullable=True),
        sa.Column("failed_objects", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moves")),
    )
