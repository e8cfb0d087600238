"""Password checks: at a login, and before changes that need the current password."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, select

from app import clock
from app.accounts.entities import Login
from app.accounts.fields import USERNAME_FORM
from app.accounts.identity import Access, Identity
from app.accounts.otp import pending
from app.accounts.otp import rows as otp_rows
from app.accounts.quota import lock_account
from app.accounts.tables import accounts
from app.database import Database
from app.errors import (
    ConfirmationNeeded,
    Forbidden,
    SecondFactorNeeded,
    TooManyRequests,
    Unauthorized,
)
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
    SECOND_FACTOR,
    Counter,
    RateLimits,
    by_address,
    check_all,
    count_all,
)
from app.security.sealing import Seal

WRONG_CODE: Final = "The code is wrong, or has been used"


@dataclass(frozen=True, slots=True)
class Client:
    """Who signs in: the client's address, and the ids of its device, by account that it knows."""

    address: str
    devices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Guard:
    """What logins are checked by."""

    database: Database
    passwords: Passwords
    limits: RateLimits
    seal: Seal
    """Of second factors."""
    pending_keys: Sequence[bytes]
    """Of the proofs that a password was right, the one to sign with first."""


async def authenticate(
    guard: Guard, username: str, password: str, otp: str | None, client: Client
) -> Login:
    """Check a password, and the code of an account with a second factor.

    An unknown name takes as long as a wrong password. Raises `Unauthorized`, `SecondFactorNeeded`
    where the password is right, and `TooManyRequests` after too many failures.
    """
    key = username.lower() if USERNAME_FORM.fullmatch(username) else None
    found = await guard.database.read(_login_of, key) if key else None
    counters = _counters_of(client, key, found)
    async with guard.passwords.turn():
        await _check(guard.limits, counters, client)
        right = await guard.passwords.verify(password, found.password_hash if found else None)
        if found is not None and right:
            await _check_code(guard, found, otp, client)
            return found
        await count_all(guard.limits, counters)
        await guard.database.write(_note_failure, found, Actor(clock.now(), client.address))
    raise Unauthorized("Invalid credentials")


async def authenticate_by_code(guard: Guard, proof: str, otp: str, client: Client) -> Login:
    """Check the code of somebody whose password was right, of which there is a proof.

    Raises as `authenticate` does.
    """
    account = pending.account_of(proof)
    found = await guard.database.read(_login_by, account) if account else None
    keys = guard.pending_keys
    if found is None or not pending.is_proof(keys, proof, found.password_hash, clock.now()):
        raise Unauthorized("Too much time has passed: enter your password again")
    async with guard.passwords.turn():
        await _check(guard.limits, _counters_of(client, found.username.lower(), found), client)
        await _check_code(guard, found, otp, client)
    return found


async def _check(limits: RateLimits, counters: list[Counter], client: Client) -> None:
    try:
        await check_all(limits, counters)
    except TooManyRequests:
        lines.write_line(EventType.LOGIN_LIMITED, address=client.address)
        raise


async def _check_code(guard: Guard, found: Login, otp: str | None, client: Client) -> None:
    """Use a code up; wrong ones count as wrong passwords do, and for the account beside."""
    if not found.has_second_factor:
        return
    now = clock.now()
    keys = guard.pending_keys
    proof = pending.proof_of(keys, found.account, found.password_hash, now)
    if otp is None:
        raise SecondFactorNeeded(proof=proof)
    is_known = found.account in client.devices
    own = (SECOND_FACTOR, f"devices of {found.account}" if is_known else found.account)
    await _check(guard.limits, [own], client)
    actor = Actor(now, client.address, found.account, found.username)
    if not await guard.database.write(otp_rows.use, found.account_id, guard.seal, otp, actor):
        counters = _counters_of(client, found.username.lower(), found)
        await count_all(guard.limits, [*counters, own])
        await guard.database.write(_note_wrong_code, found.account_id, actor)
        raise SecondFactorNeeded(WRONG_CODE, proof=proof)


def _counters_of(client: Client, key: str | None, found: Login | None) -> list[Counter]:
    device = client.devices.get(found.account) if found else None
    return _of_stranger(key, client.address) if device is None else _of_device(device, key)


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


_logins: Final = select(
    accounts.c.id, accounts.c.uuid, accounts.c.username, accounts.c.password_hash, otp_rows.IS_ON
).where(
    accounts.c.password_hash.is_not(None), accounts.c.is_active, accounts.c.deleted_at.is_(None)
)


def _login_of(connection: Connection, username_key: str) -> Login | None:
    row = connection.execute(_logins.where(accounts.c.username_key == username_key)).first()
    return None if row is None else Login(*row)


def _login_by(connection: Connection, uuid: str) -> Login | None:
    row = connection.execute(_logins.where(accounts.c.uuid == uuid)).first()
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


async def verify_password(access: Access, guard: Guard, password: str, otp: str | None) -> str:
    """Verify the caller's password, and a code if there is a second factor; returns the hash.

    The change that it permits must compare the hash with the current one (`hold_password`).
    Failures count against the caller's session alone, so that nobody else can use them up. Raises
    `Forbidden`, and `ConfirmationNeeded` where the password is right.
    """
    identity, hashed, has_second_factor = await access.read(_own_password)
    counters: list[Counter] = [(PASSWORD_CHECK, identity.session or identity.account_uuid)]
    async with guard.passwords.turn():
        await check_all(guard.limits, counters)
        if hashed is not None and await guard.passwords.verify(password, hashed):
            if has_second_factor:
                await _confirm(access, guard, otp, counters)
            return hashed
        await count_all(guard.limits, counters)
        await access.write(_note_refusal)
    raise Forbidden("The current password is wrong")


async def _confirm(access: Access, guard: Guard, otp: str | None, counters: list[Counter]) -> None:
    if otp is None:
        raise ConfirmationNeeded
    if not await access.write(_use_own, guard.seal, otp):
        await count_all(guard.limits, counters)
        await access.write(_note_own_wrong_code)
        raise ConfirmationNeeded(WRONG_CODE)


def _own_password(connection: Connection, identity: Identity) -> tuple[Identity, str | None, bool]:
    own = accounts.c.id == identity.account_id
    row = connection.execute(select(accounts.c.password_hash, otp_rows.IS_ON).where(own)).one()
    return identity, row[0], bool(row[1])


def _use_own(connection: Connection, identity: Identity, seal: Seal, otp: str) -> bool:
    return otp_rows.use(connection, identity.account_id, seal, otp, identity.actor)


def _note_refusal(connection: Connection, identity: Identity) -> None:
    count(connection, EventType.PASSWORD_CHECK_FAILED, identity.account_id, identity.actor)


def _note_own_wrong_code(connection: Connection, identity: Identity) -> None:
    _note_wrong_code(connection, identity.account_id, identity.actor)


def _note_wrong_code(connection: Connection, account_id: int, actor: Actor) -> None:
    count(connection, EventType.SECOND_FACTOR_FAILED, account_id, actor)


def hold_password(connection: Connection, identity: Identity, verified: str) -> None:
    """Raise `Forbidden` if the password has changed since it was verified."""
    lock_account(connection, identity.account_id)
    if _own_password(connection, identity)[1] != verified:
        raise Forbidden("The current password is wrong")
