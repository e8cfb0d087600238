"""Limits on what public keys submit: a rate, and a budget of bytes in each account.

An API key that may only submit dumps ships inside applications, where anybody can read it. A dump
that is archived or replaced leaves the budget.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import BigInteger, Connection, bindparam, func, select, update

from app.accounts.identity import Identity
from app.accounts.tables import accounts
from app.database import Statement
from app.dumps.tables import dumps
from app.errors import QuotaExceeded
from app.security.rate_limits import RateLimits, Rule, by_address, count_all

_BATCH: Final = 500
_LEAST: Final = 1024  # bytes that a submission counts as, since its row takes space too

_add = Statement(
    update(accounts)
    .where(accounts.c.id == bindparam("account_id"))
    .values(submitted_bytes=accounts.c.submitted_bytes + bindparam("size", type_=BigInteger))
)
_total = Statement(
    select(accounts.c.submitted_bytes).where(accounts.c.id == bindparam("account_id"))
)
_oldest = Statement(
    select(dumps.c.id, dumps.c.object_id, dumps.c.submitted_bytes)
    .where(dumps.c.account_id == bindparam("account_id"), dumps.c.submitted_bytes.is_not(None))
    .order_by(dumps.c.id)
    .limit(bindparam("limit"))
)


async def check_rate(
    limits: RateLimits, identity: Identity, address: str, *, per_minute: int
) -> None:
    """Count a submission by a public key from an address; raises `TooManyRequests`."""
    if identity.only_submits and identity.key is not None:
        rule = Rule("submissions", per_minute, 60)
        await count_all(limits, by_address(rule, address, identity.key))


def size_of(sizes: Sequence[int], annotations: Mapping[str, str]) -> int:
    """Return the bytes that a submission counts as: its files and annotations."""
    return max(_LEAST, sum(sizes) + len(json.dumps(annotations)))


def count(connection: Connection, account_id: int, size: int) -> None:
    """Add a submission to the budget of a locked account."""
    _add(connection, account_id=account_id, size=size)


def release(connection: Connection, account_id: int, ids: Sequence[int]) -> None:
    """Take dumps out of the budget that are deleted, archived or replaced."""
    submitted = select(func.sum(dumps.c.submitted_bytes)).where(
        dumps.c.account_id == account_id,
        dumps.c.id.in_(ids),
        dumps.c.submitted_bytes.is_not(None),
    )
    size = connection.execute(submitted).scalar()
    if size:
        _add(connection, account_id=account_id, size=-int(size))


def shrink(connection: Connection, account_id: int, dump_id: int) -> None:
    """Count a submitted dump whose bytes are dropped as little: it can still be evicted."""
    its = dumps.c.id == dump_id
    if connection.execute(select(dumps.c.submitted_bytes).where(its)).scalar() is not None:
        release(connection, account_id, [dump_id])
        count(connection, account_id, _LEAST)
        connection.execute(update(dumps).where(its).values(submitted_bytes=_LEAST))


def oldest(
    connection: Connection, account_id: int, size: int, budget: int
) -> Iterator[Mapping[int, int]]:
    """Yield the oldest submitted dumps, with their objects, until ``size`` bytes more would fit.

    They come in batches; each must be deleted before the next. Raises `QuotaExceeded` when
    ``size`` is more than the whole ``budget``.
    """
    if size > budget:
        raise QuotaExceeded(f"Submissions to an account may have {budget} bytes in all")
    over = _total(connection, account_id=account_id).scalar_one() + size - budget
    while over > 0 and (rows := _oldest(connection, account_id=account_id, limit=_BATCH).rows):
        batch = {}
        for row in rows:
            if over <= 0:
                break
            batch[row.id] = row.object_id
            over -= row.submitted_bytes
        yield batch
