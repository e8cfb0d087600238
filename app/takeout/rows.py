"""All rows of an account, and the contents that they own, read from the tables of all features.

What a feature adds is taken without being named here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    LargeBinary,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    or_,
    select,
)

from app import clock
from app.accounts.identity import Identity
from app.accounts.tables import accounts, sessions
from app.dumps.tables import dump_modules
from app.events.tables import deliveries, webhooks
from app.features import TABLES
from app.links.tables import timelink_leases
from app.objects.entities import Content
from app.objects.reading import contents
from app.objects.tables import objects as object_rows
from app.pictures.tables import thumbnails
from app.symbols.tables import symbols

NOT_TAKEN: Final = frozenset({thumbnails, symbols, dump_modules, timelink_leases, deliveries})
"""Tables of what is made from something else, and of what visitors do."""

TAKEN: Final = tuple(table for table in (accounts, *TABLES) if table not in NOT_TAKEN)

WITHHELD: Final = frozenset(
    {
        # secrets, though hashed
        "password_hash",
        "token_hash",
        "hash",
        # the same in every row, or only for this database
        "account_id",
        "object_id",
        "tier_id",
        "username_key",
        "email_key",
        "search",
        "submitted_bytes",
        "reread_at",
        "merged",
    }
)
"""Columns that nobody gets."""

_OF_THE_MOMENT: Final = {
    sessions: {
        *("rotation", "rotated_at", "expires_at"),
        *("last_used_at", "last_address", "last_user_agent"),
    },
    webhooks: {"succeeded_at", "failing_since", "failures"},
}
"""Columns that change while an account stays as it is: the same archive must be made again."""

_ENDINGS: Final = ("_at", "_until")
_LEASE: Final = "_until"

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """A row of a table, and the content that it owns, if any."""

    record: Record
    content: Content | None


def page(
    connection: Connection, identity: Identity, table: Table, after: int, limit: int, now: int
) -> Sequence[Taken]:
    """Return an account's rows of a table that haven't expired, from the one after an id on."""
    values = {"owner": identity.account_id, "after": after, "limit": limit, "now": now}
    names = columns_of(table)
    taken = [_taken(names, row) for row in connection.execute(_query(table), values)]
    if table is accounts:
        for account in taken:
            account.record["tier"] = identity.tier.name
    return taken


def columns_of(table: Table) -> Sequence[str]:
    """Return the names of the columns that are taken."""
    withheld = WITHHELD | _OF_THE_MOMENT.get(table, set())
    return [
        column.name
        for column in table.c
        if column.name not in withheld
        and not isinstance(column.type, LargeBinary)
        and not column.name.endswith(_LEASE)
    ]


@cache
def _query(table: Table) -> Select[Any]:
    """Return the query of `page`, which takes longer to make than to run."""
    names = columns_of(table)
    owner = table.c.id if table is accounts else table.c.account_id
    query = select(*(table.c[name] for name in names))
    if "object_id" in table.c:
        is_ready = and_(table.c.object_id == object_rows.c.id, object_rows.c.state == "ready")
        query = query.add_columns(*contents.content_columns(with_data=False))
        query = query.select_from(table.outerjoin(object_rows, is_ready))
    is_next = table.c.id > bindparam("after", type_=BigInteger)
    query = query.where(owner == bindparam("owner"), is_next)
    query = query.order_by(table.c.id).limit(bindparam("limit", type_=Integer))
    if "expires_at" in table.c:
        expires_at, now = table.c.expires_at, bindparam("now", type_=BigInteger)
        query = query.where(or_(expires_at.is_(None), expires_at > now))
    return query


def _taken(names: Sequence[str], row: Row[Any]) -> Taken:
    record = {
        name: _moment(value) if name.endswith(_ENDINGS) and value is not None else value
        for name, value in zip(names, row, strict=False)
    }
    found = row[len(names) :]
    if not found or found[0] is None:
        return Taken(record, None)
    content = contents.content_of(found)
    facts = {"size": content.size, "sha256": content.sha256.hex(), "encoding": content.encoding}
    return Taken(record | facts, content)


def _moment(microseconds: int) -> str:
    """Return a moment as clients get it (RFC 3339)."""
    return clock.to_datetime(microseconds).isoformat().replace("+00:00", "Z")
