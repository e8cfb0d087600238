"""The second factor of one's own account: a device's codes beside the password."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import Connection

from app import clock
from app.accounts.identity import Access, Identity
from app.accounts.logins.authentication import WRONG_CODE, Guard, hold_password, verify_password
from app.accounts.otp import codes, rows
from app.accounts.otp.entities import Enrolment, State
from app.config import Settings
from app.errors import Conflict, FieldError, InvalidRequest, NotFound
from app.events.entities import EventType
from app.security.sealing import Seal


class SecondFactor:
    """Turns second factors on and off."""

    def __init__(self, guard: Guard, settings: Settings) -> None:
        self._guard = guard
        host = urlsplit(settings.public_url).hostname if settings.public_url else None
        self._issuer = f"Holdall {host}" if host else "Holdall"

    async def renew_seals(self) -> None:
        """Seal all secrets by the first signing key, so that older ones can be taken away."""
        database, seal = self._guard.database, self._guard.seal
        for number, sealed, account in await database.read(rows.sealed_secrets):
            renewed = seal.renew(sealed, account.encode())
            if renewed is not None:
                await database.write(rows.replace, number, sealed, renewed)

    async def state(self, access: Access) -> State:
        """Return what the caller's account has."""
        return await access.read(_state)

    async def begin(self, access: Access, password: str) -> Enrolment:
        """Make a secret, which a code must `confirm`, in place of any other that waits for it.

        Raises `Forbidden` for a wrong password, and `Conflict` if there is a second factor.
        """
        if (await self.state(access)).enabled_at is not None:
            raise Conflict("The account has a second factor: turn it off first")
        verified = await verify_password(access, self._guard, password, None)
        identity = await access.identity()
        secret = codes.new_secret()
        sealed = self._guard.seal.close(secret, identity.account_uuid.encode())
        await access.write(_begin, verified, sealed, clock.now())
        uri = codes.uri_of(secret, identity.username, self._issuer)
        return Enrolment(codes.text_of(secret), uri)

    async def confirm(self, access: Access, otp: str) -> Sequence[str]:
        """Turn on what `begin` has made; returns the recovery codes.

        Raises `InvalidRequest` for a wrong code, and `NotFound` if nothing waits for one.
        """
        made = codes.new_recovery_codes()
        hashes = [codes.hash_of(code) for code in made]
        await access.write(_confirm, self._guard.seal, otp, hashes, clock.now())
        return made

    async def renew_codes(self, access: Access, password: str, otp: str | None) -> Sequence[str]:
        """Make new recovery codes in place of the old ones; returns them.

        Raises `Forbidden`, `ConfirmationNeeded`, and `NotFound` without a second factor.
        """
        verified = await verify_password(access, self._guard, password, otp)
        made = codes.new_recovery_codes()
        hashes = [codes.hash_of(code) for code in made]
        await access.write(_renew, verified, hashes, clock.now())
        return made

    async def end(self, access: Access, password: str, otp: str | None) -> None:
        """Turn it off; raises `Forbidden`, `ConfirmationNeeded`, and `NotFound` if it is."""
        verified = await verify_password(access, self._guard, password, otp)
        await access.write(_end, verified)


def _state(connection: Connection, identity: Identity) -> State:
    return rows.state(connection, identity.account_id)


def _begin(
    connection: Connection, identity: Identity, verified: str, sealed: bytes, now: int
) -> None:
    hold_password(connection, identity, verified)
    rows.begin(connection, identity.account_id, sealed, now)


def _confirm(
    connection: Connection,
    identity: Identity,
    seal: Seal,
    otp: str,
    hashes: Sequence[bytes],
    now: int,
) -> None:
    if not rows.confirm(connection, identity.account_id, seal, otp, hashes, now):
        wrong = FieldError(loc=["body", "otp"], msg=f"{WRONG_CODE}; is the device's clock right?")
        raise InvalidRequest(wrong["msg"], errors=[wrong])
    identity.record(connection, EventType.SECOND_FACTOR_ENABLED)


def _renew(
    connection: Connection,
    identity: Identity,
    verified: str,
    hashes: Sequence[bytes],
    now: int,
) -> None:
    hold_password(connection, identity, verified)
    if rows.state(connection, identity.account_id).enabled_at is None:
        raise NotFound("The account has no second factor")
    rows.renew(connection, identity.account_id, hashes, now)
    identity.record(connection, EventType.RECOVERY_CODES_RENEWED)


def _end(connection: Connection, identity: Identity, verified: str) -> None:
    hold_password(connection, identity, verified)
    if not rows.remove(connection, identity.account_id):
        raise NotFound("The account has no second factor")
    identity.record(connection, EventType.SECOND_FACTOR_DISABLED)
