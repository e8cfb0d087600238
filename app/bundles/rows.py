"""The rows of bundles: plain functions for `Access.read` and `Access.write`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from app.accounts import quota
from app.accounts.identity import Identity
from app.bundles import removal
from app.bundles.entities import (
    KIND,
    MAX_MEMBERS,
    OBJECTS,
    OWN,
    Bundle,
    Member,
    NewBundle,
    NewMember,
)
from app.bundles.members import Members
from app.bundles.tables import bundle_members, bundles
from app.database import Statement, require_storage
from app.database.pagination import Page, decode_cursor, page_of
from app.errors import BundleClosed, Forbidden, NotFound
from app.links import expiry as link_expiry
from app.links import rows as links
from app.links import terms
from app.links.entities import LinkRef, NewLink
from app.links.tables import timelinks
from app.links.targets import allows
from app.links.terms import settle
from app.objects import lifecycle as objects
from app.objects.entities import Received, new_uuid
from app.objects.file_names import MAX_PATH_LENGTH, free_name, picture_name


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
_select = (
    select(
        *bundles.c,
        timelinks.c.uuid.label("link"),
        timelinks.c.token_hash,
        timelinks.c.max_downloads,
        link_expiry.downloads_taken(_now).label("downloads"),
        timelinks.c.password_hash,
        timelinks.c.note,
    )
    .select_from(bundles.outerjoin(timelinks, timelinks.c.id == _link_id))
    .where(_own, _is_alive)
)
_find = Statement(_select.where(bundles.c.uuid == bindparam("uuid")))
_listed = (
    _select.where(bundles.c.id < bindparam("before", type_=BigInteger))
    .order_by(bundles.c.id.desc())
    .limit(bindparam("limit"))
)
_page = {
    None: Statement(_listed),
    True: Statement(_listed.where(bundles.c.expires_at.is_not(None))),
    False: Statement(_listed.where(bundles.c.expires_at.is_(None))),
}
_insert = Statement(
    insert(bundles)
    .values(
        {
            column.name: bindparam(column.name, type_=column.type)
            for column in bundles.c
            if column is not bundles.c.id
        }
    )
    .returning(bundles.c.id)
)
_current = Statement(
    select(bundles.c.id, bundles.c.uuid, bundles.c.is_open, bundles.c.expires_at).where(
        _own, bundles.c.uuid == bindparam("uuid"), _is_alive
    )
)
_touch = Statement(
    update(bundles).where(bundles.c.id == bindparam("bundle_id")).values(modified_at=_now)
)
_of_bundle = bundle_members.c.bundle_id == bindparam("bundle_id")
_insert_member = Statement(
    insert(bundle_members).values(
        {
            column.name: bindparam(column.name, type_=column.type)
            for column in bundle_members.c
            if column is not bundle_members.c.id
        }
    )
)
_count = Statement(select(func.count()).select_from(bundle_members).where(_of_bundle))
_is_taken = Statement(
    select(bundle_members.c.id).where(_of_bundle, bundle_members.c.name == bindparam("name"))
)
_find_member = Statement(
    select(bundle_members.c.id, bundle_members.c.object_id).where(
        _of_bundle, bundle_members.c.uuid == bindparam("member")
    )
)


def create(
    connection: Connection,
    identity: Identity,
    members: Members,
    new: NewBundle,
    link: NewLink,
    usual: int,
    make_room: MakeRoom,
    now: int,
    *,
    is_open: bool = True,
) -> tuple[Bundle, int]:
    """Make a bundle without members; returns it and how much it has evicted.

    It gets ``link`` if it gets one; ``usual`` is that of `settle`.
    """
    agreed = settle(new, link, identity.tier, usual, now)
    require_storage(connection)
    quota.lock_account(connection, identity.account_id)
    evicted = 0
    if agreed.expires_at is not None:
        evicted = make_room(connection, identity.account_id, evict=new.evict)
    bundle_id: int = _insert(
        connection,
        uuid=new.uuid,
        account_id=identity.account_id,
        name=new.name,
        is_open=is_open,
        created_at=now,
        modified_at=now,
        expires_at=agreed.expires_at,
    ).scalar_one()
    if agreed.link is not None:
        account_id = identity.account_id
        links.insert_link(
            connection, account_id, "bundle", bundle_id, agreed.link, agreed.expires_at, now
        )
    made = find(connection, identity, members, new.uuid, now)
    return replace(made, clamped=agreed.clamped), evicted


def create_of(
    connection: Connection,
    identity: Identity,
    members: Members,
    new: NewBundle,
    link: NewLink,
    usual: int,
    make_room: MakeRoom,
    sent: Sequence[tuple[NewMember, Received]],
    now: int,
) -> tuple[Bundle, int]:
    """Make a bundle of received bodies, to which nothing is added any more."""
    made, evicted = create(
        connection, identity, members, new, link, usual, make_room, now, is_open=False
    )
    for member, received in sent:
        _add(connection, identity, made.id, member, received, now)
    filled = find(connection, identity, members, new.uuid, now)
    return replace(filled, clamped=made.clamped), evicted


def find(
    connection: Connection, identity: Identity, members: Members, uuid: str, now: int
) -> Bundle:
    """Return a bundle; raises `NotFound`."""
    row = _find(connection, account_id=identity.account_id, uuid=uuid, now=now).first()
    if row is None:
        raise unknown()
    return _bundle(row, members.count(connection, [row.id], now))


def page(
    connection: Connection,
    identity: Identity,
    members: Members,
    limit: int,
    cursor: str | None,
    now: int,
    *,
    expiring: bool | None = None,
) -> Page[Bundle]:
    """Return a page of the account's bundles, newest first: all, the expiring, or the kept."""
    before = decode_cursor(KIND, cursor, int)
    rows = _page[expiring](
        connection,
        account_id=identity.account_id,
        before=2**62 if before is None else before,
        now=now,
        limit=limit + 1,
    ).rows
    counts = members.count(connection, [row.id for row in rows], now)
    return page_of(KIND, rows, limit, lambda row: _bundle(row, counts), lambda row: int(row.id))


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
    current = _locked(connection, identity, uuid, now)
    evicted = 0
    expires_at = terms.change(
        connection, identity, "bundle", current.id, current.expires_at, facts, link, now
    )
    if facts.get("expires_in"):
        evicted = make_room(connection, identity.account_id, evict="any", spared=uuid)
    columns = {name: facts[name] for name in ("name", "is_open") if name in facts}
    columns |= {"expires_at": expires_at, "modified_at": now}
    connection.execute(update(bundles).where(bundles.c.id == current.id).values(columns))
    return find(connection, identity, members, uuid, now), evicted


