"""The rows of buffers: plain functions for `Access.read` and `Access.write`.

Expiry is a change too: from that moment on every reader counts the version that the expiry task
will write down when it comes by.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Connection, bindparam, insert, select, update

from app import clock
from app.accounts import quota
from app.accounts.identity import Identity
from app.buffer import history
from app.buffer.entities import KIND, Clip, DataType, NewClip, Revision
from app.buffer.tables import buffers
from app.database import Statement
from app.errors import NotFound
from app.objects import lifecycle as objects
from app.objects import removal
from app.objects.entities import Content, Received
from app.objects.preconditions import Preconditions, State
from app.objects.reading import contents
from app.objects.tables import object_bytes
from app.objects.tables import objects as object_rows

_AT_ONCE: Final = 50  # expired buffers in a transaction, which locks the account of each

_own = buffers.c.account_id == bindparam("account_id")
_find = Statement(
    select(
        buffers.c.version,
        buffers.c.expires_at,
        buffers.c.data_type,
        buffers.c.name,
        buffers.c.content_type,
        buffers.c.modified_at,
        *contents.content_columns(),
    )
    .select_from(buffers.join(object_rows).outerjoin(object_bytes))
    .where(_own, buffers.c.expires_at > bindparam("now", type_=BigInteger))
)
_current = Statement(
    select(
        buffers.c.id,
        buffers.c.version,
        buffers.c.modified_at,
        buffers.c.object_id,
        buffers.c.data_type,
        buffers.c.name,
        buffers.c.content_type,
        buffers.c.expires_at,
        object_rows.c.sha256,
    )
    .select_from(buffers.outerjoin(object_rows))
    .where(_own)
)
_contents = (
    "version",
    "modified_at",
    "object_id",
    "data_type",
    "name",
    "content_type",
    "expires_at",
)
_values = {name: bindparam(name, type_=buffers.c[name].type) for name in _contents}
_insert = Statement(insert(buffers).values(account_id=bindparam("account_id"), **_values))
_change = Statement(update(buffers).where(_own).values(_values))


def revision(connection: Connection, identity: Identity, now: int) -> Revision:
    """Return the revision of the account's buffer."""
    current = _current(connection, account_id=identity.account_id).first()
    return _revision(identity, current, now)


def find(connection: Connection, identity: Identity, now: int) -> Clip:
    """Return what the buffer holds, ready to be read; raises `NotFound` if it is empty."""
    row = _find(connection, account_id=identity.account_id, now=now).first()
    if row is None:
        raise _empty()
    version, expires_at, data_type, name, content_type, modified_at, *content = tuple(row)
    return Clip(
        Revision(identity.account_uuid, version, expires_at),
        DataType(data_type),
        name,
        content_type,
        modified_at,
        contents.content_of(content),
    )


def admit(connection: Connection, identity: Identity, conditions: Preconditions, now: int) -> int:
    """Say how many slots a body will take; raises `PreconditionFailed` if it may not be sent."""
    current = _current(connection, account_id=identity.account_id).first()
    conditions.check(_state(current, now))
    return _slots(current)


def put(
    connection: Connection,
    identity: Identity,
    new: NewClip,
    received: Received,
    conditions: Preconditions,
    lifetime: int,
    now: int,
) -> tuple[Clip, bool]:
    """Fill the buffer for ``lifetime`` seconds; what is in it goes into its history.

    Returns what it holds and whether it was empty.
    """
    quota.lock_account(connection, identity.account_id)
    current = _current(connection, account_id=identity.account_id).first()
    conditions.check(_state(current, now))
    before = _revision(identity, current, now)
    if received.reservation is None:
        history.make_room(connection, identity, received.size, now)
    object_id = objects.settle(
        connection, identity, received, kind=KIND, slots=_slots(current), now=now
    )
    modified_at = now
    if current is not None:
        modified_at = objects.modified_after(current.modified_at, now)
    after = Revision(identity.account_uuid, before.version + 1, now + lifetime * clock.SECOND)
    write = _insert if current is None else _change
    write(
        connection,
        account_id=identity.account_id,
        version=after.version,
        modified_at=modified_at,
        object_id=object_id,
        data_type=new.data_type,
        name=new.name,
        content_type=new.content_type,
        expires_at=after.expires_at,
    )
    if not before.is_empty and history.keep(connection, identity, current, now):
        objects.succeed(connection, object_id, modified_at)
    elif current is not None and current.object_id is not None:
        objects.replace(
            connection,
            old=current.object_id,
            new=object_id,
            modified_at=modified_at,
            now=now,
        )
    content = Content(object_id, None, received.size, received.sha256, modified_at, None)
    clip = Clip(after, new.data_type, new.name, new.content_type, modified_at, content)
    return clip, before.is_empty


