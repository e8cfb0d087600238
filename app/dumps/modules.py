"""The modules that the stacks of dumps pass through: which dumps need symbols, and of what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from app import clock
from app.accounts.identity import Identity
from app.dumps.tables import dump_modules, dumps
from app.stacks.modules import Module
from app.symbols.tables import symbols

BATCH: Final = 100
"""Dumps that are read again at once when symbols arrive; older ones follow, as many a minute."""

PAUSE: Final = clock.MINUTE

_MAX_MODULES: Final = 64  # of a dump
_NEWEST: Final = 20_000  # rows of an account that are looked at for what is missing


@dataclass(frozen=True, slots=True)
class Missing:
    """Symbols that dumps need and the account has not."""

    debug_file: str
    debug_id: str
    code_id: str | None
    dumps: int
    """How many of the newest dumps need them."""


def keep(connection: Connection, account_id: int, dump_id: int, modules: Sequence[Module]) -> None:
    """Keep the modules of a dump, in place of those that were known."""
    connection.execute(delete(dump_modules).where(dump_modules.c.dump_id == dump_id))
    rows = [
        {
            "account_id": account_id,
            "dump_id": dump_id,
            "debug_id": module.debug_id,
            "debug_file": module.debug_file or module.name,
            "code_id": module.code_id,
        }
        for module in modules[:_MAX_MODULES]
        if module.debug_id is not None
    ]
    if rows:
        connection.execute(insert(dump_modules), rows)


def missing(connection: Connection, identity: Identity, limit: int) -> list[Missing]:
    """Return the symbols that the account's newest dumps need most, and that it has not."""
    newest = (
        select(dump_modules)
        .where(dump_modules.c.account_id == identity.account_id)
        .order_by(dump_modules.c.id.desc())
        .limit(_NEWEST)
        .subquery()
    )
    there = select(symbols.c.id).where(
        symbols.c.account_id == identity.account_id,
        symbols.c.debug_id == newest.c.debug_id,
        symbols.c.state != "failed",
    )
    count = func.count(newest.c.dump_id.distinct())
    rows = connection.execute(
        select(
            func.max(newest.c.debug_file),
            newest.c.debug_id,
            func.max(newest.c.code_id),
            count,
        )
        .where(~there.exists())
        .group_by(newest.c.debug_id)
        .order_by(count.desc(), newest.c.debug_id)
        .limit(limit)
    )
    return [Missing(*row) for row in rows]


def reread(connection: Connection, now: int) -> int:
    """Have dumps read again for whose stacks symbols have arrived, a batch of one module.

    Returns how many batches were due.
    """
    due = connection.execute(
        select(symbols.c.id, symbols.c.account_id, symbols.c.debug_id, symbols.c.reread_below)
        .where(symbols.c.reread_at <= now)
        .order_by(symbols.c.reread_at, symbols.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if due is None:
        return 0
    found: Sequence[int] = (
        connection.execute(
            select(dump_modules.c.dump_id)
            .where(
                dump_modules.c.account_id == due.account_id,
                dump_modules.c.debug_id == due.debug_id,
                dump_modules.c.dump_id < due.reread_below,
            )
            .order_by(dump_modules.c.dump_id.desc())
            .limit(BATCH)
        )
        .scalars()
        .all()
    )
    connection.execute(
        update(dumps)
        .where(dumps.c.id.in_(found), dumps.c.report_state == "read")
        .values(reread_at=now)
    )
    is_all = len(found) < BATCH
    connection.execute(
        update(symbols)
        .where(symbols.c.id == due.id)
        .values(
            reread_below=None if is_all else found[-1], reread_at=None if is_all else now + PAUSE
        )
    )
    return 1


def next_batch(connection: Connection) -> int | None:
    """Return when `reread` will be due, in microseconds."""
    moment: int | None = connection.execute(
        select(func.min(symbols.c.reread_at)).where(symbols.c.reread_at.is_not(None))
    ).scalar()
    return moment