def remove(connection: Connection, identity: Identity, uuid: str, now: int) -> None:
    """Delete a bundle with all that it owns, and end its links; raises `NotFound`."""
    current = _locked(connection, identity, uuid, now)
    removal.remove(connection, current.id, now)


def admit(connection: Connection, identity: Identity, uuid: str, now: int) -> int:
    """Say that a file that a bundle is to own takes a slot; raises what `add` does."""
    _check_open(connection, _existing(connection, identity, uuid, now))
    return 1


def admit_new(_connection: Connection, _identity: Identity) -> int:
    """Say that each file of a new bundle takes a slot."""
    return 1


def add(
    connection: Connection,
    identity: Identity,
    members: Members,
    uuid: str,
    sent: Sequence[tuple[NewMember, Received]],
    now: int,
) -> list[Member]:
    """Add received bodies to a bundle, which owns them, all or none.

    Raises `NotFound`, and `BundleClosed` if it is closed or full.
    """
    current = _locked(connection, identity, uuid, now)
    for new, received in sent:
        _check_open(connection, current)
        _add(connection, identity, current.id, new, received, now)
    _touch(connection, bundle_id=current.id, now=now)
    return [_found(members.find(connection, current.id, new.uuid, now)) for new, _ in sent]


def create_of_things(
    connection: Connection,
    identity: Identity,
    members: Members,
    new: NewBundle,
    link: NewLink,
    usual: int,
    make_room: MakeRoom,
    things: Sequence[tuple[str, str]],
    now: int,
) -> tuple[Bundle, int]:
    """Make a closed bundle that points to things, given by their types and ids; raises as `point`.

    Returns what `create` does.
    """
    made, evicted = create(
        connection, identity, members, new, link, usual, make_room, now, is_open=False
    )
    for kind, target_id in things:
        _point(connection, identity, members, made.id, kind, target_id, new_uuid(), now)
    filled = find(connection, identity, members, new.uuid, now)
    return replace(filled, clamped=made.clamped), evicted


def point(
    connection: Connection,
    identity: Identity,
    members: Members,
    uuid: str,
    kind: str,
    target_id: str,
    now: int,
) -> Member:
    """Add a member that points to a thing of the account.

    Raises as `add` does, and as a link to the thing would.
    """
    require_storage(connection)
    current = _locked(connection, identity, uuid, now)
    _check_open(connection, current)
    member = new_uuid()
    _point(connection, identity, members, current.id, kind, target_id, member, now)
    _touch(connection, bundle_id=current.id, now=now)
    return _found(members.find(connection, current.id, member, now))


