"""What bundles are filled with, as rows: plain functions for `Access.read` and `Access.write`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, Connection, LargeBinary, bindparam, func, or_, select

from app.accounts import quota
from app.accounts.identity import Identity
from app.bundles import removal, rows
from app.bundles.entities import (
    MAX_MEMBERS,
    OBJECTS,
    OWN,
    Bundle,
    Member,
    NewBundle,
    NewMember,
)
from app.bundles.members import Members
from app.bundles.reading import found, unknown_member
from app.bundles.rows import MakeRoom
from app.bundles.tables import bundle_members, bundles
from app.database import Statement, insert_into, require_storage
from app.errors import BundleClosed, Forbidden, NotFound
from app.events.entities import EventType, Subject
from app.events.log import count
from app.links.entities import LinkOptions, NewLink
from app.links.targets import allows
from app.links.terms import KEPT, settle
from app.objects import lifecycle as objects
from app.objects.entities import Received, new_uuid
from app.objects.file_names import MAX_PATH_LENGTH, free_name, picture_name

_of_bundle = bundle_members.c.bundle_id == bindparam("bundle_id")
_insert_member = Statement(insert_into(bundle_members))
_count = Statement(select(func.count()).select_from(bundle_members).where(_of_bundle))
_is_taken = Statement(
    select(bundle_members.c.id).where(_of_bundle, bundle_members.c.name == bindparam("name"))
)
_find_delivery = Statement(
    select(bundles.c.id, bundles.c.uuid)
    .where(
        bundles.c.inbox_id == bindparam("inbox_id", type_=BigInteger),
        bundles.c.delivery == bindparam("delivery", type_=LargeBinary),
        or_(bundles.c.expires_at.is_(None), bundles.c.expires_at > bindparam("now")),
    )
    .order_by(bundles.c.id.desc())
    .limit(1)
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
    sent: Sequence[tuple[NewMember, Received]] = (),
    things: Sequence[tuple[str, str]] = (),
    is_open: bool,
) -> tuple[Bundle, int]:
    """Make a bundle of received bodies, and of things given by their types and ids.

    It gets ``link`` if it gets one; ``usual`` is that of `settle`. Returns it and how much it has
    evicted. Raises as `point` does.
    """
    link = replace(link, options=LinkOptions(originals=new.originals))
    agreed = settle(new, link, identity.tier, usual, now)
    require_storage(connection)
    quota.lock_account(connection, identity.account_id)
    evicted = 0
    if agreed.expires_at is not None:
        evicted = make_room(connection, identity.account_id, evict=new.evict)
    bundle_id = rows.insert_bundle(connection, identity, new, agreed, now, is_open=is_open)
    for member, received in sent:
        _add(connection, identity, bundle_id, member, received, now)
    for kind, target_id in things:
        _point(connection, identity, members, bundle_id, kind, target_id, new_uuid(), now)
    made = rows.find(connection, identity, members, new.uuid, now)
    if not is_open:
        rows.note_received(connection, identity, made)
    return replace(made, clamped=agreed.clamped), evicted


def deliver(
    connection: Connection,
    identity: Identity,
    new: NewBundle,
    sent: Sequence[tuple[NewMember, Received]],
    now: int,
) -> None:
    """Add what a stranger gives to the bundle of its delivery, or to a new one, which is kept.

    Nobody else may add to it. Its caller holds the account's lock. Raises `BundleClosed` if it is
    full.
    """
    delivered = {"inbox_id": identity.inbox_id, "delivery": new.delivery, "now": now}
    found = None if new.delivery is None else _find_delivery(connection, **delivered).first()
    if found is None:
        require_storage(connection)
        uuid = new.uuid
        bundle_id = rows.insert_bundle(connection, identity, new, KEPT, now, is_open=False)
    else:
        uuid, bundle_id = found.uuid, found.id
    for member, received in sent:
        _check_room(connection, bundle_id)
        _add(connection, identity, bundle_id, member, received, now)
    rows.touch(connection, bundle_id=bundle_id, now=now)
    subject = Subject("bundle", uuid, new.name)
    facts = {"files": len(sent), "inbox": identity.inbox_title}
    event = EventType.BUNDLE_RECEIVED  # once, however many come one by one
    count(connection, event, identity.account_id, identity.actor, subject, by=uuid, **facts)


def admit(connection: Connection, identity: Identity, uuid: str, now: int) -> int:
    """Say that a file that a bundle is to own takes a slot; raises what `add` does."""
    _check_open(connection, rows.existing(connection, identity, uuid, now))
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
    current = rows.locked(connection, identity, uuid, now)
    for new, received in sent:
        _check_open(connection, current)
        _add(connection, identity, current.id, new, received, now)
    rows.touch(connection, bundle_id=current.id, now=now)
    return [found(members.find(connection, current.id, new.uuid, now)) for new, _ in sent]


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
    current = rows.locked(connection, identity, uuid, now)
    _check_open(connection, current)
    member = new_uuid()
    _point(connection, identity, members, current.id, kind, target_id, member, now)
    rows.touch(connection, bundle_id=current.id, now=now)
    return found(members.find(connection, current.id, member, now))


def point_all(
    connection: Connection,
    identity: Identity,
    members: Members,
    bundle_id: int,
    kind: str,
    targets: Sequence[str],
    now: int,
) -> None:
    """Add members that point to things of a kind to a locked bundle, closed or not.

    Raises as `point` does, but for a bundle that is closed.
    """
    require_storage(connection)
    for target_id in targets:
        _check_room(connection, bundle_id)
        _point(connection, identity, members, bundle_id, kind, target_id, new_uuid(), now)
    rows.touch(connection, bundle_id=bundle_id, now=now)


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


def remove_member(
    connection: Connection, identity: Identity, uuid: str, member: str, now: int
) -> None:
    """Take a member out of a bundle; raises `NotFound`."""
    current = rows.locked(connection, identity, uuid, now)
    if remove_members(connection, current.id, [member], now) == 0:
        raise unknown_member()


def remove_members(connection: Connection, bundle_id: int, members: Sequence[str], now: int) -> int:
    """Take members out of a locked bundle; returns how many of them were there."""
    found = [
        row
        for member in members
        if (row := _find_member(connection, bundle_id=bundle_id, member=member).first())
    ]
    for row in found:
        removal.remove_member(connection, row.id, row.object_id, now)
    rows.touch(connection, bundle_id=bundle_id, now=now)
    return len(found)


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


def _check_open(connection: Connection, current: Any) -> None:  # noqa: ANN401 - a row
    if not current.is_open:
        raise BundleClosed
    _check_room(connection, current.id)


def _check_room(connection: Connection, bundle_id: int) -> None:
    if _count(connection, bundle_id=bundle_id).scalar_one() >= MAX_MEMBERS:
        raise BundleClosed(f"A bundle may have up to {MAX_MEMBERS} members")
