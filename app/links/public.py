"""The rows of timelinks as visitors use them: opened by the token alone, without a login.

A download of a link with a limit or a password is claimed, and named by a lease: a secret beside
the token. The claim is given back unless the download begins in time. From then on the lease lives
as long as the link, and ranges, retries and parallel connections under it neither count again nor
need a password.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    insert,
    or_,
    select,
    update,
)

from app import clock
from app.accounts.tables import accounts, tiers
from app.database import Statement
from app.errors import NotFound
from app.events.entities import Actor, EventType, Subject
from app.events.log import count, record
from app.links.entities import PublicLink, time_left
from app.links.expiry import downloads_taken, has_downloads_left, is_later, is_open
from app.links.spending import PATIENCE
from app.links.tables import timelink_leases, timelinks
from app.links.targets import Targets, TargetType
from app.links.tokens import MAX_SECRET, hash_of

CLAIM_TIME: Final = 60 * clock.SECOND
"""How long a claim waits for its download to begin, in microseconds."""

_now = bindparam("now", type_=BigInteger)
_link_id = timelinks.c.id == bindparam("link_id")
_lease = timelink_leases.c.hash == bindparam("lease_hash")
_select = (
    select(
        timelinks.c.id,
        timelinks.c.account_id,
        accounts.c.uuid.label("owner"),
        accounts.c.display_name.label("sender"),
        timelinks.c.uuid,
        timelinks.c.kind,
        timelinks.c.target_id,
        timelinks.c.expires_at,
        timelinks.c.max_downloads,
        downloads_taken(_now).label("downloads"),
        timelinks.c.password_hash,
        timelinks.c.note,
        timelinks.c.originals,
        timelinks.c.is_own,
    )
    .select_from(timelinks.join(accounts).join(tiers))
    .where(
        timelinks.c.token_hash == bindparam("token_hash"),
        is_open(_now),
        accounts.c.is_active,
        accounts.c.deleted_at.is_(None),
        or_(timelinks.c.kind != "picture", and_(tiers.c.allow_links, tiers.c.allow_original)),
    )
)
_find = Statement(_select)
_find_leased = Statement(
    _select.add_columns(timelink_leases.c.expires_at.label("claimed_until")).where(
        timelink_leases.c.timelink_id == timelinks.c.id,
        is_later(timelink_leases.c.expires_at, _now),
        _lease,
    )
)
# serialises claims, downloads that begin, and claims that end
_lock = Statement(select(timelinks.c.id).where(_link_id, is_open(_now)).with_for_update())
_end_claims = Statement(
    delete(timelink_leases).where(
        timelink_leases.c.timelink_id == bindparam("link_id"), timelink_leases.c.expires_at <= _now
    )
)
_is_left = Statement(select(timelinks.c.id).where(_link_id, has_downloads_left(_now)))
_find_lease = Statement(
    select(timelink_leases.c.timelink_id, timelink_leases.c.expires_at).where(_lease)
)
_begin = Statement(
    update(timelink_leases)
    .where(
        timelink_leases.c.timelink_id == bindparam("link_id"),
        timelink_leases.c.expires_at > _now,
        _lease,
    )
    .values(expires_at=None, seen_at=_now)
)
_is_last = timelinks.c.is_own & (timelinks.c.downloads + 1 >= timelinks.c.max_downloads)
_count = Statement(
    update(timelinks)
    .where(_link_id)
    .values(
        downloads=timelinks.c.downloads + 1,
        removal_at=case((_is_last, bindparam("removal_at", type_=BigInteger)), else_=None),
    )
    .returning(timelinks.c.downloads, timelinks.c.max_downloads)
)
_account_of = Statement(select(timelinks.c.account_id).where(timelinks.c.uuid == bindparam("uuid")))


def find(
    connection: Connection, targets: Targets, token: str, lease: str | None, now: int
) -> PublicLink:
    """Return the link of a token; raises `NotFound`, the same whatever the reason.

    With a lease it may have been used up.
    """
    if lease is not None:
        link = find_leased(connection, targets, token, lease, now)
    else:
        link = _open(connection, targets, _find, token, now)
    if link is None or (lease is None and link.downloads_left == 0):
        raise _unknown()
    return link


def find_leased(
    connection: Connection, targets: Targets, token: str, lease: str, now: int
) -> PublicLink | None:
    """Return the link of a token and a lease; None if the lease isn't valid."""
    if len(lease) > MAX_SECRET:
        return None
    return _open(connection, targets, _find_leased, token, now, lease_hash=hash_of(lease))


