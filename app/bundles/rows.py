"""The rows of bundles: plain functions for `Access.read` and `Access.write`."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from sqlalchemy import BigInteger, Connection, Row, bindparam, or_, select, update

from app.accounts import quota
from app.accounts.identity import Identity
from app.bundles import removal
from app.bundles.entities import Bundle, NewBundle
from app.bundles.members import Members
from app.bundles.tables import bundles
from app.database import Statement, insert_into
from app.errors import NotFound
from app.events.entities import EventType, Subject
from app.links import expiry as link_expiry
from app.links import rows as links
from app.links import terms
from app.links.entities import LinkOptions, LinkRef, NewLink, Origin, Sharing
from app.links.tables import inboxes, timelinks
from app.links.terms import Terms


class MakeRoom(Protocol):
    """Evicts what expires for one more; returns how many have gone."""

    def __call__(
        self, connection: Connection, account_id: int, *, evict: str, spared: str = ""
    ) -> int: ...


_now = bindparam("now", type_=BigInteger)
_newest = timelinks.alias("newest")
_link_id = (
    select(_newest.c.id)
    .where(
        _newest.c.kind == "bundle",
        _newest.c.target_id == bundles.c.id,
        _newest.c.revoked_at.is_(None),
        link_expiry.is_later(_newest.c.expires_at, _now),
    )
    .order_by(_newest.c.is_own.desc(), _newest.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_own = bundles.c.account_id == bindparam("account_id")
_is_alive = or_(bundles.c.expires_at.is_(None), bundles.c.expires_at > _now)
LISTED: Final = (
    select(
        *bundles.c,
        timelinks.c.uuid.label("link"),
        timelinks.c.token_hash,
        timelinks.c.max_downloads,
        link_expiry.downloads_taken(_now).label("downloads"),
        timelinks.c.password_hash,
        timelinks.c.note,
        timelinks.c.originals,
        inboxes.c.uuid.label("inbox"),
        inboxes.c.title,
    )
    .select_from(
        bundles.outerjoin(timelinks, timelinks.c.id == _link_id).outerjoin(
            inboxes, inboxes.c.id == bundles.c.inbox_id
        )
    )
    .where(_own, _is_alive)
)
"""The account's bundles ``now``, for `bundle_of`."""

_find = Statement(LISTED.where(bundles.c.uuid == bindparam("uuid")))
_insert = Statement(insert_into(bundles).returning(bundles.c.id))
_current = Statement(
    select(bundles.c.id, bundles.c.uuid, bundles.c.is_open, bundles.c.expires_at).where(
        _own, bundles.c.uuid == bindparam("uuid"), _is_alive
    )
)
touch = Statement(
    update(bundles).where(bundles.c.id == bindparam("bundle_id")).values(modified_at=_now)
)
"""Notes that a bundle has other members."""


def insert_bundle(
    connection: Connection,
    identity: Identity,
    new: NewBundle,
    agreed: Terms,
    now: int,
    *,
    is_open: bool,
) -> int:
    """Insert a bundle without members; returns its id."""
    bundle_id: int = _insert(
        connection,
        uuid=new.uuid,
        account_id=identity.account_id,
        name=new.name,
        is_open=is_open,
        created_at=now,
        modified_at=now,
        expires_at=agreed.expires_at,
        inbox_id=identity.inbox_id,
        delivery=new.delivery,
    ).scalar_one()
    if agreed.link is not None:
        account_id = identity.account_id
        links.insert_link(
            connection, account_id, "bundle", bundle_id, agreed.link, agreed.expires_at, now
        )
    return bundle_id


def find(
    connection: Connection, identity: Identity, members: Members, uuid: str, now: int
) -> Bundle:
    """Return a bundle; raises `NotFound`."""
    row = _find(connection, account_id=identity.account_id, uuid=uuid, now=now).first()
    if row is None:
        raise unknown()
    return bundle_of(row, members.count(connection, [row.id], now))


def change(
    connection: Connection,
    identity: Identity,
    members: Members,
    uuid: str,
    facts: Mapping[str, Any],
    link: NewLink,
    make_room: MakeRoom,
    now: int,
) -> tuple[Bundle, int]:
    """Change the facts of a bundle that are given; returns it and how much it has evicted.

    ``link`` becomes its own if it has none but needs one.
    """
    current = locked(connection, identity, uuid, now)
    evicted = 0
    expires_at = terms.change(
        connection, identity, "bundle", current.id, current.expires_at, facts, link, now
    )
    if facts.get("expires_in"):
        evicted = make_room(connection, identity.account_id, evict="any", spared=uuid)
    columns = {name: facts[name] for name in ("name", "is_open") if name in facts}
    columns |= {"expires_at": expires_at, "modified_at": now}
    connection.execute(update(bundles).where(bundles.c.id == current.id).values(columns))
    changed = find(connection, identity, members, uuid, now)
    if current.is_open and not changed.is_open:
        note_received(connection, identity, changed)
    return changed, evicted


def remove(connection: Connection, identity: Identity, uuid: str, now: int) -> None:
    """Delete a bundle with all that it owns, and end its links; raises `NotFound`."""
    current = locked(connection, identity, uuid, now)
    removal.remove(connection, current.id, now)


def existing(connection: Connection, identity: Identity, uuid: str, now: int) -> Any:  # noqa: ANN401 - a row
    """Return the row of a bundle with its own columns; raises `NotFound`."""
    current = _current(connection, account_id=identity.account_id, uuid=uuid, now=now).first()
    if current is None:
        raise unknown()
    return current


def locked(connection: Connection, identity: Identity, uuid: str, now: int) -> Any:  # noqa: ANN401 - a row
    """Return the same, in a transaction that nobody else changes the account in."""
    quota.lock_account(connection, identity.account_id)
    return existing(connection, identity, uuid, now)


def bundle_of(row: Row[Any], counts: Mapping[int, tuple[int, int]]) -> Bundle:
    """Make a bundle of a row of `LISTED`, and of what `Members.count` says."""
    count, size = counts.get(row.id, (0, 0))
    options = LinkOptions(row.max_downloads, row.password_hash, row.note, bool(row.originals))
    return Bundle(
        id=row.id,
        uuid=row.uuid,
        name=row.name,
        is_open=bool(row.is_open),
        created_at=row.created_at,
        modified_at=row.modified_at,
        expires_at=row.expires_at,
        link=None if row.link is None else LinkRef(row.link, row.token_hash),
        sharing=Sharing.of(options, row.downloads),
        count=count,
        size=size,
        origin=None if row.inbox is None else Origin(row.inbox, row.title),
    )


def note_received(connection: Connection, identity: Identity, bundle: Bundle) -> None:
    """Record that a bundle is there, as it was sent."""
    subject = Subject("bundle", bundle.uuid, bundle.name)
    facts = {"files": bundle.count, "size": bundle.size}
    identity.record(connection, EventType.BUNDLE_RECEIVED, subject, **facts)


def unknown() -> NotFound:
    """Return the error for a bundle that doesn't exist."""
    return NotFound("No such bundle")
