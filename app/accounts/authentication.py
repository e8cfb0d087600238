"""Password checks: at a login, and before changes that need the current password."""

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import Connection, select

from app import clock
from app.accounts.entities import Login
from app.accounts.fields import USERNAME_FORM
from app.accounts.identity import Access, Identity
from app.accounts.quota import lock_account
from app.accounts.tables import accounts
from app.database import Database
from app.errors import Forbidden, TooManyRequests, Unauthorized
from app.events import lines
from app.events.entities import Actor, EventType
from app.events.log import count
from app.security.credentials import SERVICE_ACCOUNT
from app.security.passwords import Passwords
from app.security.rate_limits import (
    LOGIN,
    LOGIN_BY_ADDRESS,
    LOGIN_BY_NAME,
    PASSWORD_CHECK,
    Counter,
    RateLimits,
    by_address,
    check_all,
    count_all,
)


async def authenticate(
    database: Database,
    passwords: Passwords,
    limits: RateLimits,
    *,
    username: str,
    password: str,
    address: str,
    devices: Mapping[str, str] = MappingProxyType({}),
) -> Login:
    """Check a password; raises `Unauthorized`, or `TooManyRequests` after too many failures.

    An unknown name takes as long as a wrong password. ``address`` is the client's; ``devices`` are
    the ids of its device, by account that has signed in from it.
    """
    key = username.lower() if USERNAME_FORM.fullmatch(username) else None
    found = await database.read(_login_of, key) if key else None
    device = devices.get(found.account) if found else None
    counters = _of_stranger(key, address) if device is None else _of_device(device, key)
    async with passwords.turn():
        try:
            await check_all(limits, counters)
        except TooManyRequests:
            lines.write_line(EventType.LOGIN_LIMITED, address=address)
            raise
        right = await passwords.verify(password, found.password_hash if found else None)
        if found is not None and right:
            return found
        await count_all(limits, counters)
        await database.write(_note_failure, found, Actor(clock.now(), address))
    raise Unauthorized("Invalid credentials")


def _of_stranger(key: str | None, address: str) -> list[Counter]:
    counters = by_address(LOGIN_BY_ADDRESS, address)
    if key is not None:
        counters += [*by_address(LOGIN, address, key), (LOGIN_BY_NAME, key)]
    return counters


def _of_device(device: str, key: str | None) -> list[Counter]:
    """Return the counters of a known device, which failures elsewhere don't count against.

    The devices of one name are counted together too: whoever knew its password once may have made
    any number.
    """
    return [(LOGIN, f"device {device}"), (LOGIN_BY_NAME, f"devices of {key}")]


def _login_of(connection: Connection, username_key: str) -> Login | None:
    row = connection.execute(
        select(accounts.c.id, accounts.c.uuid, accounts.c.username, accounts.c.password_hash).where(
            accounts.c.username_key == username_key,
            accounts.c.password_hash.is_not(None),
            accounts.c.is_active,
            accounts.c.deleted_at.is_(None),
        )
    ).first()
    return None if row is None else Login(*row)


def _note_failure(connection: Connection, found: Login | None, actor: Actor) -> None:
    """Count a failed login; of unknown names no more than that: some are passwords, mistyped."""
    is_owner = accounts.c.username_key == SERVICE_ACCOUNT
    if found is not None:
        is_owner = accounts.c.id == found.account_id
    account_id = connection.execute(select(accounts.c.id).where(is_owner)).scalar()
    if account_id is not None:  # it has just been deleted
        facts = {} if found is None else {"username": found.username}
        count(connection, EventType.LOGIN_FAILED, account_id, actor, **facts)


async def verify_password(
    access: Access, passwords: Passwords, limits: RateLimits, password: str
) -> str:
    """Verify the caller's password; returns the hash, or raises `Forbidden`.

    The change that it permits must compare the hash with the current one (`hold_password`).
    Failures count against the caller's session alone, so that nobody else can use them up.
    """
    identity, hashed = await access.read(_own_password)
    counters: list[Counter] = [(PASSWORD_CHECK, identity.session or identity.account_uuid)]
    async with passwords.turn():
        await check_all(limits, counters)
        if hashed is not None and await passwords.verify(password, hashed):
            return hashed
        await count_all(limits, counters)
        await access.write(_note_refusal)
    raise Forbidden("The current password is wrong")


def _own_password(connection: Connection, identity: Identity) -> tuple[Identity, str | None]:
    row = select(accounts.c.password_hash).where(accounts.c.id == identity.account_id)
    return identity, connection.execute(row).scalar_one()


def _note_refusal(connection: Connection, identity: Identity) -> None:
    count(connection, EventType.PASSWORD_CHECK_FAILED, identity.account_id, identity.actor)


def hold_password(connection: Connection, identity: Identity, verified: str) -> None:
    """Raise `Forbidden` if the password has changed since it was verified."""
    lock_account(connection, identity.account_id)
    if _own_password(connection, identity)[1] != verified:
        raise Forbidden("The current password is wrong")
