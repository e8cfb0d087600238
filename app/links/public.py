"""Timelinks as those have them who were given one: opened by the token alone, without a login.

A download of a link with a limit or a password is claimed, and named by a lease: a secret beside
the token. It ends by itself unless the download begins in time, and the claim is given back with
it. From then on it lives as long as the link, and ranges, retries and parallel connections under
it count no further, and need no password.
"""

import secrets
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)

from app import clock
from app.accounts.tables import accounts, tiers
from app.database import Statement
from app.errors import NotFound, PasswordNeeded
from app.links import targets
from app.links.expiry import downloads_taken, has_downloads_left, is_later, is_open
from app.links.rows import hash_of
from app.links.tables import timelink_leases, timelinks
from app.links.targets import Kind, Target
from app.security import events
from app.security.events import Event
from app.security.passwords import Passwords
from app.security.rate_limits import (
    LINK_PASSWORD,
    LINK_PASSWORD_BY_ADDRESS,
    RateLimits,
    by_address,
    check_all,
    count_all,
)

CLAIM_TIME: Final = 60 * clock.SECOND
"""How long a claim waits for its download to begin, in microseconds."""

_LEASE_LENGTH: Final = 16  # bytes
_MAX_SECRET: Final = 64  # characters; ours have 22


@dataclass(frozen=True, slots=True)
class PublicLink:
    """A link that is good, and what it leads to; ``expires_at`` in UTC microseconds."""

    id: int
    account_id: int
    owner: str
    """The uuid of its account."""
    uuid: str
    kind: str
    expires_at: int | None
    max_downloads: int | None
    downloads: int
    password_hash: str | None
    has_begun: bool
    """Whether it was opened by the lease of a download that counts already."""
    target: Target

    @property
    def downloads_left(self) -> int | None:
        """How many more may be claimed; None: any number."""
        return None if self.max_downloads is None else self.max_downloads - self.downloads

    @property
    def is_limited(self) -> bool:
        return self.max_downloads is not None

    @property
    def file_name(self) -> str:
        """What to call the bytes: a blob's name may look like a path."""
        name = self.target.name
        return name.rpartition("/")[2] or name

    @property
    def is_plain(self) -> bool:
        """Whether it has neither a count nor a password."""
        return not self.is_limited and self.password_hash is None


_now = bindparam("now", type_=BigInteger)
_link_id = timelinks.c.id == bindparam("link_id")
_lease = timelink_leases.c.hash == bindparam("lease_hash")
_select = (
    select(
        timelinks.c.id,
        timelinks.c.account_id,
        accounts.c.uuid.label("owner"),
        timelinks.c.uuid,
        timelinks.c.kind,
        timelinks.c.target_id,
        timelinks.c.expires_at,
        timelinks.c.max_downloads,
        downloads_taken(_now).label("downloads"),
        timelinks.c.password_hash,
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
# Claims, downloads that begin and claims that end follow each other by this lock of their link.
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
    .values(expires_at=None)
)
_count = Statement(update(timelinks).where(_link_id).values(downloads=timelinks.c.downloads + 1))


def new_lease() -> str:
    """Make up the secret that names a lease."""
    return secrets.token_urlsafe(_LEASE_LENGTH)


def find(connection: Connection, token: str, lease: str | None, now: int) -> PublicLink:
    """Return what a token opens; raises `NotFound`, the same whatever the reason.

    With a lease it opens a link that has been used up, too.
    """
    if lease is not None:
        link = find_leased(connection, token, lease, now)
    else:
        link = _open(connection, _find, token, now)
    if link is None or (lease is None and link.downloads_left == 0):
        raise _unknown()
    return link


def find_leased(connection: Connection, token: str, lease: str, now: int) -> PublicLink | None:
    """Return what a token opens together with a lease of the link, if that is still good."""
    if len(lease) > _MAX_SECRET:
        return None
    return _open(connection, _find_leased, token, now, lease_hash=hash_of(lease))


def _open(
    connection: Connection,
    statement: Statement,
    token: str,
    now: int,
    **values: Any,  # noqa: ANN401 - of the statement
) -> PublicLink | None:
    if len(token) > _MAX_SECRET:
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
        uuid=row.uuid,
        kind=row.kind,
        expires_at=row.expires_at,
        max_downloads=row.max_downloads,
        downloads=row.downloads,
        password_hash=row.password_hash,
        has_begun=statement is _find_leased and row.claimed_until is None,
        target=target,
    )


def find_plain(
    connection: Connection, token: str, now: int, *, kind: Kind | None = None
) -> PublicLink:
    """Return what a token opens that asks for nothing else; raises `NotFound`."""
    link = find(connection, token, None, now)
    if not link.is_plain or kind not in {None, link.kind}:
        raise _unknown()
    return link


def claim(connection: Connection, token: str, lease: str, now: int) -> PublicLink:
    """Take one download of a link and name it; raises `NotFound` when none is left.

    It is given back after `CLAIM_TIME` unless `begin` is called before. A lease that is claimed
    again counts once. On a link without a limit it counts nothing.
    """
    link = _open(connection, _find, token, now)
    if link is None or len(lease) > _MAX_SECRET:
        raise _unknown()
    if _lock(connection, link_id=link.id, now=now).first() is None:
        raise _unknown()
    # whoever takes a download that was given back makes sure that nobody else begins it
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


def begin(connection: Connection, link: PublicLink, lease: str, now: int) -> None:
    """Make a claim a download, which is to be called before its first byte is given to anybody.

    Raises `NotFound` when the claim has been given back, or the link has ended. For a download
    that has begun it does nothing.
    """
    if _lock(connection, link_id=link.id, now=now).first() is None:
        raise _unknown()
    lease_hash = hash_of(lease)
    if _begin(connection, link_id=link.id, lease_hash=lease_hash, now=now).rowcount:
        if link.is_limited:
            _count(connection, link_id=link.id)
        return
    held = _find_lease(connection, lease_hash=lease_hash).first()
    if held is None or held.expires_at is not None:
        raise _unknown()


async def unlock(
    link: PublicLink, password: str | None, visitor: str, passwords: Passwords, limits: RateLimits
) -> None:
    """Return when the password is right; ``visitor`` is the address that its failures count for.

    Raises `PasswordNeeded` when there is none, or a wrong one, and `TooManyRequests` after too many
    of those.
    """
    if password is None:
        raise PasswordNeeded
    counters = [
        *by_address(LINK_PASSWORD_BY_ADDRESS, visitor, link.uuid),
        (LINK_PASSWORD, link.uuid),
    ]
    async with passwords.turn():
        await check_all(limits, counters)
        if await passwords.verify(password, link.password_hash):
            return
        events.record(
            Event.LINK_PASSWORD_FAILED, account=link.owner, link=link.uuid, address=visitor
        )
        await count_all(limits, counters)
    raise PasswordNeeded("The password is wrong")


def _unknown() -> NotFound:
    return NotFound("This link leads nowhere, or does so no more")
