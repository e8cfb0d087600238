"""Accounts say how long dumps of a label are kept, and which crash reports they want not at all."""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

is_expansion = True

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("dump_policies", sa.Column("retention", sa.Text(), nullable=True))
    op.create_table(
        "dump_refusals",
        sa.Column("id", _id, autoincrement=True, nullable=False),
        sa.Column("account_id", _id, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("is_prefix", sa.Boolean(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_dump_refusals_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dump_refusals")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_dump_refusals_account_id"), "dump_refusals", ["account_id"], unique=False
    )
