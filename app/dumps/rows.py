"""Dumps as rows: the transactions that create, change, list and delete them."""

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, bindparam, insert, or_, select
from sqlalchemy import update as update_rows

from app import clock
from app.accounts import quota
from app.accounts.identity import Identity
from app.database import Statement, require_storage
from app.database.pagination import Page, before_of, cursor_after
from app.dumps import expiry, submissions
from app.dumps.entities import KIND, Dump, DumpFile, Filters, NewDump
from app.dumps.flood import rows as flood_rows
from app.dumps.search import find as find_ids
from app.dumps.search import searchable
from app.dumps.tables import dumps
from app.errors import NotFound
from app.objects import lifecycle as objects
from app.objects.preconditions import Preconditions, State
from app.objects.reading import contents
from app.objects.tables import objects as object_rows

_COLUMNS: Final = (
    "uuid", "original_name", "label", "version", "description", "archived", "annotations",
    "created_at", "modified_at", "expires_at", "report_state", "platform", "architecture",
    "exception", "module", "signature", "dropped_at",
)  # fmt: skip
_columns = (dumps.c.id, *(dumps.c[name] for name in _COLUMNS))
_own = dumps.c.account_id == bindparam("account_id")
_is_alive = or_(
    dumps.c.expires_at.is_(None), dumps.c.expires_at > bindparam("now", type_=BigInteger)
)
_alive = (
    select(*_columns, *contents.content_columns(with_data=False))
    .select_from(dumps.join(object_rows))
    .where(_own, _is_alive)
)
_find = Statement(_alive.where(dumps.c.uuid == bindparam("uuid")))
_find_numbered = Statement(_alive.where(dumps.c.id == bindparam("number", type_=BigInteger)))
_report = Statement(
    select(dumps.c.report).where(_own, dumps.c.uuid == bindparam("uuid"), _is_alive)
)
_insert = Statement(
    insert(dumps)
    .values({c.name: bindparam(c.name, type_=c.type) for c in dumps.c if c is not dumps.c.id})
    .returning(dumps.c.id)
)


def find(connection: Connection, identity: Identity, uuid: str, now: int) -> Dump:
    """Return a dump, ready to be read; raises `NotFound`."""
    return _dump(_row(connection, identity, uuid, now))


def find_numbered(connection: Connection, identity: Identity, number: int, now: int) -> Dump:
    """Return a dump by its number, ready to be read; raises `NotFound`."""
    row = _find_numbered(connection, account_id=identity.account_id, number=number, now=now).first()
    if row is None:
        raise unknown()
    return _dump(row)


def find_report(connection: Connection, identity: Identity, uuid: str, now: int) -> str | None:
    """Return a dump's report in JSON, if there is one."""
    row = _report(connection, account_id=identity.account_id, uuid=uuid, now=now).first()
    report: str | None = None if row is None else row.report
    return report


def page(
    connection: Connection,
    identity: Identity,
    filters: Filters,
    limit: int,
    cursor: str | None,
    now: int,
) -> Page[Dump]:
    """Return a page of the account's dumps, newest first.

    One that takes too long to fill ends early, with a cursor.
    """
    before = before_of(KIND, cursor)
    found = find_ids(connection, identity.account_id, filters, before, limit + 1, now)
    ids, stopped_at = found.page(limit)
    rows = connection.execute(
        select(*_columns, *contents.listed_columns())
        .select_from(dumps.join(object_rows))
        .where(dumps.c.id.in_(ids))
        .order_by(dumps.c.id.desc())
    )
    items = [_dump(row) for row in rows]
    return Page(items, cursor_after(KIND, stopped_at))


def admit(_connection: Connection, _identity: Identity) -> int:
    """Return the slots that a dump or an attachment takes."""
    return 1


def admit_replacement(
    connection: Connection, identity: Identity, uuid: str, conditions: Preconditions, now: int
) -> int:
    """Return the slots that a replacement takes: none; raises what `change` would raise."""
    conditions.check(_state(_row(connection, identity, uuid, now)))
    return 0


def create(
    connection: Connection, identity: Identity, new: NewDump, file: DumpFile, now: int
) -> Dump:
    """Create a dump."""
    insert_dump(connection, identity, new, file, now)
    return find(connection, identity, new.uuid, now)


