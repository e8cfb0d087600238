"""Signatures have a life of their own, and their dumps are counted by day, version and platform.

Triggers make a signature with its first dump, and count, so that no way to make or remove a dump
can forget it, an older release's neither. They take the place of those that counted before, which
did so anew at each change of a dump, and knew nothing of archived ones.
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

is_expansion = True

_DAY = 86_400_000_000
_SIZE = "(SELECT size FROM objects WHERE id = {row}.object_id)"
_NAMES = {"day": "''", "label": "{row}.label", "signature": "{row}.signature"}
_COLUMNS = {
    "day": (),
    "label": ("label",),
    "signature": ("signature",),
    "signatures": ("signature",),
    "signature_counts": ("signature", "version", "platform"),
}
"""What is counted, and the columns of dumps that say as what, beside those that all count by."""

_OF_ALL = ("object_id", "created_at", "archived")
_CHANGES = f"UPDATE OF label, signature, version, platform, {', '.join(_OF_ALL)}"


def upgrade() -> None:
    _make_tables()
    if op.get_bind().dialect.name == "sqlite":
        _trigger_in_sqlite()
    else:
        _trigger_in_postgres()
    _count()
    if op.get_bind().dialect.name == "sqlite":
        for event in ("insert", "delete", "update"):
            op.execute(f"DROP TRIGGER dumps_count_{event}")
    else:  # at last, since it keeps readers away, too
        op.execute("DROP TRIGGER dumps_count ON dumps")


def _make_tables() -> None:
    op.add_column(
        "dump_counts", sa.Column("archived", sa.BigInteger(), server_default="0", nullable=False)
    )
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "signature_counts",
        sa.Column("account_id", number, nullable=False),
        sa.Column("signature", text, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("version", text, nullable=False),
        sa.Column("platform", text, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("archived", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_signature_counts_account_id")
        ),
        sa.PrimaryKeyConstraint(
            "account_id",
            "signature",
            "day",
            "version",
            "platform",
            name=op.f("pk_signature_counts"),
        ),
        sqlite_with_rowid=False,
    )
    uuid = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")
    op.create_table(
        "signatures",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("uuid", uuid, nullable=False),
        sa.Column("account_id", number, nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("resolved_in", text, nullable=True),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("regressed_in", text, nullable=True),
        sa.Column("regressed_at", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.BigInteger(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("in_hour", sa.BigInteger(), nullable=False),
        sa.Column("in_hour_before", sa.BigInteger(), nullable=False),
        sa.Column("spike_day", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_signatures_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signatures")),
        sa.UniqueConstraint("uuid", name=op.f("uq_signatures_uuid")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_signatures_account_id_signatures_name",
        "signatures",
        ["account_id", "name"],
        unique=True,
    )
    for column in ("last_seen_at", "first_seen_at", "count"):
        name = f"ix_signatures_account_id_signatures_{column}_signatures_id"
        op.create_index(name, "signatures", ["account_id", column, "id"])
    op.create_index(
        "ix_signatures_without_dumps",
        "signatures",
        ["account_id", "last_seen_at"],
        sqlite_where=sa.text("count = 0"),
        postgresql_where=sa.text("count = 0"),
    )


def _count() -> None:
    """Count the dumps that are there."""
    for facet, column in _NAMES.items():
        name = column.format(row="dumps")
        op.execute(
            "INSERT INTO dump_counts (account_id, facet, name, day, count, size, archived) "  # noqa: S608 - ours
            f"SELECT account_id, '{facet}', {name}, created_at / {_DAY}, 0, 0, count(*) "
            f"FROM dumps WHERE archived AND {name} IS NOT NULL GROUP BY 1, 3, 4 "
            "ON CONFLICT (account_id, facet, name, day) DO UPDATE SET archived = excluded.archived"
        )
    op.execute(
        "INSERT INTO signature_counts "  # noqa: S608 - ours
        f"SELECT account_id, signature, created_at / {_DAY}, coalesce(version, ''), "
        f"coalesce(platform, ''), count(*), sum({_number('dumps.archived')}) "
        "FROM dumps WHERE signature IS NOT NULL GROUP BY 1, 2, 3, 4, 5"
    )
    op.execute(
        f"INSERT INTO signatures ({_SIGNATURE}) "  # noqa: S608 - ours
        f"SELECT {_uuid('min(dumps.created_at)')}, dumps.account_id, dumps.signature, 'open', '', "
        "min(dumps.created_at), max(dumps.created_at), max(dumps.created_at), count(*), "
        "sum(objects.size), 0, 0, 0, 0 FROM dumps JOIN objects ON objects.id = dumps.object_id "
        "WHERE dumps.signature IS NOT NULL GROUP BY dumps.account_id, dumps.signature "
        "ORDER BY min(dumps.id)"
    )


_SIGNATURE = (
    "uuid, account_id, name, state, note, first_seen_at, last_seen_at, modified_at, count, size, "
    "gone, hour, in_hour, in_hour_before"
)


def _more(counted: str) -> str:
    """Return the statement that counts the new row of dumps."""
    size, archived = _SIZE.format(row="NEW"), _number("NEW.archived")
    day = f"NEW.created_at / {_DAY}"
    if counted == "signatures":
        is_sqlite = op.get_bind().dialect.name == "sqlite"
        least, greatest = ("min", "max") if is_sqlite else ("least", "greatest")
        first = f"{least}(signatures.first_seen_at, excluded.first_seen_at)"
        last = f"{greatest}(signatures.last_seen_at, excluded.last_seen_at)"
        return (
            f"INSERT INTO signatures ({_SIGNATURE}) "
            f"SELECT {_uuid('NEW.created_at')}, NEW.account_id, NEW.signature, 'open', '', "
            f"NEW.created_at, NEW.created_at, NEW.created_at, 1, {size}, 0, 0, 0, 0 "
            "WHERE NEW.signature IS NOT NULL ON CONFLICT (account_id, name) DO UPDATE SET "
            "count = signatures.count + 1, size = signatures.size + excluded.size, "
            f"first_seen_at = {first}, last_seen_at = {last};"
        )
    if counted == "signature_counts":
        return (
            f"INSERT INTO signature_counts SELECT NEW.account_id, NEW.signature, {day}, "
            f"coalesce(NEW.version, ''), coalesce(NEW.platform, ''), 1, {archived} "
            "WHERE NEW.signature IS NOT NULL "
            "ON CONFLICT (account_id, signature, day, version, platform) DO UPDATE SET "
            "count = signature_counts.count + 1, "
            "archived = signature_counts.archived + excluded.archived;"
        )
    name = _NAMES[counted].format(row="NEW")
    return (
        "INSERT INTO dump_counts (account_id, facet, name, day, count, size, archived) "
        f"SELECT NEW.account_id, '{counted}', {name}, {day}, 1, {size}, {archived} "
        f"WHERE {name} IS NOT NULL ON CONFLICT (account_id, facet, name, day) DO UPDATE SET "
        "count = dump_counts.count + 1, size = dump_counts.size + excluded.size, "
        "archived = dump_counts.archived + excluded.archived;"
    )


def _less(counted: str, gone: str) -> str:
    """Return the statements that count the old row no more; ``gone`` is 1 for a deleted one."""
    size, archived = _SIZE.format(row="OLD"), _number("OLD.archived")
    day = f"day = OLD.created_at / {_DAY}"
    its = "account_id = OLD.account_id AND "
    if counted == "signatures":
        return (
            f"UPDATE signatures SET count = count - 1, size = size - {size}, "  # noqa: S608 - ours
            f"gone = gone + {gone} WHERE {its} name = OLD.signature;"
        )
    if counted == "signature_counts":
        its += (
            f"signature = OLD.signature AND {day} AND version = coalesce(OLD.version, '') "
            "AND platform = coalesce(OLD.platform, '')"
        )
        less = f"count = count - 1, archived = archived - {archived}"
        table = counted
    else:
        its += f"facet = '{counted}' AND name = {_NAMES[counted].format(row='OLD')} AND {day}"
        less = f"count = count - 1, size = size - {size}, archived = archived - {archived}"
        table = "dump_counts"
    return f"UPDATE {table} SET {less} WHERE {its}; DELETE FROM {table} WHERE {its} AND count = 0;"  # noqa: S608 - ours


_LEAVES = "CASE WHEN NEW.signature IS NULL THEN 1 ELSE 0 END"  # what replaces it has none yet


def _trigger_in_sqlite() -> None:
    for counted, columns in _COLUMNS.items():
        changed = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in (*columns, *_OF_ALL))
        for event, clause, actions in (
            ("insert", "INSERT ON dumps", _more(counted)),
            ("delete", "DELETE ON dumps", _less(counted, "1")),
            (
                "update",
                f"{_CHANGES} ON dumps WHEN {changed}",
                f"{_less(counted, _LEAVES)} {_more(counted)}",
            ),
        ):
            name = f"dumps_count_{counted}_{event}"
            op.execute(f"CREATE TRIGGER {name} AFTER {clause} BEGIN {actions} END")


def _trigger_in_postgres() -> None:
    more = " ".join(_more(counted) for counted in _COLUMNS)
    less = " ".join(_less(counted, "1") for counted in _COLUMNS)
    moved = ""
    for counted, columns in _COLUMNS.items():
        names = (*columns, *_OF_ALL)
        changed = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in names)
        moved += f"IF {changed} THEN {_less(counted, _LEAVES)} {_more(counted)} END IF; "
    op.execute(
        "CREATE OR REPLACE FUNCTION count_dumps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'INSERT' THEN {more} ELSIF TG_OP = 'DELETE' THEN {less} ELSE {moved} END IF; "
        "RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER dumps_counted AFTER INSERT OR DELETE OR {_CHANGES} ON dumps "
        "FOR EACH ROW EXECUTE FUNCTION count_dumps()"
    )


def _number(boolean: str) -> str:
    return boolean if op.get_bind().dialect.name == "sqlite" else f"{boolean}::int"


def _uuid(moment: str) -> str:
    """Return the SQL of a UUID, version 7, for a moment in microseconds."""
    if op.get_bind().dialect.name == "sqlite":
        return (
            f"lower(printf('%08x-%04x-7', {moment} / 1000 >> 16, {moment} / 1000 & 65535) || "
            "substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-' || "
            "hex(randomblob(6)))"
        )
    return (
        f"lpad(to_hex({moment} / 1000 >> 16), 8, '0') || '-' || "
        f"lpad(to_hex({moment} / 1000 & 65535), 4, '0') || '-7' || "
        "substr(gen_random_uuid()::text, 16)"
    )
