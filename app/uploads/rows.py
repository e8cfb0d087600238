"""The states of uploads as rows, and what leads from one to another.

An upload is unfinished from `create` on: `take_over` and `commit` append to it, `finish` ends that
together with what is made of it. `cancel` and expiry remove it. Each is a plain function for
`Access.read` or `Access.write`, one transaction.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, select, update

from app.accounts import quota
from app.accounts.identity import GIVING, Identity
from app.database import Statement, insert_into
from app.errors import (
    ContentTooLarge,
    Gone,
    LengthMismatch,
    NotFound,
    OffsetMismatch,
    UploadComplete,
)
from app.objects import lifecycle as objects
from app.objects import removal, segments
from app.objects.entities import Tail
from app.objects.segments import Unfinished
from app.objects.tables import objects as object_rows
from app.objects.uploads import Admit
from app.uploads import terms
from app.uploads.entities import Kind, NewUpload, Piece, Upload
from app.uploads.tables import uploads

OBJECT_KINDS: Mapping[Kind, str] = {
    Kind.FILE: "files",
    Kind.BLOB: "blobs",
    Kind.DUMP: "dumps",
    Kind.PICTURE: "pictures",
    Kind.BUFFER: "buffer",
    Kind.INBOX: "files",
}
"""The kinds of the objects, which scopes are named after as well, but for strangers'."""

_find = Statement(
    select(uploads, object_rows.c.size, object_rows.c.key)
    .select_from(uploads.outerjoin(object_rows))
    .where(
        uploads.c.account_id == bindparam("account_id"),
        uploads.c.uuid == bindparam("uuid"),
        # a stranger's is no other inbox's, and not its account's
        func.coalesce(uploads.c.inbox_id, 0)
        == func.coalesce(bindparam("inbox_id", type_=BigInteger), 0),
    )
)
_insert = Statement(insert_into(uploads).returning(uploads.c.id))
_note_bytes = Statement(
    update(uploads)
    .where(uploads.c.id == bindparam("upload_id"))
    .values(expires_at=bindparam("expires_at"))
)
_finish = Statement(
    update(uploads)
    .where(uploads.c.id == bindparam("upload_id"))
    .values(
        object_id=None,
        length=bindparam("length", type_=BigInteger),
        made=bindparam("made"),
        expires_at=bindparam("expires_at"),
    )
)


def scope_of(kind: Kind) -> str:
    """Return the scope that uploads of a kind need."""
    return GIVING if kind is Kind.INBOX else f"{OBJECT_KINDS[kind]}:write"


def create(
    connection: Connection,
    identity: Identity,
    new: NewUpload,
    admit: Admit,
    expires_at: int,
    now: int,
) -> Upload:
    """Create an upload; raises what refuses it, if that is known already.

    It is charged for as it grows, and its length must fit into the quota as that is now.
    """
    if identity.giver is not None:  # claims of an inbox are counted one after the other
        quota.lock_account(connection, identity.account_id)
    slots = admit(connection, identity)
    _check_size(connection, identity, 0, new.length or 0)
    kind = OBJECT_KINDS[new.kind]
    object_id = objects.begin(connection, identity, kind=kind, slots=slots, now=now)
    return _add(connection, identity, new, expires_at, now, object_id=object_id)


def create_finished(
    connection: Connection,
    identity: Identity,
    new: NewUpload,
    made: str,
    expires_at: int,
    now: int,
) -> Upload:
    """Note an upload that was there whole, in the transaction that makes something of it."""
    return _add(connection, identity, new, expires_at, now, made=made)


def _add(
    connection: Connection,
    identity: Identity,
    new: NewUpload,
    expires_at: int,
    now: int,
    *,
    object_id: int | None = None,
    made: str | None = None,
) -> Upload:
    upload_id = _insert(
        connection,
        uuid=new.uuid,
        account_id=identity.account_id,
        object_id=object_id,
        kind=str(new.kind),
        fields=json.dumps(new.fields),
        length=new.length,
        metadata=new.metadata,
        terms=terms.to_json(new.terms),
        made=made,
        inbox_id=identity.inbox_id,
        client=None if identity.giver is None else identity.giver.client,
        created_at=now,
        expires_at=expires_at,
    ).scalar_one()
    return Upload(
        id=upload_id,
        uuid=new.uuid,
        kind=new.kind,
        fields=new.fields,
        offset=0 if made is None else new.length or 0,
        length=new.length,
        metadata=new.metadata,
        created_at=now,
        expires_at=expires_at,
        made=made,
        object_id=object_id,
        max_size=identity.tier.max_object_bytes,
        terms=new.terms,
    )


def find(connection: Connection, identity: Identity, uuid: str, now: int) -> Upload:
    """Return an upload; raises `NotFound`, `Gone`, and `Forbidden` for a key without its scope."""
    whose = {"account_id": identity.account_id, "inbox_id": identity.inbox_id}
    row = _find(connection, **whose, uuid=uuid).first()
    if row is None:
        raise NotFound("No such upload")
    upload = _upload(row, identity)
    identity.require(scope_of(upload.kind))
    if upload.expires_at <= now:
        raise Gone("The upload has expired")
    return upload


