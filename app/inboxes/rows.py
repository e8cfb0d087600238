"""The rows of inboxes as their owners have them: plain functions for `Access`.

Strangers' are in `app.inboxes.giving`.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, delete, func, select, update

from app import clock
from app.accounts import quota
from app.accounts.identity import Identity
from app.database import Statement, insert_into, require_storage
from app.database.pagination import Page, before_of, page_of
from app.errors import NotFound
from app.events.entities import EventType, Subject
from app.inboxes.entities import KIND, Inbox, Mark, NewInbox
from app.links import bounds
from app.links import rows as links
from app.links.entities import INBOX, LinkOptions, LinkRef, NewLink
from app.links.expiry import is_open
from app.links.tables import inboxes, timelinks
from app.uploads import rows as upload_rows
from app.uploads.tables import uploads

_OWN: Final = ("title", "message", "max_files", "max_bytes")
"""What changes in an inbox itself, and not in its link."""

_newest = timelinks.alias("newest")
_insert = Statement(insert_into(inboxes).returning(inboxes.c.id))


def create(
    connection: Connection,
    identity: Identity,
    new: NewInbox,
    link: NewLink,
    lifetime: int,
    now: int,
) -> Inbox:
    """Make an inbox with its link; raises `InvalidRequest` for what the tier doesn't allow."""
    identity.require("files:write")  # which strangers get by it
    require_storage(connection)
    inbox_id = _insert(
        connection,
        uuid=new.uuid,
        account_id=identity.account_id,
        title=new.title,
        message=new.message,
        max_files=new.max_files,
        max_bytes=new.max_bytes,
        files=0,
        bytes=0,
        unseen=0,
        created_at=now,
    ).scalar_one()
    _give_link(connection, identity, inbox_id, link, lifetime, now)
    subject = Subject("inbox", new.uuid, new.title)
    identity.record(connection, EventType.LINK_CREATED, subject, kind=INBOX)
    return find(connection, identity, new.uuid, now)


def find(connection: Connection, identity: Identity, uuid: str, now: int) -> Inbox:
    """Return an inbox, open or not; raises `NotFound`."""
    return _inbox(_existing(connection, identity, uuid, now))


def page(
    connection: Connection, identity: Identity, limit: int, cursor: str | None, now: int
) -> Page[Inbox]:
    """Return a page of the account's inboxes, newest first."""
    listed = _select(identity, now).where(inboxes.c.id < before_of(KIND, cursor))
    rows = connection.execute(listed.order_by(inboxes.c.id.desc()).limit(limit + 1)).all()
    return page_of(KIND, rows, limit, _inbox, lambda row: int(row.id))


def change(
    connection: Connection,
    identity: Identity,
    uuid: str,
    facts: Mapping[str, Any],
    link: NewLink,
    now: int,
) -> Inbox:
    """Change the facts of an inbox that are given; ``link`` is for one whose own is gone.

    Raises `NotFound`, and `InvalidRequest` for what the tier doesn't allow.
    """
    quota.lock_account(connection, identity.account_id)
    current = _existing(connection, identity, uuid, now)
    columns = {name: facts[name] for name in _OWN if name in facts}
    if columns:
        connection.execute(update(inboxes).where(inboxes.c.id == current.id).values(columns))
    _change_link(connection, identity, current, facts, link, now)
    return find(connection, identity, uuid, now)


def remove(connection: Connection, identity: Identity, uuid: str, now: int) -> None:
    """Delete an inbox, end its link, and drop what strangers are sending; raises `NotFound`.

    What has arrived stays its account's.
    """
    quota.lock_account(connection, identity.account_id)
    inbox = _existing(connection, identity, uuid, now)
    inbox_id = inbox.id
    begun = connection.execute(
        select(uploads.c.id, uploads.c.object_id).where(
            uploads.c.account_id == identity.account_id, uploads.c.inbox_id == inbox_id
        )
    ).all()
    unfinished = {row.id: row.object_id for row in begun}
    upload_rows.remove_all(connection, identity.account_id, unfinished, now)
    links.end(connection, INBOX, [inbox_id], now)
    connection.execute(delete(inboxes).where(inboxes.c.id == inbox_id))
    identity.record(connection, EventType.LINK_DELETED, Subject("inbox", uuid, inbox.title))


