"""The files that came along with a dump: logs, screenshots, whatever its sender thought of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select

from app.accounts.identity import Identity
from app.dumps import expiry as dump_ends
from app.dumps import rows as dumps
from app.dumps import submissions
from app.dumps.rows import Dump, NewDump
from app.dumps.tables import dump_attachments
from app.dumps.tables import dumps as dump_rows
from app.errors import NotFound
from app.objects import lifecycle as objects
from app.objects import quota
from app.objects.lifecycle import Content, Received
from app.objects.tables import object_bytes
from app.objects.tables import objects as object_rows


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """An attachment that is to be made, but for its bytes."""

    uuid: str
    field: str
    name: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment; ``field`` is what the form that it came in called it."""

    uuid: str
    field: str
    name: str
    content_type: str
    content: Content


_columns = (
    dump_attachments.c.uuid,
    dump_attachments.c.field,
    dump_attachments.c.name,
    dump_attachments.c.content_type,
)


def submit(
    connection: Connection,
    identity: Identity,
    new: NewDump,
    received: Received,
    attachments: Sequence[tuple[NewAttachment, Received]],
    now: int,
    *,
    budget: int,
) -> int:
    """Make a new dump with all that came along; returns how many older ones went for it.

    ``budget`` is how many bytes public keys may store in an account.
    """
    quota.lock_account(connection, identity.account_id)
    size, gone = None, 0
    if identity.only_submits:
        sizes = [body.size for body in (received, *(body for _, body in attachments))]
        size = submissions.size_of(sizes, new.annotations)
        gone = dump_ends.make_room(connection, identity.account_id, size, budget, now)
        submissions.count(connection, identity.account_id, size)
    dump_id = dumps.insert_dump(connection, identity, new, received, now, submitted_bytes=size)
    for attachment, body in attachments:
        object_id = objects.settle(connection, identity, body, kind=dumps.KIND, slots=1, now=now)
        connection.execute(
            insert(dump_attachments).values(
                uuid=attachment.uuid,
                account_id=identity.account_id,
                dump_id=dump_id,
                object_id=object_id,
                field=attachment.field,
                name=attachment.name,
                content_type=attachment.content_type,
                created_at=now,
            )
        )
    return gone


def find_all(
    connection: Connection, identity: Identity, dump_uuid: str, now: int
) -> tuple[Dump, str | None, Sequence[Attachment]]:
    """Return a dump, its report as JSON, and its attachments in the order that they came.

    Raises `NotFound`.
    """
    dump = dumps.find(connection, identity, dump_uuid, now)
    report = dumps.find_report(connection, identity, dump_uuid, now)
    rows = _select(connection, identity, dump_uuid, now, None)
    return dump, report, [_attachment(row) for row in rows]


def find(
    connection: Connection, identity: Identity, dump_uuid: str, uuid: str, now: int
) -> Attachment:
    """Return a dump's attachment, ready to be read; raises `NotFound`."""
    rows = _select(connection, identity, dump_uuid, now, uuid)
    if not rows:
        raise NotFound("There is no such attachment")
    return _attachment(rows[0])


def _select(
    connection: Connection, identity: Identity, dump_uuid: str, now: int, uuid: str | None
) -> Sequence[Row[Any]]:
    wanted = (
        select(*_columns, *objects.content_columns(with_data=uuid is not None))
        # its own object, not the dump's
        .select_from(
            dump_attachments.join(dump_rows)
            .join(object_rows, dump_attachments.c.object_id == object_rows.c.id)
            .outerjoin(object_bytes, dump_attachments.c.object_id == object_bytes.c.object_id)
        )
        .where(dump_rows.c.account_id == identity.account_id, dump_rows.c.uuid == dump_uuid)
        .where(or_(dump_rows.c.expires_at.is_(None), dump_rows.c.expires_at > now))
        .order_by(dump_attachments.c.id)
    )
    if uuid is not None:
        wanted = wanted.where(dump_attachments.c.uuid == uuid)
    return connection.execute(wanted).all()


def _attachment(row: Row[Any]) -> Attachment:
    uuid, field, name, content_type, *content = tuple(row)
    return Attachment(uuid, field, name, content_type, objects.content_of(content))
