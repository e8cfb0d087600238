"""Symbols: files, and the caches that are made of them."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    op.create_table(
        "symbol_files",
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
            "object_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_symbol_files_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["object_id"], ["objects.id"], name=op.f("fk_symbol_files_object_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_symbol_files")),
        sa.UniqueConstraint("object_id", name=op.f("uq_symbol_files_object_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("symbol_files", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_symbol_files_account_id"), ["account_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_symbol_files_expires_at"),
            ["expires_at"],
            unique=False,
            sqlite_where=sa.text("expires_at IS NOT NULL"),
            postgresql_where=sa.text("expires_at IS NOT NULL"),
        )

    op.create_table(
        "symbols",
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
        sa.Column("file_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("object_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "debug_file",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "debug_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "code_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column("arch", sa.String(length=32), nullable=False),
        sa.Column("form", sa.String(length=32), nullable=False),
        sa.Column("features", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_symbols_account_id")
        ),
        sa.ForeignKeyConstraint(["file_id"], ["symbol_files.id"], name=op.f("fk_symbols_file_id")),
        sa.ForeignKeyConstraint(["object_id"], ["objects.id"], name=op.f("fk_symbols_object_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_symbols")),
        sa.UniqueConstraint("object_id", name=op.f("uq_symbols_object_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_symbols_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("symbols", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_symbols_account_id_symbols_code_id"),
            ["account_id", "code_id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_symbols_account_id_symbols_debug_id"),
            ["account_id", "debug_id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_symbols_account_id_symbols_id"), ["account_id", "id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_symbols_claimed_until"),
            ["claimed_until"],
            unique=False,
            sqlite_where=sa.text("claimed_until IS NOT NULL"),
            postgresql_where=sa.text("claimed_until IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_symbols_file_id"), ["file_id"], unique=False)
