"""The rows of timelinks as their owners have them: plain functions for `Access`.

Visitors' are in `app.links.public`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from app import clock
from app.accounts import quota
from app.accounts.identity import Identity, Tier
from app.database import Statement, insert_into, require_storage
from app.errors import Forbidden, NotFound
from app.events.entities import EventType, Subject
from app.links import bounds
from app.links.entities import INBOX, LinkOptions, LinkRef, NewLink, Timelink, time_left
from app.links.expiry import downloads_taken, has_downloads_left, is_later, is_open
from app.links.tables import timelinks
from app.links.targets import Targets, TargetType, allows

_insert = Statement(insert_into(timelinks))
_now = bindparam("now", type_=BigInteger)
_leads_to_target = timelinks.c.kind != INBOX
_end = Statement(
    update(timelinks)
    .where(
        timelinks.c.kind == bindparam("kind"),
        timelinks.c.target_id == bindparam("target_id"),
        is_later(timelinks.c.expires_at, _now),
    )
    .values(expires_at=_now)
)


def create(
    connection: Connection,
    identity: Identity,
    targets: Targets,
    target_type: TargetType,
    target_id: str,
    new: NewLink,
    now: int,
) -> Timelink:
    """Make a link to an object of the caller's account; it ends no later than that.

    Raises `NotFound`, and `Forbidden` if an API key may not read such objects or the tier allows
    no links to them.
    """
    identity.require(targets.tables[target_type].scope)
    if not allows(target_type, identity.tier):
        raise Forbidden("The account's tier does not allow links to pictures")
    assert new.lifetime is not None
    lifetime = new.lifetime
    bounds.check_lifetime(identity.tier, lifetime, "time")
    new = replace(new, options=bounded(identity.tier, new.options))
    require_storage(connection)
    # the target's expiry must not change meanwhile
    quota.lock_account(connection, identity.account_id)
    target = targets.find(connection, identity, target_type, target_id, now)
    if target is None:
        raise NotFound(f"No such {target_type}")
    expires_at = _no_later(now + lifetime * clock.SECOND, target.expires_at)
    insert_link(connection, identity.account_id, target_type, target.id, new, expires_at, now)
    subject = Subject("link", new.ref.uuid, target.name)
    identity.record(
        connection, EventType.LINK_CREATED, subject, kind=target_type, expires_at=expires_at
    )
    return find(connection, identity, targets, new.ref.uuid, now)


def bounded(tier: Tier, options: LinkOptions) -> LinkOptions:
    """Return the options of a new link by the defaults and bounds of a tier.

    Raises `InvalidRequest` for more downloads than that allows.
    """
    if options.max_downloads is None:
        return replace(options, max_downloads=bounds.usual_downloads(tier))
    bounds.check_downloads(tier, options.max_downloads)
    return options


def insert_link(
    connection: Connection,
    account_id: int,
    target_type: TargetType,
    target_id: int,
    new: NewLink,
    expires_at: int | None,
    now: int,
) -> None:
    """Insert a link whose expiry is known."""
    _insert(
        connection,
        uuid=new.ref.uuid,
        account_id=account_id,
        kind=target_type,
        target_id=target_id,
        token_hash=new.ref.token_hash,
        seconds=new.lifetime,
        max_downloads=new.options.max_downloads,
        downloads=0,
        password_hash=new.options.password_hash,
        note=new.options.note,
        originals=new.options.originals,
        removal_at=None,
        is_own=new.lifetime is None,
        created_at=now,
        expires_at=expires_at,
        revoked_at=None,
    )


def find(
    connection: Connection, identity: Identity, targets: Targets, uuid: str, now: int
) -> Timelink:
    """Return a link of the caller's account, ended or not; raises `NotFound`."""
    row = connection.execute(
        own_links(identity, targets, now).where(timelinks.c.uuid == uuid)
    ).first()
    if row is None:
        raise _unknown()
    return timelink_of(row, now)


def revoke(connection: Connection, identity: Identity, uuid: str, now: int) -> None:
    """End a link and all its leases at once; raises `NotFound`."""
    own = and_(
        timelinks.c.account_id == identity.account_id, timelinks.c.uuid == uuid, _leads_to_target
    )
    sooner = case((is_later(timelinks.c.expires_at, now), now), else_=timelinks.c.expires_at)
    revoked = connection.execute(
        update(timelinks)
        .where(own)
        .values(revoked_at=func.coalesce(timelinks.c.revoked_at, now), expires_at=sooner)
    )
    if revoked.rowcount == 0:
        raise _unknown()
    identity.record(connection, EventType.LINK_DELETED, Subject("link", uuid))


