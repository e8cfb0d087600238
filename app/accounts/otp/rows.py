"""Rows of second factors and of their recovery codes. A code is used up by being looked at."""

from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy import Connection, delete, exists, func, insert, select, update

from app.accounts.otp import codes
from app.accounts.otp.entities import State
from app.accounts.quota import lock_account
from app.accounts.tables import accounts, recovery_codes, second_factors
from app.errors import Conflict, NotFound
from app.events.entities import Actor, EventType
from app.events.log import record
from app.security.sealing import Seal

IS_ON: Final = exists().where(
    second_factors.c.account_id == accounts.c.id, second_factors.c.enabled_at.is_not(None)
)
"""Whether an account of a query has a second factor."""

log = structlog.get_logger(__name__)


def state(connection: Connection, account_id: int) -> State:
    """Return what an account has."""
    own = second_factors.c.account_id == account_id
    enabled_at = connection.execute(select(second_factors.c.enabled_at).where(own)).scalar()
    left = select(func.count()).where(recovery_codes.c.account_id == account_id)
    return State(enabled_at, connection.execute(left).scalar_one())


def begin(connection: Connection, account_id: int, sealed: bytes, now: int) -> None:
    """Keep a secret until a code confirms it; raises `Conflict` if there is one that is used."""
    lock_account(connection, account_id)
    if state(connection, account_id).enabled_at is not None:
        raise Conflict("The account has a second factor: turn it off first")
    remove(connection, account_id)
    connection.execute(
        insert(second_factors).values(
            account_id=account_id, secret=sealed, enabled_at=None, last_step=0, created_at=now
        )
    )


def confirm(
    connection: Connection,
    account_id: int,
    seal: Seal,
    code: str,
    hashes: Sequence[bytes],
    now: int,
) -> bool:
    """Turn on what `begin` has kept; False if the code is none of it.

    Raises `NotFound` when there is nothing to be confirmed.
    """
    lock_account(connection, account_id)
    waiting = _select.where(
        second_factors.c.account_id == account_id, second_factors.c.enabled_at.is_(None)
    )
    row = connection.execute(waiting).first()
    if row is None:
        raise NotFound("There is no second factor to confirm")
    step = _step(row.secret, row.uuid, seal, code, now)
    if step is None:
        return False
    own = second_factors.c.account_id == account_id
    values = {"enabled_at": now, "last_step": step}
    connection.execute(update(second_factors).where(own).values(values))
    renew(connection, account_id, hashes, now)
    return True


def renew(connection: Connection, account_id: int, hashes: Sequence[bytes], now: int) -> None:
    """Replace the recovery codes of an account."""
    lock_account(connection, account_id)
    connection.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))
    rows = [{"account_id": account_id, "hash": each, "created_at": now} for each in hashes]
    connection.execute(insert(recovery_codes), rows)


def use(connection: Connection, account_id: int, seal: Seal, code: str, actor: Actor) -> bool:
    """Use a code up; False if it is wrong, or has been used. Without a second factor all are good.

    A code of the device works once, and none before it works after it.
    """
    lock_account(connection, account_id)
    own = second_factors.c.account_id == account_id
    row = connection.execute(_select.where(own, second_factors.c.enabled_at.is_not(None))).first()
    if row is None:
        return True
    step = _step(row.secret, row.uuid, seal, code, actor.at)
    if step is not None:
        newer = update(second_factors).where(own, second_factors.c.last_step < step)
        return connection.execute(newer.values(last_step=step)).rowcount == 1
    mine = delete(recovery_codes).where(
        recovery_codes.c.account_id == account_id, recovery_codes.c.hash == codes.hash_of(code)
    )
    if connection.execute(mine).rowcount == 0:
        return False
    left = state(connection, account_id).recovery_codes_left
    record(connection, EventType.RECOVERY_CODE_USED, account_id, actor, left=left)
    return True


def sealed_secrets(connection: Connection) -> Sequence[tuple[int, bytes, str]]:
    """Return the id of each second factor, its sealed secret, and the uuid of its account."""
    query = _select.add_columns(second_factors.c.id)
    return [(row.id, row.secret, row.uuid) for row in connection.execute(query)]


def replace(connection: Connection, id: int, before: bytes, after: bytes) -> None:  # noqa: A002
    """Replace a sealed secret, unless that has just been done."""
    same = update(second_factors).where(
        second_factors.c.id == id, second_factors.c.secret == before
    )
    connection.execute(same.values(secret=after))


def remove(connection: Connection, account_id: int) -> bool:
    """Remove a second factor with its recovery codes; returns whether it was on."""
    was_on = state(connection, account_id).enabled_at is not None
    for table in (recovery_codes, second_factors):
        connection.execute(delete(table).where(table.c.account_id == account_id))
    return was_on


_select = select(second_factors.c.secret, accounts.c.uuid).select_from(
    second_factors.join(accounts)
)


def _step(sealed: bytes, account: str, seal: Seal, code: str, now: int) -> int | None:
    secret = seal.open(sealed, account.encode())
    if secret is None:
        log.error("a second factor was sealed by a signing key that is not set", account=account)
        return None
    return codes.step_of(secret, code, now)
