"""Buffers keep what was in them before, until it expires by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    op.create_table(
        "past_clips",
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
        sa.Column(
            "object_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("data_type", sa.String(length=8), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("content_type", sa.String(length=255), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_past_clips_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["object_id"], ["objects.id"], name=op.f("fk_past_clips_object_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_past_clips")),
        sa.UniqueConstraint("object_id", name=op.f("uq_past_clips_object_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_past_clips_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("past_clips", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_past_clips_account_id_past_clips_id"), ["account_id", "id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_past_clips_expires_at"), ["expires_at"], unique=False)
