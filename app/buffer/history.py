"""The history of buffers: what was in them before, each until it expires by itself.

It is charged like everything else, and gives way to whatever else needs the room in the buffer.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, delete, insert, select

from app.accounts import quota
from app.accounts.identity import Identity
from app.buffer.entities import DataType, PastClip
from app.buffer.tables import past_clips
from app.errors import NotFound, QuotaExceeded
from app.objects import removal
from app.objects.entities import new_uuid
from app.objects.reading import contents
from app.objects.tables import object_bytes
from app.objects.tables import objects as object_rows

MAX_PAST: Final = 19
"""With what is in the buffer, an account has 20."""


def read_all(connection: Connection, identity: Identity, now: int) -> Sequence[PastClip]:
    """Return what was in the buffer, newest first."""
    rows = connection.execute(_alive(identity, now).order_by(past_clips.c.id.desc()))
    return [_past_clip(row) for row in rows]


def find(connection: Connection, identity: Identity, uuid: str, now: int) -> PastClip:
    """Return one of what was in the buffer, ready to be read; raises `NotFound`."""
    row = connection.execute(_alive(identity, now).where(past_clips.c.uuid == uuid)).first()
    if row is None:
        raise NotFound("Nothing of this id was in the buffer, or it has expired")
    return _past_clip(row)


def remove(connection: Connection, identity: Identity, uuid: str, now: int) -> None:
    """Remove one of what was in the buffer; raises `NotFound`."""
    quota.lock_account(connection, identity.account_id)
    past = find(connection, identity, uuid, now)
    forget(connection, past)
    removal.remove(connection, past.content.object_id, due_at=now)


def clear(connection: Connection, identity: Identity, now: int) -> None:
    """Remove all that was in the buffer."""
    quota.lock_account(connection, identity.account_id)
    _remove(connection, _oldest(connection, identity.account_id), now)


def forget(connection: Connection, past: PastClip) -> None:
    """Delete the row of what was in the buffer, but not its object."""
    connection.execute(delete(past_clips).where(past_clips.c.uuid == past.uuid))


def keep(connection: Connection, identity: Identity, current: Any, now: int) -> bool:  # noqa: ANN401 - a row of a buffer
    """Keep what is in the buffer beside what comes; False if there is no slot for both.

    Of more than `MAX_PAST`, the oldest goes.
    """
    try:
        quota.charge(connection, identity, 0, 1)
    except QuotaExceeded:
        if not _remove_oldest(connection, identity.account_id, now):
            return False
        quota.charge(connection, identity, 0, 1)
    note(connection, identity.account_id, current)
    oldest = _oldest(connection, identity.account_id)
    _remove(connection, oldest[: max(0, len(oldest) - MAX_PAST)], now)
    return True


def note(connection: Connection, account_id: int, current: Any) -> None:  # noqa: ANN401 - as above
    """Insert the row of what is in the buffer, which has its slot."""
    connection.execute(
        insert(past_clips).values(
            uuid=new_uuid(),
            account_id=account_id,
            object_id=current.object_id,
            data_type=current.data_type,
            name=current.name,
            content_type=current.content_type,
            modified_at=current.modified_at,
            expires_at=current.expires_at,
        )
    )


def make_room(connection: Connection, identity: Identity, size: int | None, now: int) -> None:
    """Remove the oldest until ``size`` more bytes can be charged, or nothing is left to remove.

    None: as many as an object may have, if that is limited.
    """
    if size is None:
        size = identity.tier.max_object_bytes or 0
    quota.lock_account(connection, identity.account_id)
    while True:
        try:
            quota.require_storage_for(connection, identity, size)
        except QuotaExceeded:
            if _remove_oldest(connection, identity.account_id, now):
                continue
        return


def remove_expired(
    connection: Connection, _account_id: int, object_ids: Mapping[int, int], now: int
) -> None:
    """Remove what has expired, given with its objects."""
    _remove(connection, [*object_ids.items()], now)


def _alive(identity: Identity, now: int) -> Select[Any]:
    return (
        select(
            past_clips.c.uuid,
            past_clips.c.data_type,
            past_clips.c.name,
            past_clips.c.content_type,
            past_clips.c.modified_at,
            past_clips.c.expires_at,
            *contents.content_columns(),
        )
        .select_from(past_clips.join(object_rows).outerjoin(object_bytes))
        .where(past_clips.c.account_id == identity.account_id, past_clips.c.expires_at > now)
    )


def _oldest(connection: Connection, account_id: int) -> list[tuple[int, int]]:
    """Return the ids of rows and their objects, the oldest first."""
    rows = select(past_clips.c.id, past_clips.c.object_id).order_by(past_clips.c.id)
    found = connection.execute(rows.where(past_clips.c.account_id == account_id))
    return [(row.id, row.object_id) for row in found]


def _remove_oldest(connection: Connection, account_id: int, now: int) -> bool:
    """Remove the oldest; False if there is none."""
    oldest = _oldest(connection, account_id)[:1]
    _remove(connection, oldest, now)
    return bool(oldest)


def _remove(connection: Connection, gone: Sequence[tuple[int, int]], now: int) -> None:
    if gone:
        ids = [row_id for row_id, _ in gone]
        connection.execute(delete(past_clips).where(past_clips.c.id.in_(ids)))
        removal.remove_all(connection, [object_id for _, object_id in gone], due_at=now)


def _past_clip(row: Row[Any]) -> PastClip:
    uuid, data_type, name, content_type, modified_at, expires_at, *content = tuple(row)
    return PastClip(
        uuid,
        DataType(data_type),
        name,
        content_type,
        modified_at,
        expires_at,
        contents.content_of(content),
    )
