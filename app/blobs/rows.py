"""The rows of blobs: plain functions for `Access.read` and `Access.write`."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from app.accounts import quota
from app.accounts.identity import Identity
from app.accounts.lookups import Lookup
from app.accounts.tables import accounts
from app.blobs.entities import KIND, Blob
from app.blobs.tables import blobs
from app.bundles import removal as bundles
from app.database import Statement, insert_if_absent
from app.errors import Conflict, NotFound
from app.links import rows as timelinks
from app.objects import lifecycle as objects
from app.objects import removal
from app.objects.entities import Content, Received
from app.objects.preconditions import Preconditions, State
from app.objects.reading import contents
from app.objects.tables import object_bytes
from app.objects.tables import objects as object_rows

_columns = (
    blobs.c.id,
    blobs.c.name,
    blobs.c.content_type,
    blobs.c.created_at,
    blobs.c.modified_at,
)
by_name = Lookup(
    [*_columns, *contents.content_columns()],
    (blobs, and_(blobs.c.account_id == accounts.c.id, blobs.c.name == bindparam("name"))),
    (object_rows, object_rows.c.id == blobs.c.object_id),
    (object_bytes, object_bytes.c.object_id == object_rows.c.id),
)
"""Finds a blob by its ``name``, ready to be read; for `blob_of`."""

LISTED: Final = select(*_columns, *contents.listed_columns()).select_from(blobs.join(object_rows))
"""Blobs, for `blob_of`."""

_current = Statement(
    select(
        blobs.c.id,
        blobs.c.object_id,
        blobs.c.created_at,
        blobs.c.modified_at,
        object_rows.c.sha256,
    )
    .select_from(blobs.join(object_rows))
    .where(blobs.c.account_id == bindparam("account_id"), blobs.c.name == bindparam("name"))
)
_create = insert_if_absent(
    blobs, "account_id", "name", "object_id", "content_type", "created_at", "modified_at"
)
_swap = Statement(
    update(blobs)
    .where(blobs.c.id == bindparam("blob_id"))
    .values(
        object_id=bindparam("object_id"),
        content_type=bindparam("content_type"),
        modified_at=bindparam("now"),
    )
)
_delete = Statement(delete(blobs).where(blobs.c.id == bindparam("blob_id")))


def admit_new(connection: Connection, identity: Identity, name: str) -> int:
    """Admit a blob that must be new, which takes a slot; raises `Conflict` if its id is in use."""
    if _current(connection, account_id=identity.account_id, name=name).first() is not None:
        raise _taken(name)
    return 1


def admit(connection: Connection, identity: Identity, name: str, conditions: Preconditions) -> int:
    """Say how many slots a blob will take; raises `PreconditionFailed` if it may not be sent."""
    current = _current(connection, account_id=identity.account_id, name=name).first()
    conditions.check(_state(current))
    return 1 if current is None else 0


def create(
    connection: Connection,
    identity: Identity,
    name: str,
    received: Received,
    content_type: str,
    now: int,
) -> None:
    """Make a blob of a received body; raises `Conflict` if its id is in use."""
    object_id = objects.settle(connection, identity, received, kind=KIND, slots=1, now=now)
    _insert(connection, identity, name, object_id, content_type, now)


def put(
    connection: Connection,
    identity: Identity,
    name: str,
    received: Received,
    content_type: str,
    conditions: Preconditions,
    now: int,
) -> tuple[Blob, bool]:
    """Create a blob or replace its bytes; returns it and whether it is new."""
    quota.lock_account(connection, identity.account_id)
    current = _current(connection, account_id=identity.account_id, name=name).first()
    conditions.check(_state(current))
    slots = 1 if current is None else 0
    object_id = objects.settle(connection, identity, received, kind=KIND, slots=slots, now=now)
    if current is None:
        created_at = modified_at = now
        _insert(connection, identity, name, object_id, content_type, now)
    else:
        created_at = current.created_at
        modified_at = objects.modified_after(current.modified_at, now)
        _swap(
            connection,
            blob_id=current.id,
            object_id=object_id,
            content_type=content_type,
            now=modified_at,
        )
        objects.replace(
            connection, old=current.object_id, new=object_id, modified_at=modified_at, now=now
        )
    content = Content(object_id, None, received.size, received.sha256, modified_at, None)
    return Blob(name, content_type, created_at, modified_at, content), current is None


def remove(
    connection: Connection, identity: Identity, name: str, conditions: Preconditions, now: int
) -> None:
    """Delete a blob, whose bytes are due at once, and end its links; raises `NotFound`."""
    quota.lock_account(connection, identity.account_id)
    current = _current(connection, account_id=identity.account_id, name=name).first()
    if current is None:
        raise NotFound("Blob not found")
    conditions.check(_state(current))
    timelinks.end(connection, "blob", [current.id], now)
    bundles.forget(connection, "blob", [current.id])
    _delete(connection, blob_id=current.id)
    removal.remove(connection, current.object_id, due_at=now)


def blob_of(row: Sequence[Any]) -> Blob:
    """Return the blob of a row that a look-up has found."""
    _, name, content_type, created_at, modified_at, *content = row
    return Blob(name, content_type, created_at, modified_at, contents.content_of(content))


def _insert(
    connection: Connection,
    identity: Identity,
    name: str,
    object_id: int,
    content_type: str,
    now: int,
) -> None:
    inserted = _create(
        connection,
        account_id=identity.account_id,
        name=name,
        object_id=object_id,
        content_type=content_type,
        created_at=now,
        modified_at=now,
    )
    if inserted.first() is None:
        raise _taken(name)


def _state(current: Any) -> State | None:  # noqa: ANN401 - a row of `_current`
    if current is None:
        return None
    return State(bytes(current.sha256).hex(), current.modified_at)


def _taken(name: str) -> Conflict:
    return Conflict(f"The id {name!r} is in use")
