"""What has arrived in an inbox: files, and bundles of several, newest first."""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    literal,
    or_,
    select,
    union_all,
)

from app.accounts.identity import Identity
from app.bundles.members import Members
from app.bundles.tables import bundles
from app.database.pagination import Page, decode_cursor, page_of
from app.errors import InvalidCursor
from app.files.tables import files
from app.inboxes.entities import Arrival
from app.objects.tables import objects

_LIST: Final = "arrivals"
_BUNDLE: Final = "bundle"


def page(
    connection: Connection,
    identity: Identity,
    members: Members,
    inbox_id: int,
    limit: int,
    cursor: str | None,
    now: int,
) -> Page[Arrival]:
    """Return a page of what has come by an inbox and is still there."""
    after = _position(cursor)
    own = [
        _of(table, kind, size, identity, inbox_id, after, now)
        .order_by(table.c.created_at.desc(), table.c.uuid.desc())
        .limit(limit + 1)
        .subquery()
        for table, kind, size in (
            (files, "file", objects.c.size),
            (bundles, _BUNDLE, literal(0, BigInteger)),
        )
    ]
    both = union_all(*(select(one) for one in own)).subquery()
    listed = select(both).order_by(both.c.created_at.desc(), both.c.uuid.desc()).limit(limit + 1)
    rows = connection.execute(listed).all()
    sets = [row.id for row in rows if row.kind == _BUNDLE]
    counts = members.count(connection, sets, now) if sets else {}

    def arrival(row: Any) -> Arrival:  # noqa: ANN401 - a row
        count, size = (1, row.size) if row.kind != _BUNDLE else counts.get(row.id, (0, 0))
        return Arrival(row.kind, row.uuid, row.name, size, count, row.created_at)

    return page_of(_LIST, rows, limit, arrival, lambda row: f"{row.created_at} {row.uuid}")


def _of(
    table: Table,
    kind: str,
    size: ColumnElement[int],
    identity: Identity,
    inbox_id: int,
    after: tuple[int, str] | None,
    now: int,
) -> Select[Any]:
    found = select(
        literal(kind).label("kind"),
        table.c.id,
        table.c.uuid,
        table.c.name,
        size.label("size"),
        table.c.created_at,
    ).where(
        table.c.inbox_id == inbox_id,
        table.c.account_id == identity.account_id,
        or_(table.c.expires_at.is_(None), table.c.expires_at > now),
    )
    if "object_id" in table.c:
        found = found.select_from(table.join(objects, table.c.object_id == objects.c.id))
    if after is None:
        return found
    moment, uuid = after
    at_once = and_(table.c.created_at == moment, table.c.uuid < uuid)
    return found.where(or_(table.c.created_at < moment, at_once))


def _position(cursor: str | None) -> tuple[int, str] | None:
    position = decode_cursor(_LIST, cursor, str)
    if position is None:
        return None
    moment, _, uuid = position.partition(" ")
    if not moment.isdecimal() or len(moment) > 18:  # noqa: PLR2004 - the digits of 64 bits
        raise InvalidCursor
    return int(moment), uuid