def stop_others(connection: Connection, identity: Identity, uuid: str, now: int) -> Upload:
    """Return an upload whose offset stays as it is until somebody appends anew.

    Whoever appends to it in another process can't commit any more. Raises as `find` does.
    """
    quota.lock_account(connection, identity.account_id)
    upload = find(connection, identity, uuid, now)
    if upload.object_id is not None:
        segments.stop_writer(connection, identity, upload.object_id, now)
    return upload


def take_over(
    connection: Connection,
    identity: Identity,
    uuid: str,
    piece: Piece,
    size: int | None,
    key: str,
    now: int,
) -> tuple[Upload, Unfinished]:
    """Become the one who appends to an upload: a piece of ``size`` bytes, None if that is unknown.

    Raises as `find` does, `OffsetMismatch`, `UploadComplete` for bytes after the end,
    `LengthMismatch`, `ContentTooLarge` and `QuotaExceeded`.
    """
    quota.lock_account(connection, identity.account_id)
    upload = find(connection, identity, uuid, now)
    if piece.offset != upload.offset:  # a finished one's too: a piece whose answer was lost, again
        raise OffsetMismatch(upload.offset, piece.offset)
    if upload.object_id is None:
        raise UploadComplete
    length = _length(upload, piece, size)
    agreed = replace(upload.terms, digests=upload.terms.digests | piece.digests)
    if (length, agreed) != (upload.length, upload.terms):
        told = {"length": length, "terms": terms.to_json(agreed)}
        connection.execute(update(uploads).where(uploads.c.id == upload.id).values(told))
    held = segments.take_over(connection, identity, upload.object_id, key, now)
    rest = size or 0 if length is None else length - upload.offset
    _check_size(connection, identity, upload.offset, rest)
    return replace(upload, length=length, terms=agreed), held


def _length(upload: Upload, piece: Piece, size: int | None) -> int | None:
    """Return the length of an upload as it is known with a piece; raises `LengthMismatch`."""
    stop = None if size is None else upload.offset + size
    told = {upload.length, piece.length, stop if piece.completes else None} - {None}
    length = min(told, default=None)  # type: ignore[type-var]
    if len(told) > 1:
        raise LengthMismatch("An upload has one length, which can't change")
    if length is not None and (length < upload.offset or (stop is not None and stop > length)):
        raise LengthMismatch(f"The upload has {length} bytes, and this would be more")
    return length


def _check_size(connection: Connection, identity: Identity, arrived: int, more: int) -> None:
    limit = identity.tier.max_object_bytes
    if limit is not None and arrived + more > limit:
        raise ContentTooLarge(f"The account's tier allows objects of up to {limit} bytes")
    quota.require_storage_for(connection, identity, more)


def commit(
    connection: Connection,
    held: Unfinished,
    tail: Tail,
    key: str | None,
    *,
    upload_id: int,
    expires_at: int,
    now: int,
) -> Unfinished:
    """Commit a segment, see `segments.add`; an upload lives on from its last byte."""
    committed = segments.add(connection, held, tail, key, now)
    if tail.size:
        _note_bytes(connection, upload_id=upload_id, expires_at=expires_at)
    return committed


def finish(
    connection: Connection,
    _identity: Identity,
    *,
    upload_id: int,
    made: str,
    length: int,
    expires_at: int,
) -> None:
    """Note what has been made of an upload, in the transaction that makes it."""
    _finish(connection, upload_id=upload_id, made=made, length=length, expires_at=expires_at)


def cancel(connection: Connection, identity: Identity, uuid: str, now: int) -> Upload:
    """Remove an upload, and its bytes unless something has been made of them."""
    quota.lock_account(connection, identity.account_id)
    upload = find(connection, identity, uuid, now)
    object_id = upload.object_id
    remove_all(connection, identity.account_id, {upload.id: object_id}, now)
    return upload


def remove_all(
    connection: Connection, _account_id: int, object_ids: Mapping[int, int | None], now: int
) -> None:
    """Remove uploads, given with their unfinished objects, if any."""
    connection.execute(delete(uploads).where(uploads.c.id.in_(object_ids)))
    unfinished = [object_id for object_id in object_ids.values() if object_id is not None]
    removal.remove_all(connection, unfinished, due_at=now)


def _upload(row: Any, identity: Identity) -> Upload:  # noqa: ANN401 - a row of `_find`
    return Upload(
        id=row.id,
        uuid=row.uuid,
        kind=Kind(row.kind),
        fields=json.loads(row.fields),
        offset=row.length if row.object_id is None else row.size,
        length=row.length,
        metadata=row.metadata,
        created_at=row.created_at,
        expires_at=row.expires_at,
        made=row.made,
        object_id=row.object_id,
        max_size=identity.tier.max_object_bytes,
        terms=terms.from_json(row.terms),
        is_being_written=row.key is not None,
    )
