"""Timelinks: what their owners and their visitors may do with them."""

import hmac
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import structlog
from uuid_utils import uuid7

from app import clock
from app.accounts.identity import Access
from app.config import Settings
from app.database import Database, DatabaseUnavailable
from app.database.pagination import Page
from app.errors import PasswordNeeded
from app.events.entities import Actor, actor_of_request
from app.links import bounds, listing, public, rows, spending
from app.links.entities import (
    ALL,
    LinkOptions,
    LinkRef,
    NewLink,
    Protected,
    PublicLink,
    Timelink,
    Wanted,
)
from app.links.spans import Span
from app.links.targets import Target, Targets, TargetType
from app.links.tokens import find_token, hash_of, proof_of, token_of
from app.security.passwords import Passwords
from app.security.rate_limits import (
    LINK_PASSWORD,
    LINK_PASSWORD_BY_ADDRESS,
    RateLimits,
    by_address,
    check_all,
    count_all,
    counting_misses,
)

log = structlog.get_logger(__name__)


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
        wake_sweep: Callable[[], None],
    ) -> None:
        """Tokens are derived with the first of ``keys``, and found again by any."""
        self._wake_sweep = wake_sweep
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
        note: str | None = None,
        originals: bool = False,
    ) -> Timelink:
        """Make a link that lives for ``lifetime`` seconds, but no longer than its target.

        Raises `InvalidRequest` for a lifetime out of bounds, `NotFound`, and `Forbidden` where no
        link to such a target is allowed.
        """
        self._check_lifetime(lifetime)
        password_hash = await self.hash_password(access, password)
        options = LinkOptions(max_downloads, password_hash, note, originals)
        new = replace(self.new_own_link(), lifetime=lifetime, options=options)
        return await access.write(
            rows.create, self._targets, target_type, target_id, new, clock.now()
        )

    async def find(self, access: Access, uuid: str) -> Timelink:
        """Return a link, ended or not; raises `NotFound`."""
        return await access.read(rows.find, self._targets, uuid, clock.now())

    async def page(
        self, access: Access, limit: int, cursor: str | None, wanted: Wanted = ALL
    ) -> Page[Timelink]:
        """Return a page of links: all, newest first, or those that are wanted."""
        return await access.read(listing.page, self._targets, wanted, limit, cursor, clock.now())

    async def revoke(self, access: Access, uuid: str) -> None:
        """End a link at once; raises `NotFound`."""
        await access.write(rows.revoke, uuid, clock.now())

    async def target(
        self, access: Access, target_type: TargetType, target_id: str
    ) -> Target | None:
        """Return what a link could lead to; None if it doesn't exist."""
        return await access.read(self._targets.find, target_type, target_id, clock.now())

    async def find_named(self, access: Access, target_type: TargetType, name: str) -> str | None:
        """Return the id of the newest thing of a name that a link could lead to, if any."""
        return await access.read(self._targets.find_named, target_type, name, clock.now())

    def new_own_link(self) -> NewLink:
        """Return a file's own link, which lives as long as the file."""
        uuid = str(uuid7())
        return NewLink(LinkRef(uuid, hash_of(token_of(self._keys[0], uuid))))

    async def hash_password(self, access: Access, password: str | None) -> str | None:
        """Return the form in which the password of a new link is kept; None for none."""
        if password is None:
            return None
        await access.check()  # hashing is expensive: not for strangers
        return await self._passwords.hash(password)

    async def hashed(self, access: Access, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return facts of a thing with a link, with ``password_hash`` instead of a ``password``."""
        kept = {name: value for name, value in facts.items() if name != "password"}
        if "password" in facts:
            kept["password_hash"] = await self.hash_password(access, facts["password"])
        return kept

    def token_of(self, link: LinkRef) -> str | None:
        """Return the token in a link's URL; None if its signing key is no longer there."""
        return find_token(self._keys, link)

    # Visitors

    def visit(self, address: str) -> AbstractAsyncContextManager[None]:
        """Count a visit that ends in `NotFound`; raises `TooManyRequests` after too many."""
        return counting_misses(self._rate_limits, address)

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

    async def unlock(self, link: Protected, password: str | None, address: str) -> None:
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
            await count_all(self._rate_limits, counters)
            actor = Actor(clock.now(), address)
            await self._database.write(public.note_wrong_password, link.uuid, actor)
        raise PasswordNeeded("The password is wrong")

    def proof_of(self, link: Protected) -> str:
        """Return what proves that a visitor knows the link's password."""
        return proof_of(self._keys[0], link.uuid, link.password_hash or "")

    def is_proof(self, link: Protected, proof: str) -> bool:
        """Tell whether `proof_of` has returned this, by any of the signing keys."""
        hashed = link.password_hash or ""
        return any(
            hmac.compare_digest(proof_of(key, link.uuid, hashed).encode(), proof.encode())
            for key in self._keys
        )

    async def claim(self, token: str, lease: str) -> PublicLink:
        """Claim a download for a lease, see `public.claim`; returns the link."""
        return await self._database.write(public.claim, self._targets, token, lease, clock.now())

    async def begin(self, link: PublicLink, lease: str) -> None:
        """Turn a claim into a download, before its first byte is sent; raises `NotFound`."""
        await self._database.write(public.begin, link, lease, actor_of_request(clock.now()))

    async def note_response(
        self, link: PublicLink, lease: str, asked: Span, sent: int, size: int | None
    ) -> None:
        """Note what a response to a lease has brought; the last may end the link's target.

        Without the database, the download goes on, and the target ends `spending.PATIENCE` later.
        """
        now = clock.now()
        try:
            is_over = await self._database.write(
                spending.note_response, self._targets, link, lease, asked, sent, size, now
            )
        except DatabaseUnavailable as error:
            log.warning("a download could not be noted", link=link.uuid, error=repr(error))
            return
        if is_over:
            self._wake_sweep()

    def _check_lifetime(self, seconds: int) -> None:
        if not self._min_lifetime <= seconds <= self._max_lifetime:
            detail = f"A link lives {self._min_lifetime} to {self._max_lifetime} seconds"
            raise bounds.refusal("time", detail)
