"""Quotas: the bytes and objects that an account is charged for, limited by its tier."""

from typing import Final

from sqlalchemy import BigInteger, Connection, bindparam, select, update

from app.accounts.identity import Identity
from app.accounts.tables import accounts
from app.database import Statement
from app.errors import QuotaExceeded

_UNLIMITED: Final = 2**62

_charge = Statement(
    update(accounts)
    .where(
        accounts.c.id == bindparam("account_id"),
        accounts.c.used_bytes + bindparam("size", type_=BigInteger)
        <= bindparam("max_bytes", type_=BigInteger),
        accounts.c.used_objects + bindparam("slots", type_=BigInteger)
        <= bindparam("max_objects", type_=BigInteger),
    )
    .values(
        used_bytes=accounts.c.used_bytes + bindparam("size", type_=BigInteger),
        used_objects=accounts.c.used_objects + bindparam("slots", type_=BigInteger),
    )
)
_used = Statement(select(accounts.c.used_bytes).where(accounts.c.id == bindparam("account_id")))
_lock_account = Statement(
    select(accounts.c.id)
    .where(accounts.c.id == bindparam("account_id"))
    .with_for_update(key_share=True)  # who only refers to it, as an event does, need not wait
)


def lock_account(connection: Connection, account_id: int) -> None:
    """Lock an account: other writers of what it keeps wait until the transaction ends."""
    _lock_account(connection, account_id=account_id)


def charge(connection: Connection, identity: Identity, size: int, slots: int) -> None:
    """Charge an account for ``size`` bytes and ``slots`` objects, or raise `QuotaExceeded`.

    One conditional UPDATE, so that no race overshoots. What isn't asked for isn't checked: a
    replacement needs no slot, even in an account that a lower tier left over its limit.
    """
    tier = identity.tier
    charged = _charge(
        connection,
        account_id=identity.account_id,
        size=size,
        slots=slots,
        max_bytes=_limit(tier.max_total_bytes if size > 0 else None),
        max_objects=_limit(tier.max_objects if slots > 0 else None),
    )
    if charged.rowcount == 0:
        raise QuotaExceeded("The account has no storage left for this")


def require_storage_for(connection: Connection, identity: Identity, size: int) -> None:
    """Raise `QuotaExceeded` unless an account may be charged for ``size`` more bytes just now."""
    limit = identity.tier.max_total_bytes
    if limit is not None:
        used = _used(connection, account_id=identity.account_id).scalar_one()
        if used + size > limit:
            raise QuotaExceeded("The account has no storage left for this")


def give_back(connection: Connection, account_id: int, size: int, slots: int) -> None:
    """Undo a `charge`."""
    _charge(
        connection,
        account_id=account_id,
        size=-size,
        slots=-slots,
        max_bytes=_UNLIMITED,
        max_objects=_UNLIMITED,
    )


def _limit(limit: int | None) -> int:
    return _UNLIMITED if limit is None else limit
