"""Timelinks: what their owners and their visitors may do with them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from uuid_utils import uuid7

from app import clock
from app.accounts.identity import Access
from app.config import Settings
from app.database import Database
from app.database.pagination import Page
from app.errors import FieldError, InvalidRequest, NotFound, PasswordNeeded
from app.links import public, rows
from app.links.entities import LinkRef, NewLink, PublicLink, Timelink
from app.links.targets import Target, Targets, TargetType
from app.links.tokens import find_token, hash_of, new_lease, token_of
from app.security import events
from app.security.events import Event
from app.security.passwords import Passwords
from app.security.rate_limits import (
    LINK_MISSES,
    LINK_PASSWORD,
    LINK_PASSWORD_BY_ADDRESS,
    RateLimits,
    by_address,
    check_all,
    count_all,
)


class Links:
    """Makes, lists and revokes timelinks, and opens them for visitors."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        passwords: Passwords,
        rate_limits: RateLimits,
        targets: Targets,
        *,
        keys: Sequence[bytes],
    ) -> None:
        """Tokens are derived with the first of ``keys``, and found again by any."""
        self._database = database
        self._passwords = passwords
        self._rate_limits = rate_limits
        self._targets = targets
        self._keys = keys
        self._min_lifetime = settings.min_link_time
        self._max_lifetime = settings.max_link_time

    # Owners

    async def create(
        self,
        access: Access,
        target_type: TargetType,
        target_id: str,
        lifetime: int,
        *,
        max_downloads: int | None = None,
        password: str | None = None,
    ) -> Timelink:
        """Make a link that lives for ``lifetime`` seconds, but no longer than its target.

        Raises `InvalidRequest` for a lifetime out of bounds, `NotFound`, and `Forbidden` where no
        link to such a target is allowed.
        """
        self._check_lifetime(lifetime)
        password_hash = None
        if password is not None:
            await access.check()  # hashing is expensive: not for strangers
            password_hash = await self._passwords.hash(password)
        new = self._new_link(lifetime, max_downloads, password_hash)
        return await access.write(
            rows.create, self._targets, target_type, target_id, new, clock.now()
        )

    async def find(self, access: Access, uuid: str) -> Timelink:
        """Return a link, ended or not; raises `NotFound`."""
        return await access.read(rows.find, self._targets, uuid, clock.now())

    async def page(
        self,
        access: Access,
        limit: int,
        cursor: str | None,
        *,
        only_active: bool | None = None,
        target_type: TargetType | None = None,
    ) -> Page[Timelink]:
        """Return a page of links, newest first: all, the active, or the others."""
        return await access.read(
            rows.page,
            self._targets,
            limit,
            cursor,
            clock.now(),
            only_active=only_active,
            target_type=target_type,
        )

    async def revoke(self, access: Access, uuid: str) -> None:
        """End a link at once; raises `NotFound`."""
        await access.write(rows.revoke, uuid, clock.now())

    async def target(
        self, access: Access, target_type: TargetType, target_id: str
    ) -> Target | None:
        """Return what a link could lead to; None if it doesn't exist."""
        return await access.read(self._targets.find, target_type, target_id, clock.now())

    def new_own_link(self) -> NewLink:
        """Return a file's own link, which lives as long as the file."""
        return self._new_link(None, None, None)

    def token_of(self, link: LinkRef) -> str | None:
        """Return the token in a link's URL; None if its signing key is no longer there."""
        return find_token(self._keys, link)

    # Visitors

    @asynccontextmanager
    async def visit(self, address: str) -> AsyncIterator[None]:
        """Count a visit that ends in `NotFound`; raises `TooManyRequests` after too many."""
        counters = by_address(LINK_MISSES, address)
        await check_all(self._rate_limits, counters)
        try:
            yield
        except NotFound:
            await count_all(self._rate_limits, counters)
            raise

    async def open(self, token: str, lease: str | None = None) -> PublicLink:
        """Return the link of a token; with a lease it may have been used up. Raises `NotFound`."""
        return await self._database.read(public.find, self._targets, token, lease, clock.now())

    async def open_plain(self, token: str, *, target_type: TargetType | None = None) -> PublicLink:
        """Return a link that has neither a count nor a password; raises `NotFound`."""
        return await self._database.read(
            public.find_plain, self._targets, token, clock.now(), target_type=target_type
        )

    async def find_leased(self, token: str, lease: str) -> PublicLink | None:
        """Return the link of a token and a lease; None if the lease isn't valid."""
        return await self._database.read(
            public.find_leased, self._targets, token, lease, clock.now()
        )

    async def unlock(self, link: PublicLink, password: str | None, address: str) -> None:
        """Return if the link has no password, or this one.

        Failures count against the visitor's ``address``. Raises `PasswordNeeded`, and
        `TooManyRequests` after too many failures.
        """
        if link.password_hash is None:
            return
        if password is None:
            raise PasswordNeeded
        counters = [
            *by_address(LINK_PASSWORD_BY_ADDRESS, address, link.uuid),
            (LINK_PASSWORD, link.uuid),
        ]
        async with self._passwords.turn():
            await check_all(self._rate_limits, counters)
            if await self._passwords.verify(password, link.password_hash):
                return
            events.record(
                Event.LINK_PASSWORD_FAILED, account=link.owner, link=link.uuid, address=address
            )
            await count_all(self._rate_limits, counters)
        raise PasswordNeeded("The password is wrong")

    async def claim(self, token: str, lease: str | None = None) -> tuple[PublicLink, str]:
        """Claim a download, see `public.claim`; returns the link and the lease."""
        lease = lease or new_lease()
        return await self._database.write(
            public.claim, self._targets, token, lease, clock.now()
        ), lease

    async def begin(self, link: PublicLink, lease: str) -> None:
        """Turn a claim into a download, before its first byte is sent; raises `NotFound`."""
        await self._database.write(public.begin, link, lease, clock.now())

    def _check_lifetime(self, seconds: int) -> None:
        if not self._min_lifetime <= seconds <= self._max_lifetime:
            detail = f"A link lives {self._min_lifetime} to {self._max_lifetime} seconds"
            raise InvalidRequest(detail, errors=[FieldError(loc=["body", "time"], msg=detail)])

    def _new_link(
        self, lifetime: int | None, max_downloads: int | None, password_hash: str | None
    ) -> NewLink:
        uuid = str(uuid7())
        ref = LinkRef(uuid, hash_of(token_of(self._keys[0], uuid)))
        return NewLink(ref, lifetime, max_downloads, password_hash)
