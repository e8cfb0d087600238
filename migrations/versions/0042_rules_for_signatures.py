"""Accounts have rules of their own for the signatures of crashes, which then get other names."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

is_expansion = True

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "signature_rules",
        sa.Column("id", _id, autoincrement=True, nullable=False),
        sa.Column("account_id", _id, nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("is_off", sa.Boolean(), nullable=False),
        sa.Column("apply_below", sa.BigInteger(), nullable=True),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_signature_rules_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signature_rules")),
        sa.UniqueConstraint("account_id", name=op.f("uq_signature_rules_account_id")),
        sqlite_autoincrement=True,
    )
    op.add_column("signatures", sa.Column("becomes", _text, nullable=True))
    op.add_column("signatures", sa.Column("made_of", sa.Integer(), nullable=True))
