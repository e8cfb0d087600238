"""Inboxes: what their owners may do with them, and what strangers may give."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import Any

from app import clock
from app.accounts.identity import GIVING, Access, Identity
from app.bundles.members import Members
from app.changes import Changes
from app.config import Settings
from app.database import Database
from app.database.pagination import Page
from app.errors import InboxOverflow, InvalidRequest, NotFound
from app.inboxes import arrivals, giving, rows
from app.inboxes.entities import (
    OBJECTS,
    USUAL_TIME,
    Arrival,
    Delivery,
    Gift,
    Inbox,
    Mark,
    NewInbox,
    PublicInbox,
)
from app.links import bounds
from app.links.use_cases import Links
from app.objects.entities import Receipt, Received
from app.objects.uploads import Admit, Body, Uploads
from app.security.addresses import networks_of
from app.security.credentials import OpenedInbox
from app.security.rate_limits import INBOX_GIFTS, RateLimits, by_address, count_all

_SEEN = "seen"
"""What a hint says: the truth is in the database."""


class Inboxes:
    """Makes, lists, changes and deletes the inboxes of an account, and takes what comes."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        uploads: Uploads,
        links: Links,
        members: Members,
        rate_limits: RateLimits,
        changes: Changes[Mark],
        *,
        wake_sweep: Callable[[], None],
    ) -> None:
        self._min_lifetime = settings.min_link_time
        self._max_lifetime = settings.max_link_time
        self._database = database
        self._uploads = uploads
        self._links = links
        self._members = members
        self._rate_limits = rate_limits
        self._changes = changes
        self._wake_sweep = wake_sweep

    # Owners

    async def create(self, access: Access, new: NewInbox) -> Inbox:
        """Make an inbox; raises `InvalidRequest` for a lifetime out of bounds."""
        lifetime = new.expires_in
        if lifetime is None:
            tier = (await access.identity()).tier
            usual = min(USUAL_TIME, self._max_lifetime, tier.max_lifetime or USUAL_TIME)
            lifetime = max(usual, self._min_lifetime)
        self._check_lifetime(lifetime)
        link = self._links.new_own_link()
        link = replace(link, options=replace(link.options, password_hash=new.password_hash))
        return await access.write(rows.create, new, link, lifetime, clock.now())

    async def hash_password(self, access: Access, password: str | None) -> str | None:
        """Return the form in which the password of a new inbox is kept; None for none."""
        return await self._links.hash_password(access, password)

    async def find(self, access: Access, uuid: str) -> Inbox:
        """Return an inbox, open or not; raises `NotFound`."""
        return await access.read(rows.find, uuid, clock.now())

    async def page(self, access: Access, limit: int, cursor: str | None) -> Page[Inbox]:
        """Return a page of inboxes, newest first."""
        return await access.read(rows.page, limit, cursor, clock.now())

    async def arrivals(
        self, access: Access, inbox: Inbox, limit: int, cursor: str | None
    ) -> Page[Arrival]:
        """Return a page of what has come by an inbox and is still there, newest first."""
        return await access.needing("files:read").read(
            arrivals.page, self._members, inbox.id, limit, cursor, clock.now()
        )

    async def change(self, access: Access, uuid: str, facts: Mapping[str, Any]) -> Inbox:
        """Change an inbox: its ``title``, ``message``, ``max_files``, ``max_bytes``.

        And its link: how many seconds it is open from now (``expires_in``), its ``password``. None
        is none. Raises `NotFound` and `InvalidRequest`.
        """
        if facts.get("expires_in") is not None:
            self._check_lifetime(facts["expires_in"])
        columns = await self._links.hashed(access, facts)
        link = self._links.new_own_link()
        return await access.write(rows.change, uuid, columns, link, clock.now())

    async def remove(self, access: Access, uuid: str) -> None:
        """Delete an inbox at once; what has come by it stays. Raises `NotFound`."""
        await access.write(rows.remove, uuid, clock.now())
        self._wake_sweep()

    async def look(self, access: Access) -> tuple[Identity, Mark]:
        """Return who asks, and how much has come that they haven't seen."""
        return await access.read(rows.look)

    async def see(self, access: Access) -> None:
        """Note that the owner has seen all that has come."""
        account = await access.write(rows.see)
        if account is not None:
            await self._changes.announce(account, _SEEN)

    def listen(self, access: Access) -> AbstractAsyncContextManager[AsyncIterator[Mark | None]]:
        """Listen to what comes, see `Changes.listen`."""
        return self._changes.listen(access)

    # Strangers

    async def find_open(self, token: str) -> PublicInbox | None:
        """Return the open inbox of a token, if there is one."""
        return await self._database.read(giving.find, token, clock.now())

    async def open(self, token: str) -> PublicInbox:
        """Return the open inbox of a token; raises `NotFound`."""
        inbox = await self.find_open(token)
        if inbox is None:
            raise NotFound("No such link, or it has expired")
        return inbox

    async def give(self, inbox: PublicInbox, address: str, gift: Gift, body: Body) -> Receipt:
        """Take a file from a stranger; raises what `giving.take` does, and what uploads do."""
        await self.count(inbox, address)
        body = replace(body, chunks=_limited(body, inbox.bytes_left))
        return await self.receive(self.access_of(inbox, address), gift, body)

    async def give_all(
        self, inbox: PublicInbox, address: str, sent: AsyncGenerator[tuple[Gift, Body], None]
    ) -> Sequence[Receipt]:
        """Take all files of a form, or none; several become a bundle.

        Raises `InvalidRequest` if there is none, and as `give` does.
        """
        access, left = self.access_of(inbox, address), inbox.bytes_left

        async def counted() -> AsyncGenerator[tuple[Gift, Body], None]:
            async for gift, body in sent:
                await self.count(inbox, address)
                yield gift, replace(body, chunks=_limited(body, left))

        admit = self._admission(None)
        receiving = self._uploads.receive_all(
            access, counted(), kind=OBJECTS, admission=lambda _: admit
        )
        async with receiving as arrived:
            if not arrived:
                raise InvalidRequest("The form has no file")
            await access.write(giving.take, arrived, None, clock.now())
        return [_receipt(gift, received) for gift, received in arrived]

    async def receive(
        self, access: Access, gift: Gift, body: Body, delivery: Delivery | None = None
    ) -> Receipt:
        """Take a file from a stranger whose ``access`` is that of `access_of`."""
        is_there = body.arrived is not None
        admit = (
            partial(giving.admit_end, now=clock.now()) if is_there else self._admission(body.size)
        )
        async with self._uploads.receive(access, body, kind=OBJECTS, admit=admit) as received:
            await access.write(giving.take, [(gift, received)], delivery, clock.now())
        return _receipt(gift, received)

    async def count(self, inbox: PublicInbox, address: str) -> None:
        """Count a file from an address; raises `TooManyRequests` after too many."""
        await count_all(self._rate_limits, by_address(INBOX_GIFTS, address, inbox.uuid))

    def access_of(self, inbox: PublicInbox, address: str) -> Access:
        """Return the access of a stranger at an address, who may give to an inbox."""
        network = networks_of(address)[0]
        client = hashlib.sha256(f"{inbox.uuid} {network}".encode()).digest()
        return Access(
            self._database, OpenedInbox(inbox.owner, inbox.id, client, inbox.title), GIVING
        )

    def _admission(self, size: int | None) -> Admit:
        return partial(giving.admit, size=size, now=clock.now())

    def _check_lifetime(self, seconds: int) -> None:
        if not self._min_lifetime <= seconds <= self._max_lifetime:
            detail = f"An inbox is open for {self._min_lifetime} to {self._max_lifetime} seconds"
            raise bounds.refusal("expires_in", detail)


def _receipt(gift: Gift, received: Received) -> Receipt:
    return Receipt(gift.name, received.size, received.sha256)


async def _limited(body: Body, left: int | None) -> AsyncIterator[bytes]:
    """Yield a body, until it is more than the inbox takes."""
    size = 0
    async for chunk in body.chunks:
        size += len(chunk)
        if left is not None and size > left:
            raise InboxOverflow(left)
        yield chunk
