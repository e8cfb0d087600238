"""Use-cases of one-time links: administrators hand them out, their receivers use them once."""

from collections.abc import Callable, Mapping
from functools import partial

from uuid_utils import uuid7

from app import clock
from app.accounts import fields, registration
from app.accounts.entities import Account
from app.accounts.identity import Access
from app.accounts.welcome import letters, rows
from app.accounts.welcome.entities import Invitation, Link, NewInvitation, NewReset, Offer
from app.config import Settings
from app.database import Database
from app.database.pagination import Page
from app.errors import FieldError, InvalidRequest
from app.events.entities import actor_of_request
from app.mail.mailer import Mailer
from app.security import one_time_tokens
from app.security.passwords import Passwords
from app.security.rate_limits import RateLimits, counting_misses

UrlOf = Callable[[str], str]
"""Makes the URL of a token."""


class Welcome:
    """Invites people, and lets those who forgot their password set another."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        limits: RateLimits,
        mailer: Mailer,
        settings: Settings,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._limits = limits
        self._mailer = mailer
        self._default_tier = settings.default_tier

    # Administrators

    async def invite(
        self,
        access: Access,
        *,
        tier: str | None,
        is_admin: bool,
        email: str | None,
        expires_in: int,
        url_of: UrlOf,
    ) -> tuple[Link, Invitation]:
        """Invite somebody for ``expires_in`` seconds, by mail if there is an address.

        Without a ``tier`` it is that of all new accounts. Raises `InvalidRequest`.
        """
        token, now = one_time_tokens.generate(), clock.now()
        new = NewInvitation(
            uuid=str(uuid7()),
            token_hash=one_time_tokens.hash_of(token),
            tier=tier or self._default_tier,
            is_admin=is_admin,
            email=email,
            created_at=now,
            expires_at=now + expires_in * clock.SECOND,
        )
        invitation = await access.write(rows.invite, new)
        url = url_of(token)
        return await self._mailed(url, email, letters.of_invitation(url, invitation)), invitation

    async def invitations(self, access: Access, limit: int, cursor: str | None) -> Page[Invitation]:
        """Return a page of the invitations that can be accepted, newest first."""
        return await access.read(rows.list_invitations, limit, cursor, clock.now())

    async def take_back(self, access: Access, uuid: str) -> None:
        """End an invitation at once; raises `NotFound`."""
        await access.write(rows.take_back, uuid)

    async def offer_reset(
        self,
        access: Access,
        uuid: str,
        expires_in: int,
        *,
        ends_second_factor: bool,
        url_of: UrlOf,
    ) -> tuple[Link, Account, NewReset]:
        """Offer an account's owner a new password for ``expires_in`` seconds, by mail if possible.

        Raises `NotFound`, `Forbidden` and `Conflict`.
        """
        token, now = one_time_tokens.generate(), clock.now()
        until = now + expires_in * clock.SECOND
        new = NewReset(one_time_tokens.hash_of(token), now, until, ends_second_factor)
        account = await access.write(rows.offer_reset, uuid, new)
        url = url_of(token)
        letter = letters.of_reset(url, account.username, new)
        return await self._mailed(url, account.email, letter), account, new

    async def _mailed(self, url: str, email: str | None, letter: letters.Letter) -> Link:
        return Link(url, email is not None and await self._mailer.send(email, *letter))

    # Receivers

    async def open(self, token: str, *, address: str) -> Offer:
        """Return what a link offers, to the client at ``address``.

        Raises `NotFound`, and `TooManyRequests` after too many of these.
        """
        async with counting_misses(self._limits, address):
            digest = one_time_tokens.hash_of(token)
            return await self._database.read(rows.find, digest, clock.now())

    async def accept(
        self, token: str, password: str, given: Mapping[str, str | None], *, address: str
    ) -> Account:
        """Use a link up: make its account, or set the account's password.

        Of an invitation, ``given`` has the ``username``, and the ``email`` unless it is that of the
        invitation. A new password ends sessions and API keys. Raises what `open` raises,
        `InvalidRequest`, `UsernameTaken` and `EmailTaken`; the link stays good.
        """
        offer = await self.open(token, address=address)
        digest = one_time_tokens.hash_of(token)
        async with counting_misses(self._limits, address):
            if offer.username is not None:
                return await self._reset(digest, offer.username, offer.email, password)
            username = given.get("username")
            if username is None:
                missing = FieldError(loc=["body", "username"], msg="Field required")
                raise InvalidRequest("Choose a user name", errors=[missing])
            return await registration.sign_up(
                self._database,
                self._passwords,
                username=username,
                email=given.get("email", offer.email),
                password=password,
                tier=offer.tier,
                make=partial(rows.accept_invitation, token_hash=digest, now=clock.now()),
            )

    async def _reset(
        self, digest: bytes, username: str, email: str | None, password: str
    ) -> Account:
        await fields.check(self._passwords, username, email, password)
        hashed = await self._passwords.hash(password)
        actor = actor_of_request(clock.now())
        return await self._database.write(rows.use_reset, digest, hashed, actor)
