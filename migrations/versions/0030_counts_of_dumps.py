"""Dumps are counted as they come and go, by day, label and signature.

Triggers count, so that no way to make or remove a dump can forget it, an older release's neither.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

is_expansion = True

_DAY = 86_400_000_000
_SIZE = "(SELECT size FROM objects WHERE id = {row}.object_id)"
_FACETS = {"day": "''", "label": "{row}.label", "signature": "{row}.signature"}


def upgrade() -> None:
    op.create_table(
        "dump_counts",
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("facet", sa.String(length=9), nullable=False),
        sa.Column(
            "name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_dump_counts_account_id")
        ),
        sa.PrimaryKeyConstraint("account_id", "facet", "name", "day", name=op.f("pk_dump_counts")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_dump_counts_by_day", "dump_counts", ["account_id", "facet", "day", "name", "count"]
    )
    if op.get_bind().dialect.name == "sqlite":
        _trigger_in_sqlite()
    else:
        _trigger_in_postgres()
    for facet, column in _FACETS.items():  # the dumps that are there
        name = column.format(row="dumps")
        op.execute(
            f"INSERT INTO dump_counts SELECT dumps.account_id, '{facet}', {name}, "  # noqa: S608 - ours
            f"dumps.created_at / {_DAY}, count(*), sum(objects.size) "
            "FROM dumps JOIN objects ON objects.id = dumps.object_id "
            f"WHERE {name} IS NOT NULL GROUP BY 1, 3, 4"
        )


def _actions(row: str, *, adds: bool) -> str:
    """Return the statements that count a row of dumps, or count it no more."""
    size = _SIZE.format(row=row)
    statements = []
    for facet, column in _FACETS.items():
        name = column.format(row=row)
        if adds:
            statements.append(
                f"INSERT INTO dump_counts SELECT {row}.account_id, '{facet}', {name}, "
                f"{row}.created_at / {_DAY}, 1, {size} WHERE {name} IS NOT NULL "
                "ON CONFLICT (account_id, facet, name, day) DO UPDATE SET "
                "count = dump_counts.count + 1, size = dump_counts.size + excluded.size;"
            )
        else:
            its = (
                f"account_id = {row}.account_id AND facet = '{facet}' AND name = {name} "
                f"AND day = {row}.created_at / {_DAY}"
            )
            statements += [
                f"UPDATE dump_counts SET count = count - 1, size = size - {size} WHERE {its};",  # noqa: S608
                f"DELETE FROM dump_counts WHERE {its} AND count = 0;",  # noqa: S608
            ]
    return " ".join(statements)


_CHANGES = "UPDATE OF label, signature, object_id, created_at"


def _trigger_in_sqlite() -> None:
    more, less = _actions("NEW", adds=True), _actions("OLD", adds=False)
    for name, event, actions in (
        ("insert", "INSERT", more),
        ("delete", "DELETE", less),
        ("update", _CHANGES, f"{less} {more}"),
    ):
        op.execute(f"CREATE TRIGGER dumps_count_{name} AFTER {event} ON dumps BEGIN {actions} END")


def _trigger_in_postgres() -> None:
    more, less = _actions("NEW", adds=True), _actions("OLD", adds=False)
    op.execute(
        "CREATE OR REPLACE FUNCTION count_dumps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP <> 'INSERT' THEN {less} END IF; "
        f"IF TG_OP <> 'DELETE' THEN {more} END IF; "
        "RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER dumps_count AFTER INSERT OR DELETE OR {_CHANGES} ON dumps "
        "FOR EACH ROW EXECUTE FUNCTION count_dumps()"
    )