def see(connection: Connection, identity: Identity) -> str | None:
    """Note that the owner looks at all that has come; returns whose, if it is news."""
    own = (inboxes.c.account_id == identity.account_id) & (inboxes.c.unseen > 0)
    seen = connection.execute(update(inboxes).where(own).values(unseen=0))
    return str(identity.account_id) if seen.rowcount else None


def mark(connection: Connection, identity: Identity, _now: int) -> Mark:
    """Return how much has come to an account that its owner hasn't seen."""
    sums = select(func.sum(inboxes.c.files), func.sum(inboxes.c.unseen)).where(
        inboxes.c.account_id == identity.account_id
    )
    total, unseen = connection.execute(sums).one()
    return Mark(str(identity.account_id), int(total or 0), int(unseen or 0))


def _give_link(
    connection: Connection,
    identity: Identity,
    inbox_id: int,
    link: NewLink,
    lifetime: int,
    now: int,
) -> None:
    bounds.check_lifetime(identity.tier, lifetime, "expires_in")
    expires_at = now + lifetime * clock.SECOND
    links.insert_link(connection, identity.account_id, INBOX, inbox_id, link, expires_at, now)


def _change_link(
    connection: Connection,
    identity: Identity,
    current: Row[Any],
    facts: Mapping[str, Any],
    link: NewLink,
    now: int,
) -> None:
    lifetime: int | None = facts.get("expires_in")
    if current.link is None and lifetime is not None:
        options = LinkOptions(password_hash=facts.get("password_hash"))
        link = NewLink(link.ref, options=options)
        _give_link(connection, identity, current.id, link, lifetime, now)
        return
    columns: dict[str, Any] = {}
    if lifetime is not None:
        bounds.check_lifetime(identity.tier, lifetime, "expires_in")
        columns["expires_at"] = now + lifetime * clock.SECOND
    if "password_hash" in facts:
        if current.link is None:
            raise bounds.refusal("password", "The inbox ended long ago; say `expires_in` as well")
        columns["password_hash"] = facts["password_hash"]
    if columns:
        own = timelinks.c.uuid == current.link
        connection.execute(update(timelinks).where(own).values(columns))


def _existing(connection: Connection, identity: Identity, uuid: str, now: int) -> Row[Any]:
    row = connection.execute(_select(identity, now).where(inboxes.c.uuid == uuid)).first()
    if row is None:
        raise NotFound("No such inbox")
    return row


def _select(identity: Identity, now: int) -> Select[Any]:
    newest = (
        select(_newest.c.id)
        .where(_newest.c.kind == INBOX, _newest.c.target_id == inboxes.c.id)
        .order_by(_newest.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            inboxes,
            timelinks.c.uuid.label("link"),
            timelinks.c.token_hash,
            timelinks.c.expires_at,
            timelinks.c.password_hash,
            and_(timelinks.c.id.is_not(None), is_open(now)).label("is_open"),
        )
        .select_from(inboxes.outerjoin(timelinks, timelinks.c.id == newest))
        .where(inboxes.c.account_id == identity.account_id)
    )


def _inbox(row: Row[Any]) -> Inbox:
    return Inbox(
        id=row.id,
        uuid=row.uuid,
        title=row.title,
        message=row.message,
        max_files=row.max_files,
        max_bytes=row.max_bytes,
        files=row.files,
        size=row.bytes,
        unseen=row.unseen,
        created_at=row.created_at,
        link=None if row.link is None else LinkRef(row.link, row.token_hash),
        expires_at=row.expires_at,
        has_password=row.password_hash is not None,
        is_open=bool(row.is_open),
    )


def look(connection: Connection, identity: Identity) -> tuple[Identity, Mark]:
    """Return who asks, and their `mark`."""
    return identity, mark(connection, identity, clock.now())