def bring_back(
    connection: Connection, identity: Identity, uuid: str, lifetime: int, now: int
) -> Clip:
    """Put what was in the buffer into it again, for ``lifetime`` seconds; raises `NotFound`.

    What is in it takes the other's place in its history.
    """
    quota.lock_account(connection, identity.account_id)
    past = history.find(connection, identity, uuid, now)
    current = _current(connection, account_id=identity.account_id).first()
    before = _revision(identity, current, now)
    history.forget(connection, past)
    modified_at = objects.modified_after(current.modified_at, now)
    _change(
        connection,
        account_id=identity.account_id,
        version=before.version + 1,
        modified_at=modified_at,
        object_id=past.content.object_id,
        data_type=past.data_type,
        name=past.name,
        content_type=past.content_type,
        expires_at=now + lifetime * clock.SECOND,
    )
    objects.succeed(connection, past.content.object_id, modified_at)
    if not before.is_empty:
        history.note(connection, identity.account_id, current)
    elif current.object_id is not None:
        removal.remove(connection, current.object_id, due_at=now)
    return find(connection, identity, now)


def clear(
    connection: Connection, identity: Identity, conditions: Preconditions, now: int
) -> Revision:
    """Empty the buffer, whose bytes are due at once; raises `NotFound` if it is empty."""
    quota.lock_account(connection, identity.account_id)
    current = _current(connection, account_id=identity.account_id).first()
    before = _revision(identity, current, now)
    if before.is_empty:
        raise _empty()
    conditions.check(_state(current, now))
    _clear(connection, identity.account_id, current, now)
    return Revision(identity.account_uuid, before.version + 1, None)


def remove_expired(connection: Connection, now: int, batch: int) -> int:
    """Empty a batch of expired buffers, ordered by account so that there are no deadlocks."""
    due = (
        select(buffers.c.account_id)
        .where(buffers.c.expires_at <= now)
        .order_by(buffers.c.account_id)
        .limit(min(batch, _AT_ONCE))
    )
    accounts = list(connection.execute(due).scalars())
    for account_id in accounts:
        quota.lock_account(connection, account_id)
        current = _current(connection, account_id=account_id).first()
        if current is not None and _has_expired(current, now):
            _clear(connection, account_id, current, now)
    return len(accounts)


def _clear(connection: Connection, account_id: int, current: Any, now: int) -> None:  # noqa: ANN401 - a row of `_current`
    nothing = dict.fromkeys(_contents)
    values = nothing | {"version": current.version + 1, "modified_at": now}
    _change(connection, account_id=account_id, **values)
    removal.remove(connection, current.object_id, due_at=now)


def _revision(identity: Identity, current: Any, now: int) -> Revision:  # noqa: ANN401 - as above
    if current is None:
        return Revision(identity.account_uuid, 0, None)
    if _has_expired(current, now):
        return Revision(identity.account_uuid, current.version + 1, None)
    return Revision(identity.account_uuid, current.version, current.expires_at)


def _state(current: Any, now: int) -> State | None:  # noqa: ANN401 - as above
    if current is None or current.object_id is None or _has_expired(current, now):
        return None
    return State(bytes(current.sha256).hex(), current.modified_at)


def _has_expired(current: Any, now: int) -> bool:  # noqa: ANN401 - as above
    return current.expires_at is not None and current.expires_at <= now


def _slots(current: Any) -> int:  # noqa: ANN401 - as above
    # what has expired keeps its slot until it is removed or replaced
    return 1 if current is None or current.object_id is None else 0


def _empty() -> NotFound:
    return NotFound("The buffer is empty")