def _open(
    connection: Connection,
    targets: Targets,
    statement: Statement,
    token: str,
    now: int,
    **values: Any,  # noqa: ANN401 - of the statement
) -> PublicLink | None:
    if len(token) > MAX_SECRET:
        return None
    row = statement(connection, token_hash=hash_of(token), now=now, **values).first()
    if row is None:
        return None
    target = targets.read(connection, row.kind, row.target_id, now)
    if target is None:
        return None
    return PublicLink(
        id=row.id,
        account_id=row.account_id,
        owner=row.owner,
        sender=row.sender,
        uuid=row.uuid,
        target_type=row.kind,
        expires_at=row.expires_at,
        time_left=time_left(row.expires_at, now),
        max_downloads=row.max_downloads,
        downloads=row.downloads,
        password_hash=row.password_hash,
        note=row.note,
        originals=bool(row.originals),
        is_own=bool(row.is_own),
        has_begun=statement is _find_leased and row.claimed_until is None,
        target=target,
    )


def find_plain(
    connection: Connection,
    targets: Targets,
    token: str,
    now: int,
    *,
    target_type: TargetType | None = None,
) -> PublicLink:
    """Return the link of a token if it has neither a count nor a password; raises `NotFound`."""
    link = find(connection, targets, token, None, now)
    if not link.is_plain or target_type not in {None, link.target_type}:
        raise _unknown()
    return link


def claim(connection: Connection, targets: Targets, token: str, lease: str, now: int) -> PublicLink:
    """Claim one download of a link for a lease; raises `NotFound` if none is left.

    It is given back after `CLAIM_TIME` unless `begin` is called before. Claiming the same lease
    again counts once, and on a link without a limit nothing is counted.
    """
    link = _open(connection, targets, _find, token, now)
    if link is None or len(lease) > MAX_SECRET:
        raise _unknown()
    if _lock(connection, link_id=link.id, now=now).first() is None:
        raise _unknown()
    # what was given back must be gone before it is claimed anew: nobody else may begin it
    _end_claims(connection, link_id=link.id, now=now)
    held = _find_lease(connection, lease_hash=hash_of(lease)).first()
    if held is not None and held.timelink_id == link.id:
        return link
    if held is not None or _is_left(connection, link_id=link.id, now=now).first() is None:
        raise _unknown()
    connection.execute(
        insert(timelink_leases).values(
            account_id=link.account_id,
            timelink_id=link.id,
            hash=hash_of(lease),
            created_at=now,
            expires_at=now + CLAIM_TIME,
        )
    )
    return link


def begin(connection: Connection, link: PublicLink, lease: str, actor: Actor) -> None:
    """Turn a claim into a download, before its first byte is sent; idempotent.

    Raises `NotFound` if the claim has been given back or the link has ended.
    """
    now = actor.at
    if _lock(connection, link_id=link.id, now=now).first() is None:
        raise _unknown()
    lease_hash = hash_of(lease)
    if _begin(connection, link_id=link.id, lease_hash=lease_hash, now=now).rowcount:
        if link.is_limited:
            counted = _count(connection, link_id=link.id, removal_at=now + PATIENCE).one()
            if counted.downloads == counted.max_downloads:
                subject = Subject("link", link.uuid, link.target.name)
                facts = {"kind": link.target_type, "downloads": counted.downloads}
                record(connection, EventType.LINK_USED_UP, link.account_id, actor, subject, **facts)
        return
    held = _find_lease(connection, lease_hash=lease_hash).first()
    if held is None or held.expires_at is not None:
        raise _unknown()


def _unknown() -> NotFound:
    return NotFound("No such link, or it has expired")


def note_wrong_password(connection: Connection, uuid: str, actor: Actor) -> None:
    """Count a wrong password for a link, unless the link is gone."""
    owner = _account_of(connection, uuid=uuid).first()
    if owner is not None:
        subject = Subject("link", uuid)
        count(
            connection,
            EventType.LINK_PASSWORD_FAILED,
            owner.account_id,
            actor,
            subject,
            by=uuid,
        )
