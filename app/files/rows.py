"""The rows of files: plain functions for `Access.read` and `Access.write`."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    bindparam,
    or_,
    select,
)

from app.accounts import quota
from app.accounts.identity import Identity
from app.database import Statement, insert_into
from app.database.pagination import Page, before_of, page_of
from app.errors import NotFound
from app.events.entities import EventType, Subject
from app.files import eviction
from app.files.entities import KIND, File, NewFile
from app.files.tables import files
from app.links import expiry as link_expiry
from app.links import rows as links
from app.links.entities import NO_OPTIONS, LinkOptions, LinkRef, NewLink, Origin, Sharing
from app.links.tables import inboxes, timelinks
from app.links.terms import Terms, settle
from app.objects import lifecycle as objects
from app.objects.entities import Content, Received
from app.objects.preconditions import Preconditions, State
from app.objects.reading import contents
from app.objects.tables import object_bytes
from app.objects.tables import objects as object_rows

_now = bindparam("now", type_=BigInteger)
_is_alive = or_(files.c.expires_at.is_(None), files.c.expires_at > _now)
_link = timelinks.alias("link")
_link_id = (
    select(timelinks.c.id)
    .where(
        timelinks.c.kind == "file",
        timelinks.c.target_id == files.c.id,
        link_expiry.is_open(_now),
        link_expiry.has_downloads_left(_now),
    )
    .order_by(timelinks.c.is_own.desc(), timelinks.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_columns = (
    files.c.id,
    files.c.uuid,
    files.c.name,
    files.c.content_type,
    files.c.created_at,
    files.c.modified_at,
    files.c.expires_at,
    _link.c.uuid,
    _link.c.token_hash,
    _link.c.max_downloads,
    _link.c.downloads,
    _link.c.password_hash,
    _link.c.note,
    inboxes.c.uuid,
    inboxes.c.title,
)
_with_link = files.outerjoin(_link, _link.c.id == _link_id).outerjoin(
    inboxes, inboxes.c.id == files.c.inbox_id
)
_own = files.c.account_id == bindparam("account_id")
LISTED: Final = (
    select(*_columns, *contents.listed_columns())
    .select_from(_with_link.join(object_rows, files.c.object_id == object_rows.c.id))
    .where(_own, _is_alive)
)
"""The account's files ``now``, for `file_of`."""

READY: Final = (
    select(*_columns, *contents.content_columns())
    .select_from(
        _with_link.join(object_rows, files.c.object_id == object_rows.c.id).outerjoin(
            object_bytes, object_bytes.c.object_id == object_rows.c.id
        )
    )
    .where(_own, _is_alive)
)
"""The same, ready to be read."""

_find = Statement(READY.where(files.c.uuid == bindparam("uuid")))
_listed = (
    LISTED.where(files.c.id < bindparam("before", type_=BigInteger))
    .order_by(files.c.id.desc())
    .limit(bindparam("limit"))
)
_page = {
    None: Statement(_listed),
    True: Statement(_listed.where(files.c.expires_at.is_not(None))),
    False: Statement(_listed.where(files.c.expires_at.is_(None))),
}
_current = Statement(
    select(
        files.c.id,
        files.c.object_id,
        files.c.name,
        files.c.modified_at,
        files.c.expires_at,
        object_rows.c.sha256,
    )
    .select_from(files.join(object_rows))
    .where(_own, files.c.uuid == bindparam("uuid"), _is_alive)
)
_insert = Statement(insert_into(files).returning(files.c.id))


def find(connection: Connection, identity: Identity, uuid: str, now: int) -> File:
    """Return a file, ready to be read; raises `NotFound`."""
    row = _find(connection, account_id=identity.account_id, uuid=uuid, now=now).first()
    if row is None:
        raise unknown()
    return file_of(row)


