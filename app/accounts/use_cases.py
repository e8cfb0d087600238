"""Use-cases of accounts and tiers, for their owners and for administrators."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from app import clock
from app.accounts import administration, fields, registration, rows, tiers
from app.accounts.entities import Account, TierRecord
from app.accounts.identity import Access
from app.accounts.logins.authentication import Guard, verify_password
from app.accounts.registration import Registration
from app.config import Settings
from app.database.pagination import Page
from app.events.entities import actor_of_request
from app.security.rate_limits import SIGN_UP, by_address, count_all


class Accounts:
    """Registers, changes and deletes accounts."""

    def __init__(self, guard: Guard, settings: Settings, *, wake_purge: Callable[[], None]) -> None:
        self._guard = guard
        self._database = guard.database
        self._passwords = guard.passwords
        self._limits = guard.limits
        self._settings = settings
        self._wake_purge = wake_purge

    async def are_there(self) -> bool:
        """Tell whether there is any account but the built-in one."""
        return await self._database.read(registration.has_accounts)

    async def registration(self) -> Registration:
        """Return to whom registration is open now."""
        chosen = self._settings.registration
        if chosen is not None:
            return Registration.ALL if chosen == "open" else Registration.NOBODY
        # a request from this host proves nothing: a proxy may run here, and pass on anybody's
        if not self._settings.is_private or await self.are_there():
            return Registration.NOBODY
        return Registration.FIRST

    async def sign_up(
        self,
        username: str,
        email: str | None,
        password: str,
        *,
        address: str,
        permit: Callable[[], Awaitable[None]],
    ) -> Account:
        """Make an account for the client at ``address``.

        ``permit`` is called if registration is closed, and raises unless an administrator asks.
        Raises `TooManyRequests`, and what `registration.sign_up` raises.
        """
        opened_to = await self.registration()
        if opened_to is Registration.NOBODY:
            await permit()
        else:
            await count_all(self._limits, by_address(SIGN_UP, address))
        is_first = opened_to is Registration.FIRST
        return await registration.sign_up(
            self._database,
            self._passwords,
            username=username,
            email=email,
            password=password,
            tier=self._settings.default_tier,
            make=registration.create_first if is_first else rows.create,
        )

    async def create_admin(self, username: str, password: str) -> Account:
        """Make an administrator; raises `InvalidRequest` and `Conflict`."""
        return await registration.sign_up(
            self._database,
            self._passwords,
            username=username,
            email=None,
            password=password,
            tier=self._settings.default_tier,
            is_admin=True,
        )

    async def reset_password(
        self, username: str, password: str, *, ends_second_factor: bool
    ) -> Account:
        """Give an account a new password, which ends its sessions and API keys.

        For whoever runs the service. Raises `NotFound` and `InvalidRequest`.
        """
        account = await self.named(username)
        await fields.check(self._passwords, account.username, account.email, password)
        password_hash = await self._passwords.hash(password)
        actor = actor_of_request(clock.now())
        await self._database.write(
            administration.set_password,
            account.uuid,
            password_hash,
            actor,
            ends_second_factor=ends_second_factor,
        )
        return account

    async def named(self, username: str) -> Account:
        """Return the account of that name, without case; for whoever runs the service.

        Raises `NotFound`.
        """
        return await self._database.read(administration.named, username)

    async def is_there(self, uuid: str) -> bool:
        """Tell whether there is such an account, active and not deleted."""
        return await self._database.read(rows.is_there, uuid)

    async def profile(self, access: Access) -> Account:
        """Return the caller's account."""
        return await access.read(rows.profile)

    async def update_own(
        self,
        access: Access,
        current_password: str,
        otp: str | None,
        changes: Mapping[str, str | None],
    ) -> Account:
        """Set the caller's ``email`` or ``password``; a new password ends its sessions and keys.

        Raises `Forbidden` for a wrong current password, `ConfirmationNeeded` for a wrong code,
        `InvalidRequest` for a bad new password, and `EmailTaken`.
        """
        verified = await self._verify(access, current_password, otp)
        columns = {"email": changes["email"]} if "email" in changes else {}
        password = changes.get("password")
        if password is not None:
            account = await self.profile(access)
            email = changes.get("email", account.email)
            await fields.check(self._passwords, account.username, email, password)
            columns["password_hash"] = await self._passwords.hash(password)
        return await access.write(rows.change, verified, columns)

    async def describe(self, access: Access, facts: Mapping[str, str | None]) -> Account:
        """Set the caller's ``display_name`` or ``source_url``, which take no password."""
        return await access.write(rows.describe, facts)

    async def delete_own(self, access: Access, password: str, otp: str | None = None) -> None:
        """Delete the caller's account and all it has.

        Raises `Forbidden` for a wrong password, and `ConfirmationNeeded` for a wrong code.
        """
        verified = await self._verify(access, password, otp)
        await access.write(rows.delete_own, verified, clock.now())
        self._wake_purge()

    async def search(
        self, access: Access, query: str | None, limit: int, cursor: str | None
    ) -> Page[Account]:
        """List accounts, newest first; ``query`` is a part of the name or address, without case."""
        return await access.read(administration.search, query, limit, cursor)

    async def find(self, access: Access, uuid: str) -> Account:
        """Return an account; raises `NotFound`."""
        return await access.read(administration.get, uuid)

    async def administer(self, access: Access, uuid: str, changes: Mapping[str, Any]) -> Account:
        """Set an account's ``tier`` (a name), ``is_active`` or ``is_admin``.

        Deactivation ends its sessions and API keys. Raises `NotFound`, `Forbidden` and `Conflict`.
        """
        return await access.write(administration.change, uuid, changes)

    async def delete(self, access: Access, uuid: str) -> None:
        """Delete an account and all it has; raises `NotFound`, `Forbidden` and `Conflict`."""
        await access.write(administration.delete, uuid, clock.now())
        self._wake_purge()

    async def _verify(self, access: Access, password: str, otp: str | None) -> str:
        return await verify_password(access, self._guard, password, otp)


class Tiers:
    """Makes, changes and deletes tiers; for administrators."""

    def __init__(self, settings: Settings) -> None:
        self._default = settings.default_tier

    def is_default(self, tier: TierRecord) -> bool:
        """Tell whether new accounts get this tier."""
        return tiers.key_of(tier.name) == tiers.key_of(self._default)

    async def page(self, access: Access, limit: int, cursor: str | None) -> Page[TierRecord]:
        """Return a page of the tiers, newest first."""
        return await access.read(tiers.list_all, limit, cursor)

    async def find(self, access: Access, uuid: str) -> TierRecord:
        """Return a tier; raises `NotFound`."""
        return await access.read(tiers.get, uuid)

    async def create(self, access: Access, facts: Mapping[str, Any]) -> TierRecord:
        """Make a tier; raises `Conflict` when its name is taken."""
        return await access.write(tiers.create, tiers.new_tier(**facts))

    async def change(self, access: Access, uuid: str, facts: Mapping[str, Any]) -> TierRecord:
        """Change a tier; raises `NotFound`, and `Conflict` if its new name is taken or reserved."""
        return await access.write(tiers.change, uuid, facts, self._default)

    async def delete(self, access: Access, uuid: str) -> None:
        """Delete a tier that no account has; raises `NotFound` and `Conflict`."""
        await access.write(tiers.remove, uuid, self._default)
