"""Dumps have the modules that their stacks pass through, and are read again for their symbols."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

is_expansion = True


def upgrade() -> None:
    op.create_table(
        "dump_modules",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("dump_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "debug_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "debug_file",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "code_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_dump_modules_account_id")
        ),
        sa.ForeignKeyConstraint(["dump_id"], ["dumps.id"], name=op.f("fk_dump_modules_dump_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dump_modules")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("dump_modules", schema=None) as batch_op:
        batch_op.create_index(
            "ix_dump_modules_by_debug_id", ["account_id", "debug_id", "dump_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_dump_modules_account_id_dump_modules_id"),
            ["account_id", "id"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_dump_modules_dump_id"), ["dump_id"], unique=False)

    op.add_column("dumps", sa.Column("reread_at", sa.BigInteger(), nullable=True))
    op.add_column("symbols", sa.Column("reread_below", sa.BigInteger(), nullable=True))
    op.add_column("symbols", sa.Column("reread_at", sa.BigInteger(), nullable=True))
