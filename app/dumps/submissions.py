"""What public keys submit: how often, and how much of it is kept.

A key that may do nothing with dumps but submit them ships inside applications, where anyone can
read it. So what comes by such keys has a rate, and a budget of bytes in each account. What somebody
archives or replaces is the account's own from then on.
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
_LEAST: Final = 1024  # bytes that a submission counts for: its row takes some too

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


async def admit(limits: RateLimits, identity: Identity, address: str, *, per_minute: int) -> None:
    """Count a submission by a public key from an address; raises `TooManyRequests`."""
    if identity.only_submits and identity.key is not None:
        rule = Rule("submissions", per_minute, 60)
        await count_all(limits, by_address(rule, address, identity.key))


def size_of(sizes: Sequence[int], annotations: Mapping[str, str]) -> int:
    """Return what a submission counts for: its files and annotations."""
    return max(_LEAST, sum(sizes) + len(json.dumps(annotations)))


def count(connection: Connection, account_id: int, size: int) -> None:
    """Count what was submitted to an account that is locked."""
    _add(connection, account_id=account_id, size=size)


def release(connection: Connection, account_id: int, ids: Sequence[int]) -> None:
    """Count dumps no more that are to go, or have become their account's own."""
    submitted = select(func.sum(dumps.c.submitted_bytes)).where(
        dumps.c.account_id == account_id,
        dumps.c.id.in_(ids),
        dumps.c.submitted_bytes.is_not(None),
    )
    size = connection.execute(submitted).scalar()
    if size:
        _add(connection, account_id=account_id, size=-int(size))


def too_many(
    connection: Connection, account_id: int, size: int, budget: int
) -> Iterator[Mapping[int, int]]:
    """Yield the oldest submitted dumps that must go so that ``size`` bytes fit into ``budget``.

    They come in batches, with their objects, each when the one before has gone. Raises
    `QuotaExceeded` when not even that would do.
    """
    if size > budget:
        raise QuotaExceeded(f"What is submitted to an account may have {budget} bytes in all")
    over = _total(connection, account_id=account_id).scalar_one() + size - budget
    while over > 0 and (rows := _oldest(connection, account_id=account_id, limit=_BATCH).rows):
        batch = {}
        for row in rows:
            if over <= 0:
                break
            batch[row.id] = row.object_id
            over -= row.submitted_bytes
        yield batch
