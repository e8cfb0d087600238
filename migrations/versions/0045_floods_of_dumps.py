"""Accounts say how many dumps alike keep their bytes; those of the others are dropped."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

is_expansion = True

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "dump_policies",
        sa.Column("id", _id, autoincrement=True, nullable=False),
        sa.Column("account_id", _id, nullable=False),
        sa.Column("kept", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_dump_policies_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dump_policies")),
        sa.UniqueConstraint("account_id", name=op.f("uq_dump_policies_account_id")),
        sqlite_autoincrement=True,
    )
    op.add_column("dumps", sa.Column("dropped_at", sa.BigInteger(), nullable=True))