def create(
    connection: Connection,
    identity: Identity,
    new: NewFile,
    terms: Terms,
    received: Received,
    max_files: int,
    now: int,
) -> tuple[File, int]:
    """Make a file of a received body; returns it and how many others it has evicted."""
    quota.lock_account(connection, identity.account_id)
    evicted = 0
    if terms.expires_at is not None:
        evicted = eviction.evict_for_one_more(
            connection, identity.account_id, max_files, now, new.evict
        )
    object_id = objects.settle(connection, identity, received, kind=KIND, slots=1, now=now)
    file_id = _insert(
        connection,
        uuid=new.uuid,
        account_id=identity.account_id,
        object_id=object_id,
        name=new.name,
        content_type=new.content_type,
        created_at=now,
        modified_at=now,
        expires_at=terms.expires_at,
        inbox_id=identity.inbox_id,
    ).scalar_one()
    if terms.link is not None:
        give_link(connection, identity, file_id, terms.link, terms.expires_at, now)
    subject = Subject("file", new.uuid, new.name)
    facts = {"size": received.size, "inbox": identity.inbox_title}
    identity.record(connection, EventType.FILE_RECEIVED, subject, **facts)
    file = File(
        number=int(file_id),
        uuid=new.uuid,
        name=new.name,
        content_type=new.content_type,
        created_at=now,
        modified_at=now,
        expires_at=terms.expires_at,
        link=None if terms.link is None else terms.link.ref,
        sharing=Sharing.of(NO_OPTIONS if terms.link is None else terms.link.options),
        content=Content(object_id, None, received.size, received.sha256, now, None),
        clamped=terms.clamped,
    )
    return file, evicted


def create_all(
    connection: Connection,
    identity: Identity,
    sent: Sequence[tuple[NewFile, NewLink, Received]],
    usual: int,
    max_files: int,
    now: int,
) -> list[tuple[File, int]]:
    """Make files of received bodies, all or none; returns what `create` does for each.

    Files that get a link get the one beside them; ``usual`` is that of `settle`.
    """
    made = []
    for new, link, received in sent:
        terms = settle(new, link, identity.tier, usual, now)
        made.append(create(connection, identity, new, terms, received, max_files, now))
    return made


def remove(
    connection: Connection, identity: Identity, uuid: str, conditions: Preconditions, now: int
) -> None:
    """Delete a file, whose bytes are due at once, and end its links; raises `NotFound`."""
    quota.lock_account(connection, identity.account_id)
    eviction.remove(connection, current(connection, identity, uuid, conditions, now), now)


def page(
    connection: Connection,
    identity: Identity,
    limit: int,
    cursor: str | None,
    now: int,
    *,
    expiring: bool | None = None,
) -> Page[File]:
    """Return a page of the account's files, newest first: all, the expiring, or the kept."""
    rows = _page[expiring](
        connection,
        account_id=identity.account_id,
        before=before_of(KIND, cursor),
        now=now,
        limit=limit + 1,
    ).rows
    return page_of(KIND, rows, limit, file_of, lambda row: int(row.id))


def current(
    connection: Connection, identity: Identity, uuid: str, conditions: Preconditions, now: int
) -> Any:  # noqa: ANN401 - a row of `_current`
    """Return the row of a file of a locked account; raises `NotFound`, `PreconditionFailed`."""
    row = _current(connection, account_id=identity.account_id, uuid=uuid, now=now).first()
    if row is None:
        raise unknown()
    conditions.check(State(bytes(row.sha256).hex(), row.modified_at))
    return row


def give_link(
    connection: Connection,
    identity: Identity,
    file_id: int,
    link: NewLink,
    expires_at: int | None,
    now: int,
) -> None:
    """Give a file a link of its own, which ends with it."""
    links.insert_link(connection, identity.account_id, "file", file_id, link, expires_at, now)


def file_of(row: Row[Any]) -> File:
    """Make a file of a row of `LISTED` or `READY`."""
    number, uuid, name, content_type, created_at, modified_at, expires_at, *others = tuple(row)
    link, token_hash, max_downloads, downloads, password_hash, note, *others = others
    inbox, title, *content = others
    options = LinkOptions(max_downloads, password_hash, note)
    return File(
        number,
        uuid,
        name,
        content_type,
        created_at,
        modified_at,
        expires_at,
        None if link is None else LinkRef(link, token_hash),
        Sharing.of(options, downloads),
        contents.content_of(content),
        None if inbox is None else Origin(inbox, title),
    )


def unknown() -> NotFound:
    """Return the error for a file that doesn't exist."""
    return NotFound("No such file")
