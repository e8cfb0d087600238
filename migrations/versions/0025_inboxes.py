"""Inboxes: links by which others give, and marks on what came by them."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    op.create_table(
        "inboxes",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "uuid",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("max_files", sa.BigInteger(), nullable=True),
        sa.Column("max_bytes", sa.BigInteger(), nullable=True),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("unseen", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_inboxes_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inboxes")),
        sa.UniqueConstraint("uuid", name=op.f("uq_inboxes_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("inboxes", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_inboxes_account_id_inboxes_id"), ["account_id", "id"], unique=False
        )
    for table in ("objects", "files", "bundles", "uploads"):
        op.add_column(table, sa.Column("inbox_id", sa.BigInteger(), nullable=True))
    op.add_column("bundles", sa.Column("delivery", sa.LargeBinary(length=32), nullable=True))
    op.add_column("uploads", sa.Column("client", sa.LargeBinary(length=32), nullable=True))
