"""Timelinks and the leases of their downloads."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "timelinks",
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
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=True),
        sa.Column("max_downloads", sa.BigInteger(), nullable=True),
        sa.Column("downloads", sa.BigInteger(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("is_own", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_timelinks_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timelinks")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_timelinks_token_hash")),
        sa.UniqueConstraint("uuid", name=op.f("uq_timelinks_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("timelinks", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_timelinks_account_id_timelinks_id"), ["account_id", "id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_timelinks_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_timelinks_kind_timelinks_target_id"), ["kind", "target_id"], unique=False
        )

    op.create_table(
        "timelink_leases",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "timelink_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_timelink_leases_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["timelink_id"], ["timelinks.id"], name=op.f("fk_timelink_leases_timelink_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timelink_leases")),
        sa.UniqueConstraint("hash", name=op.f("uq_timelink_leases_hash")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("timelink_leases", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_timelink_leases_account_id"), ["account_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_timelink_leases_timelink_id"), ["timelink_id"], unique=False
        )