def insert_dump(
    connection: Connection,
    identity: Identity,
    new: NewDump,
    file: DumpFile,
    now: int,
    *,
    submitted_bytes: int | None = None,
) -> int:
    """Create a dump; returns its row's id."""
    quota.lock_account(connection, identity.account_id)
    object_id = objects.settle(connection, identity, file.received, kind=KIND, slots=1, now=now)
    retention = new.retention
    if retention is None:
        retention = flood_rows.retention_of(connection, identity.account_id, new.label)
    texts = (file.name, new.label, new.description, *new.annotations.values())
    dump_id = _insert(
        connection,
        **_unread(file),
        uuid=new.uuid,
        account_id=identity.account_id,
        object_id=object_id,
        archived=False,
        created_at=now,
        modified_at=now,
        expires_at=None if retention is None else now + retention * clock.SECOND,
        label=new.label,
        version=new.version,
        search=searchable(identity.account_id, texts),
        description=new.description,
        annotations=json.dumps(new.annotations),
        submitted_bytes=submitted_bytes,
    ).scalar_one()
    return int(dump_id)


def change(
    connection: Connection,
    identity: Identity,
    uuid: str,
    changes: Mapping[str, Any],
    conditions: Preconditions,
    now: int,
    file: DumpFile | None = None,
) -> Dump:
    """Change columns of a dump, and its file if there is a new one; raises `NotFound`."""
    if not changes.keys().isdisjoint(_TEXTS):
        require_storage(connection)
    quota.lock_account(connection, identity.account_id)
    current = _row(connection, identity, uuid, now)
    conditions.check(_state(current))
    values = {**changes, "modified_at": now}
    if file is not None:
        new = objects.settle(connection, identity, file.received, kind=KIND, slots=0, now=now)
        modified_at = objects.modified_after(current.content_at, now)
        values |= {**_unread(file), "object_id": new, "modified_at": modified_at}
    if "object_id" in values or values.get("archived"):
        submissions.release(connection, identity.account_id, [current.id])
        values["submitted_bytes"] = None
    texts = {name: values.get(name, getattr(current, name)) for name in _TEXTS}
    annotations = json.loads(current.annotations).values()
    values["search"] = searchable(identity.account_id, (*texts.values(), *annotations))
    connection.execute(update_rows(dumps).where(dumps.c.id == current.id).values(values))
    if "object_id" in values:
        objects.replace(
            connection,
            old=current.content_id,
            new=values["object_id"],
            modified_at=values["modified_at"],
            now=now,
        )
    return find(connection, identity, uuid, now)


_TEXTS: Final = ("original_name", "label", "description")


def _unread(file: DumpFile) -> dict[str, Any]:
    """Return the columns that depend on a file, before it is read."""
    return {
        "original_name": file.name,
        "report_state": "pending" if file.is_minidump else "none",
        "report_claimed_until": 0 if file.is_minidump else None,
        "report": None,
        "reread_at": None,
        "dropped_at": None,
    } | dict.fromkeys(("platform", "architecture", "exception", "module", "signature"))


def remove(
    connection: Connection, identity: Identity, uuid: str, conditions: Preconditions, now: int
) -> Dump:
    """Delete a dump with its attachments and end its links; returns what it was."""
    quota.lock_account(connection, identity.account_id)
    current = _row(connection, identity, uuid, now)
    conditions.check(_state(current))
    expiry.remove_all(connection, identity.account_id, {current.id: current.content_id}, now)
    return _dump(current)


def _row(connection: Connection, identity: Identity, uuid: str, now: int) -> Any:  # noqa: ANN401
    row = _find(connection, account_id=identity.account_id, uuid=uuid, now=now).first()
    if row is None:
        raise unknown()
    return row


def _dump(row: Row[Any]) -> Dump:
    number, *rest = tuple(row)
    values = dict(zip(_COLUMNS, rest, strict=False))
    values["archived"] = bool(values["archived"])
    values["annotations"] = json.loads(values["annotations"])
    return Dump(number, **values, content=contents.content_of(rest[len(_COLUMNS) :]))


def _state(row: Any) -> State:  # noqa: ANN401 - a row of `_find`
    return State(bytes(row.sha256).hex(), row.modified_at)


def unknown() -> NotFound:
    """Return the error for a dump that does not exist."""
    return NotFound("No such dump")
