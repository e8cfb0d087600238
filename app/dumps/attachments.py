"""Attachments: the files that a crash report brings beside its minidump, such as logs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select
from uuid_utils import uuid7

from app.accounts import quota
from app.accounts.identity import Identity
from app.dumps import expiry, rows, submissions
from app.dumps.entities import (
    KIND,
    Attachment,
    Dump,
    DumpDetails,
    DumpFile,
    NewAttachment,
    NewDump,
)
from app.dumps.minidump import older
from app.dumps.tables import dump_attachments, dumps
from app.errors import NotFound
from app.objects import lifecycle as objects
from app.objects.reading import contents
from app.objects.tables import object_bytes
from app.objects.tables import objects as object_rows

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
    file: DumpFile,
    attachments: Sequence[NewAttachment],
    now: int,
    *,
    budget: int,
) -> tuple[str, int]:
    """Create a dump with attachments; returns its uuid, and how many dumps were evicted for it.

    ``budget`` is how many bytes public keys may keep in an account.
    """
    quota.lock_account(connection, identity.account_id)
    size, evicted = None, 0
    if identity.only_submits:
        sizes = [file.received.size, *(attachment.received.size for attachment in attachments)]
        size = submissions.size_of(sizes, new.annotations)
        evicted = expiry.evict_submitted(connection, identity.account_id, size, budget, now)
        submissions.count(connection, identity.account_id, size)
    dump_id = rows.insert_dump(connection, identity, new, file, now, submitted_bytes=size)
    for attachment in attachments:
        object_id = objects.settle(
            connection, identity, attachment.received, kind=KIND, slots=1, now=now
        )
        connection.execute(
            insert(dump_attachments).values(
                uuid=str(uuid7()),
                account_id=identity.account_id,
                dump_id=dump_id,
                object_id=object_id,
                field=attachment.field,
                name=attachment.name,
                content_type=attachment.content_type,
                created_at=now,
            )
        )
    return new.uuid, evicted


def find_details(
    connection: Connection, identity: Identity, dump_uuid: str, now: int
) -> DumpDetails:
    """Return a dump with its report and its attachments; raises `NotFound`."""
    dump = rows.find(connection, identity, dump_uuid, now)
    report = rows.find_report(connection, identity, dump_uuid, now)
    found = _select(connection, identity, dump_uuid, now, None)
    return DumpDetails(dump, _report(dump, report), [_attachment(row) for row in found])


def find(
    connection: Connection, identity: Identity, dump_uuid: str, uuid: str, now: int
) -> Attachment:
    """Return a dump's attachment, ready to be read; raises `NotFound`."""
    found = _select(connection, identity, dump_uuid, now, uuid)
    if not found:
        raise NotFound("No such attachment")
    return _attachment(found[0])


def _select(
    connection: Connection, identity: Identity, dump_uuid: str, now: int, uuid: str | None
) -> Sequence[Row[Any]]:
    content = contents.listed_columns() if uuid is None else contents.content_columns()
    wanted = (
        select(*_columns, *content)
        # its own object, not the dump's
        .select_from(
            dump_attachments.join(dumps)
            .join(object_rows, dump_attachments.c.object_id == object_rows.c.id)
            .outerjoin(object_bytes, dump_attachments.c.object_id == object_bytes.c.object_id)
        )
        .where(dumps.c.account_id == identity.account_id, dumps.c.uuid == dump_uuid)
        .where(or_(dumps.c.expires_at.is_(None), dumps.c.expires_at > now))
        .order_by(dump_attachments.c.id)
    )
    if uuid is not None:
        wanted = wanted.where(dump_attachments.c.uuid == uuid)
    return connection.execute(wanted).all()


def _report(dump: Dump, report: str | None) -> Mapping[str, Any]:
    found = json.loads(report or "{}")
    return older.current(found) if dump.report_state == "read" else found


def _attachment(row: Row[Any]) -> Attachment:
    uuid, field, name, content_type, *content = tuple(row)
    return Attachment(uuid, field, name, content_type, contents.content_of(content))
