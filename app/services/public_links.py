"""Timelinks as those have them who were given one: opened by the token alone, without a login.

A download of a link with a limit or a password is claimed, and named by a lease: a secret beside
the token. Ranges and retries under the lease count no further, and need no password.
"""

import secrets
from dataclasses import dataclass
from typing import Final

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

from app.database import Statement
from app.errors import NotFound, PasswordNeeded
from app.models import accounts, tiers, timelink_leases, timelinks
from app.rate_limits import (
    LINK_PASSWORD,
    LINK_PASSWORD_BY_ADDRESS,
    RateLimits,
    by_address,
    check_all,
    count_all,
)
from app.security.passwords import Passwords
from app.services import targets
from app.services.targets import Kind, Target
from app.services.timelink_ends import has_downloads_left, is_open
from app.services.timelinks import hash_of

_LEASE_LENGTH: Final = 16  # bytes
_MAX_SECRET: Final = 64  # characters; ours have 22


@dataclass(frozen=True, slots=True)
class PublicLink:
    """A link that is good, and what it leads to; ``expires_at`` in UTC microseconds."""

    id: int
    account_id: int
    uuid: str
    kind: str
    expires_at: int | None
    max_downloads: int | None
    downloads: int
    password_hash: str | None
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
_select = (
    select(
        timelinks.c.id,
        timelinks.c.account_id,
        timelinks.c.uuid,
        timelinks.c.kind,
        timelinks.c.target_id,
        timelinks.c.expires_at,
        timelinks.c.max_downloads,
        timelinks.c.downloads,
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
_find = Statement(_select.where(has_downloads_left()))
_find_leased = Statement(
    _select.where(
        timelinks.c.id
        == select(timelink_leases.c.timelink_id)
        .where(timelink_leases.c.hash == bindparam("lease_hash"))
        .scalar_subquery()
    )
)
_count = Statement(
    update(timelinks)
    .where(timelinks.c.id == bindparam("link_id"), is_open(_now), has_downloads_left())
    .values(downloads=timelinks.c.downloads + 1)
)
_is_there = Statement(
    select(timelinks.c.id)
    .where(timelinks.c.id == bindparam("link_id"), is_open(_now))
    .with_for_update()
)


def new_lease() -> str:
    """Make up the secret that names a lease."""
    return secrets.token_urlsafe(_LEASE_LENGTH)


def find(connection: Connection, token: str, lease: str | None, now: int) -> PublicLink:
    """Return what a token opens; raises `NotFound`, the same whatever the reason.

    With a lease it opens a link that has been used up, too.
    """
    if max(len(token), len(lease or "")) > _MAX_SECRET:
        raise _unknown()
    token_hash = hash_of(token)
    if lease is None:
        row = _find(connection, token_hash=token_hash, now=now).first()
    else:
        row = _find_leased(
            connection, token_hash=token_hash, lease_hash=hash_of(lease), now=now
        ).first()
    if row is None:
        raise _unknown()
    target = targets.read(connection, row.kind, row.target_id, now)
    if target is None:
        raise _unknown()
    return PublicLink(
        id=row.id,
        account_id=row.account_id,
        uuid=row.uuid,
        kind=row.kind,
        expires_at=row.expires_at,
        max_downloads=row.max_downloads,
        downloads=row.downloads,
        password_hash=row.password_hash,
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

    One conditional UPDATE counts, so that no race gives away more than there are. A link without a
    limit gets its lease and counts nothing.
    """
    link = find(connection, token, None, now)
    if link.is_limited:
        is_good = _count(connection, link_id=link.id, now=now).rowcount == 1
    else:
        is_good = _is_there(connection, link_id=link.id, now=now).first() is not None
    if not is_good:
        raise _unknown()
    connection.execute(
        insert(timelink_leases).values(
            account_id=link.account_id,
            timelink_id=link.id,
            hash=hash_of(lease),
            created_at=now,
        )
    )
    return link


def give_back(connection: Connection, link: PublicLink, lease: str) -> None:
    """Undo a claim that has given nobody anything."""
    row = timelink_leases.c.hash == hash_of(lease)
    removed = connection.execute(delete(timelink_leases).where(row)).rowcount
    if removed and link.is_limited:
        connection.execute(
            update(timelinks)
            .where(timelinks.c.id == link.id)
            .values(downloads=timelinks.c.downloads - 1)
        )


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
        await count_all(limits, counters)
    raise PasswordNeeded("The password is wrong")


def _unknown() -> NotFound:
    return NotFound("This link leads nowhere, or does so no more")
