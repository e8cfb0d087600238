"""Rules as rows, and the reports that they are applied to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from app.accounts import quota
from app.accounts.identity import Identity
from app.database import require_storage
from app.dumps.rules.entities import NO_RULES, Rules, Stored
from app.dumps.signatures import life, renaming
from app.dumps.tables import dumps, signature_rules
from app.events.entities import Actor, EventType
from app.events.log import record


@dataclass(frozen=True, slots=True)
class Batch:
    """Dumps of an account that are to get signatures by its rules; none: all have."""

    account_id: int
    rules: Rules
    below: int
    dumps: Sequence[Stored]


def find(connection: Connection, identity: Identity) -> Rules:
    """Return the account's rules."""
    return of_account(connection, identity.account_id)


def of_account(connection: Connection, account_id: int) -> Rules:
    """Return the rules of any account."""
    own = select(signature_rules).where(signature_rules.c.account_id == account_id)
    row = connection.execute(own).first()
    return NO_RULES if row is None else _rules(row)


def save(connection: Connection, identity: Identity, text: str, now: int) -> Rules:
    """Change the account's rules, and have them applied to its dumps."""
    require_storage(connection)
    quota.lock_account(connection, identity.account_id)
    before = find(connection, identity)
    if before.in_force == text and before.text == text:
        return before
    values = _begun(connection, identity.account_id) | {
        "rules": text,
        "revision": before.revision + 1,
        "is_off": False,
        "modified_at": now,
    }
    own = signature_rules.c.account_id == identity.account_id
    if not connection.execute(update(signature_rules).where(own).values(values)).rowcount:
        connection.execute(
            insert(signature_rules).values(values | {"account_id": identity.account_id})
        )
    identity.record(connection, EventType.DUMP_RULES_CHANGED, None)
    return find(connection, identity)


def turn_off(connection: Connection, account_id: int, revision: int, now: int) -> None:
    """Stop using rules that take too long, and undo what they did, unless they have changed."""
    quota.lock_account(connection, account_id)
    off = (
        update(signature_rules)
        .where(signature_rules.c.account_id == account_id)
        .where(signature_rules.c.revision == revision, ~signature_rules.c.is_off)
        .values(_begun(connection, account_id) | {"is_off": True, "revision": revision + 1})
    )
    if connection.execute(off).rowcount:
        record(connection, EventType.DUMP_RULES_STOPPED, account_id, Actor(now), None)


def stored(
    connection: Connection, identity: Identity, below: int | None, limit: int
) -> Sequence[Stored]:
    """Return the newest reports of the account, of dumps below a number."""
    return _stored(connection, identity.account_id, below, limit)


def next_batch(connection: Connection, limit: int) -> Batch | None:
    """Return dumps that are to get signatures by their account's rules; None: all have theirs."""
    due = signature_rules.c.apply_below.is_not(None)
    row = connection.execute(
        select(signature_rules).where(due).order_by(signature_rules.c.modified_at).limit(1)
    ).first()
    if row is None:
        return None
    found = _stored(connection, row.account_id, row.apply_below, limit)
    return Batch(row.account_id, _rules(row), row.apply_below, found)


def keep(connection: Connection, batch: Batch, names: Sequence[str | None]) -> None:
    """Give dumps their signatures, unless the rules have changed or another process has done it.

    After the last ones, what is known of signatures goes on under their new names.
    """
    quota.lock_account(connection, batch.account_id)
    row = signature_rules.c.account_id == batch.account_id
    current = connection.execute(select(signature_rules).where(row)).first()
    if current is None or (current.revision, current.apply_below) != (
        batch.rules.revision,
        batch.below,
    ):
        return
    for dump, name in zip(batch.dumps, names, strict=True):
        if dump.signature != name:
            _rename(connection, batch.account_id, dump, name)
    below: int | None = 0
    if batch.dumps:
        below = batch.dumps[-1].id
    elif renaming.settle(connection, batch.account_id):
        below = None
    connection.execute(update(signature_rules).where(row).values(apply_below=below))


def _rename(connection: Connection, account_id: int, dump: Stored, name: str | None) -> None:
    is_made = name is not None and life.find(connection, account_id, name) is None
    renamed = connection.execute(
        update(dumps)
        .where(dumps.c.id == dump.id, dumps.c.report_state == "read")
        # symbols may have come, and made another report
        .where(dumps.c.signature.is_not_distinct_from(dump.signature))
        .where(dumps.c.report == dump.report)
        .values(signature=name)
    )
    if renamed.rowcount:
        renaming.note(connection, account_id, dump.signature, name, is_made=is_made)


def _stored(
    connection: Connection, account_id: int, below: int | None, limit: int
) -> Sequence[Stored]:
    wanted = (
        select(dumps.c.id, dumps.c.report, dumps.c.signature)
        .where(dumps.c.account_id == account_id, dumps.c.report_state == "read")
        .order_by(dumps.c.id.desc())
        .limit(limit)
    )
    if below is not None:
        wanted = wanted.where(dumps.c.id < below)
    return [Stored(*row) for row in connection.execute(wanted)]


def _begun(connection: Connection, account_id: int) -> dict[str, Any]:
    newest = select(func.max(dumps.c.id)).where(dumps.c.account_id == account_id)
    return {"apply_below": (connection.execute(newest).scalar() or 0) + 1}


def _rules(row: Row[Any]) -> Rules:
    return Rules(
        row.rules,
        row.revision,
        is_off=bool(row.is_off),
        is_applying=row.apply_below is not None,
        modified_at=row.modified_at,
    )
