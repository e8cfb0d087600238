"""Dumps, their reports and attachments."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import DBAPIError

from app.config import ConfigError

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dumps",
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
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("report_state", sa.String(length=8), nullable=False),
        sa.Column("report_claimed_until", sa.BigInteger(), nullable=True),
        sa.Column(
            "platform", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column(
            "architecture",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column(
            "exception", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column(
            "module", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column(
            "signature", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column(
            "label", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column("original_name", sa.Text(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_dumps_account_id")),
        sa.ForeignKeyConstraint(["object_id"], ["objects.id"], name=op.f("fk_dumps_object_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dumps")),
        sa.UniqueConstraint("object_id", name=op.f("uq_dumps_object_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_dumps_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("dumps", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_dumps_account_id_dumps_created_at"),
            ["account_id", "created_at"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_dumps_account_id_dumps_id"), ["account_id", "id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_dumps_account_id_dumps_label_dumps_id"),
            ["account_id", "label", "id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_dumps_account_id_dumps_signature_dumps_id"),
            ["account_id", "signature", "id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_dumps_expires_at"),
            ["expires_at"],
            unique=False,
            sqlite_where=sa.text("expires_at IS NOT NULL"),
            postgresql_where=sa.text("expires_at IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_dumps_report_claimed_until"),
            ["report_claimed_until"],
            unique=False,
            sqlite_where=sa.text("report_state = 'pending'"),
            postgresql_where=sa.text("report_state = 'pending'"),
        )

    op.create_table(
        "dump_attachments",
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
        sa.Column("dump_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "object_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_type", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_dump_attachments_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["dump_id"], ["dumps.id"], name=op.f("fk_dump_attachments_dump_id")
        ),
        sa.ForeignKeyConstraint(
            ["object_id"], ["objects.id"], name=op.f("fk_dump_attachments_object_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dump_attachments")),
        sa.UniqueConstraint("object_id", name=op.f("uq_dump_attachments_object_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_dump_attachments_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("dump_attachments", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_dump_attachments_account_id"), ["account_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_dump_attachments_dump_id"), ["dump_id"], unique=False)

    if op.get_bind().dialect.name == "sqlite":
        _index_in_sqlite()
    else:
        _index_in_postgres()


def _index_in_sqlite() -> None:
    """Index the texts of dumps by trigrams; triggers keep the index as the table is."""
    op.execute(
        "CREATE VIRTUAL TABLE dumps_search USING fts5(search, content='dumps', content_rowid='id',"
        " columnsize=0, tokenize='trigram case_sensitive 1')"
    )
    insert = "INSERT INTO dumps_search (rowid, search) VALUES (new.id, new.search);"
    delete = (
        "INSERT INTO dumps_search (dumps_search, rowid, search)"
        " VALUES ('delete', old.id, old.search);"
    )
    for name, event, actions in (
        ("insert", "INSERT", insert),
        ("delete", "DELETE", delete),
        ("update", "UPDATE OF search", f"{delete} {insert}"),
    ):
        op.execute(f"CREATE TRIGGER dumps_search_{name} AFTER {event} ON dumps BEGIN {actions} END")


def _index_in_postgres() -> None:
    """Index the texts of dumps by trigrams, within each account.

    The expression keeps the planner from using the account for anything else (see the query).
    """
    for extension in ("pg_trgm", "btree_gin"):
        try:
            op.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        except DBAPIError as error:
            raise ConfigError(
                f"DATABASE_URL: PostgreSQL lacks the extension {extension}, and the role may not "
                f"create it ({error.orig}). As a superuser, or as the database's owner, run "
                f"CREATE EXTENSION {extension} there; it comes with PostgreSQL's contrib package"
            ) from error
    op.execute(
        "CREATE INDEX dumps_search ON dumps USING gin ((account_id + 0), search gin_trgm_ops)"
    )
