"""Dumps have the version of the application that crashed; those that are there, by batches."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

is_expansion = True

_BATCH = 5_000
_NAMES = (
    (("_productName",), ("_version",)),
    (("product", "prod"), ("version", "ver")),
    (("ProductName",), ("Version",)),
)
_NEXT = sa.text(
    "SELECT id, annotations FROM dumps WHERE id > :after AND version IS NULL "
    "AND annotations <> '{}' ORDER BY id LIMIT :limit"
)
_SET = sa.text("UPDATE dumps SET version = :version WHERE id = :id")
_SET_ALL = sa.text(
    "UPDATE dumps SET version = new.version FROM "
    "unnest(CAST(:ids AS bigint[]), CAST(:versions AS text[])) AS new(id, version) "
    "WHERE dumps.id = new.id"
)


def upgrade() -> None:
    kind = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    context = op.get_context()
    if context.dialect.name != "postgresql" or context.opts.get("is_one_transaction"):
        op.add_column("dumps", sa.Column("version", kind, nullable=True))
        _fill(op.get_bind())
        return
    with context.autocommit_block():  # each batch alone, so that others can write meanwhile
        op.add_column("dumps", sa.Column("version", kind, nullable=True), if_not_exists=True)
        _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    after = 0
    while rows := connection.execute(_NEXT, {"after": after, "limit": _BATCH}).all():
        after = rows[-1].id
        read = ((row.id, _version_of(json.loads(row.annotations))) for row in rows)
        found = {number: version for number, version in read if version is not None}
        if found and connection.dialect.name == "postgresql":
            values: dict[str, Any] = {"ids": list(found), "versions": list(found.values())}
            connection.execute(_SET_ALL, values)
        elif found:
            connection.execute(
                _SET, [{"id": number, "version": version} for number, version in found.items()]
            )


def _version_of(annotations: Mapping[str, str]) -> str | None:
    """Return what this release makes of a new dump's annotations."""
    found = [(_first(annotations, one), _first(annotations, other)) for one, other in _NAMES]
    named = next((version for product, version in found if product), "")
    released = annotations.get("sentry[release]", "").rpartition("@")[2]
    other = next((version for _, version in found if version), "")
    version = named or released or other
    return "".join(c if c.isprintable() else " " for c in version).strip()[:100] or None


def _first(annotations: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((annotations[name] for name in names if annotations.get(name)), "")