def _point(
    connection: Connection,
    identity: Identity,
    members: Members,
    bundle_id: int,
    kind: str,
    target_id: str,
    member: str,
    now: int,
) -> None:
    targets = members.targets
    identity.require(targets.tables[kind].scope)
    if not allows(kind, identity.tier):
        raise Forbidden("The account's tier does not allow links to pictures")
    target = targets.find(connection, identity, kind, target_id, now)
    if target is None:
        raise NotFound(f"No such {kind}")
    name = target.name.rpartition("/")[2] or kind
    if kind == "picture":
        name = picture_name(name, target.content_type.removeprefix("image/"))
    _insert_member(
        connection,
        uuid=member,
        account_id=identity.account_id,
        bundle_id=bundle_id,
        kind=kind,
        object_id=None,
        target_id=target.id,
        name=_free_name(connection, bundle_id, name),
        content_type=None,
        created_at=now,
    )


def find_member(
    connection: Connection, identity: Identity, members: Members, uuid: str, member: str, now: int
) -> Member:
    """Return a member of a bundle, ready to be read; raises `NotFound`.

    An API key needs the scope of what it points to.
    """
    current = _existing(connection, identity, uuid, now)
    found = _found(members.find(connection, current.id, member, now))
    if found.target is not None:
        identity.require(members.targets.tables[found.kind].scope)
    return found


def page_of_members(
    connection: Connection,
    identity: Identity,
    members: Members,
    uuid: str,
    limit: int,
    cursor: str | None,
    now: int,
    *,
    name: str | None = None,
) -> Page[Member]:
    """Return a page of a bundle's members, in their order: all, or that of a name.

    Raises `NotFound`.
    """
    current = _existing(connection, identity, uuid, now)
    return members.page(connection, current.id, limit, cursor, now, name=name)


def remove_member(
    connection: Connection, identity: Identity, uuid: str, member: str, now: int
) -> None:
    """Take a member out of a bundle; raises `NotFound`."""
    current = _locked(connection, identity, uuid, now)
    row = _find_member(connection, bundle_id=current.id, member=member).first()
    if row is None:
        raise unknown_member()
    removal.remove_member(connection, row.id, row.object_id, now)
    _touch(connection, bundle_id=current.id, now=now)


def _add(
    connection: Connection,
    identity: Identity,
    bundle_id: int,
    new: NewMember,
    received: Received,
    now: int,
) -> None:
    object_id = objects.settle(connection, identity, received, kind=OBJECTS, slots=1, now=now)
    _insert_member(
        connection,
        uuid=new.uuid,
        account_id=identity.account_id,
        bundle_id=bundle_id,
        kind=OWN,
        object_id=object_id,
        target_id=None,
        name=_free_name(connection, bundle_id, new.name),
        content_type=new.content_type,
        created_at=now,
    )


def _free_name(connection: Connection, bundle_id: int, name: str) -> str:
    def is_taken(tried: str) -> bool:
        return _is_taken(connection, bundle_id=bundle_id, name=tried).first() is not None

    return free_name(name, is_taken, lambda n: f" ({n + 1})", MAX_PATH_LENGTH)


def _existing(connection: Connection, identity: Identity, uuid: str, now: int) -> Any:  # noqa: ANN401 - a row
    current = _current(connection, account_id=identity.account_id, uuid=uuid, now=now).first()
    if current is None:
        raise unknown()
    return current


def _locked(connection: Connection, identity: Identity, uuid: str, now: int) -> Any:  # noqa: ANN401 - a row
    quota.lock_account(connection, identity.account_id)
    return _existing(connection, identity, uuid, now)


def _check_open(connection: Connection, current: Any) -> None:  # noqa: ANN401 - a row
    if not current.is_open:
        raise BundleClosed
    if _count(connection, bundle_id=current.id).scalar_one() >= MAX_MEMBERS:
        raise BundleClosed(f"A bundle may have up to {MAX_MEMBERS} members")


def _bundle(row: Row[Any], counts: Mapping[int, tuple[int, int]]) -> Bundle:
    count, size = counts.get(row.id, (0, 0))
    return Bundle(
        id=row.id,
        uuid=row.uuid,
        name=row.name,
        is_open=bool(row.is_open),
        created_at=row.created_at,
        modified_at=row.modified_at,
        expires_at=row.expires_at,
        link=None if row.link is None else LinkRef(row.link, row.token_hash),
        max_downloads=row.max_downloads,
        downloads=row.downloads or 0,
        has_password=row.password_hash is not None,
        note=row.note,
        count=count,
        size=size,
    )


def _found(member: Member | None) -> Member:
    if member is None:
        raise unknown_member()
    return member


def unknown() -> NotFound:
    """Return the error for a bundle that doesn't exist."""
    return NotFound("No such bundle")


def unknown_member() -> NotFound:
    """Return the error for a member that isn't there."""
    return NotFound("No such member of the bundle")