def end(
    connection: Connection, target_type: TargetType, target_ids: Sequence[int], now: int
) -> None:
    """End the links to objects that are being removed."""
    for target_id in target_ids:
        _end(connection, kind=target_type, target_id=target_id, now=now)


def follow(
    connection: Connection,
    target_type: TargetType,
    target_id: int,
    expires_at: int | None,
    now: int,
) -> bool:
    """Adapt links to the target's new expiry; returns whether it has a link of its own."""
    links = (timelinks.c.kind == target_type) & (timelinks.c.target_id == target_id)
    asked_for = timelinks.c.created_at + timelinks.c.seconds * clock.SECOND
    at_most = asked_for if expires_at is None else _least(asked_for, expires_at)
    connection.execute(
        update(timelinks)
        .where(links, timelinks.c.revoked_at.is_(None), is_later(timelinks.c.expires_at, now))
        .values(expires_at=case((timelinks.c.is_own, expires_at), else_=at_most))
    )
    own = select(timelinks.c.id).where(links, timelinks.c.is_own).limit(1)
    return connection.execute(own).first() is not None


def find_own(
    connection: Connection, target_type: TargetType, target_id: int, now: int
) -> Row[Any] | None:
    """Return the row of a target's own link, used up or not; None: it has none that may live."""
    own = select(timelinks, downloads_taken(now).label("taken")).where(
        timelinks.c.kind == target_type,
        timelinks.c.target_id == target_id,
        timelinks.c.is_own,
        is_open(now),
    )
    return connection.execute(own.order_by(timelinks.c.id.desc()).limit(1)).first()


def change_own(
    connection: Connection, tier: Tier, own: Row[Any], options: Mapping[str, Any]
) -> None:
    """Change the options of a link that are given; raises `InvalidRequest` out of bounds."""
    if not options:
        return
    columns = dict(options)
    if "max_downloads" in options:
        _check_count(tier, own, options["max_downloads"])
        columns["removal_at"] = None
    connection.execute(update(timelinks).where(timelinks.c.id == own.id).values(columns))


def _check_count(tier: Tier, own: Row[Any], max_downloads: int | None) -> None:
    bounds.check_downloads(tier, max_downloads)
    taken = 0 if own.max_downloads is None else own.taken
    if max_downloads is not None and max_downloads <= taken:
        raise bounds.refusal("max_downloads", f"{taken} downloads have been taken already")


def own_links(identity: Identity, targets: Targets, now: int) -> Select[Any]:
    """Select the caller's links, with their targets as far as these still exist."""
    joined: Any = timelinks
    for target_type, target in targets.tables.items():
        on = (timelinks.c.kind == target_type) & (timelinks.c.target_id == target.table.c.id)
        joined = joined.outerjoin(target.table, on & target.alive(now))
    tables = targets.tables.values()
    return (
        select(
            timelinks,
            func.coalesce(*(target.public_id for target in tables)).label("target"),
            func.coalesce(*(target.name for target in tables)).label("target_name"),
            downloads_taken(now).label("taken"),
            is_active(identity.tier, targets, now).label("is_active"),
        )
        .select_from(joined)
        .where(timelinks.c.account_id == identity.account_id, _leads_to_target)
    )


def is_active(tier: Tier, targets: Targets, now: int) -> ColumnElement[bool]:
    """Say which links of `own_links` can be used."""
    alive = [
        target.table.c.id.is_not(None)
        for target_type, target in targets.tables.items()
        if allows(target_type, tier)
    ]
    return and_(is_open(now), has_downloads_left(now), or_(*alive))


def _least(moment: ColumnElement[Any], bound: int) -> ColumnElement[int]:
    return case((moment > bound, bound), else_=moment)


def _no_later(moment: int, bound: int | None) -> int:
    return moment if bound is None else min(moment, bound)


def timelink_of(row: Row[Any], now: int) -> Timelink:
    """Make a link of a row of `own_links`."""
    return Timelink(
        ref=LinkRef(row.uuid, row.token_hash),
        target_type=row.kind,
        target_id=row.target,
        target_name=row.target_name,
        lifetime=row.seconds,
        expires_at=row.expires_at,
        time_left=time_left(row.expires_at, now) if row.is_active else 0,
        created_at=row.created_at,
        max_downloads=row.max_downloads,
        downloads=row.taken,
        has_password=row.password_hash is not None,
        note=row.note,
        originals=bool(row.originals),
        is_active=bool(row.is_active),
    )


def _unknown() -> NotFound:
    return NotFound("No such timelink")
