"""Policies as rows, and the dumps whose bytes they drop."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from app.accounts import quota
from app.accounts.identity import Identity
from app.bundles import removal as bundles
from app.database import require_storage
from app.dumps import submissions
from app.dumps.flood.entities import Policy, Refusal
from app.dumps.tables import dump_attachments, dump_modules, dump_policies, dump_refusals, dumps
from app.events.entities import EventType
from app.links import rows as timelinks
from app.objects import lifecycle, removal


def find(connection: Connection, identity: Identity) -> Policy:
    """Return the account's policy."""
    policy = _of_account(connection, identity.account_id)
    return replace(policy, refuse=_refusals(connection, identity.account_id))


def change(connection: Connection, identity: Identity, changes: Mapping[str, Any]) -> Policy:
    """Change the account's policy, whichever fields ``changes`` has."""
    require_storage(connection)
    quota.lock_account(connection, identity.account_id)
    own = dump_policies.c.account_id == identity.account_id
    before = find(connection, identity)
    values = {name: value for name, value in changes.items() if name == "kept"}
    if "retention" in changes:
        values["retention"] = json.dumps(changes["retention"])
    changed = update(dump_policies).where(own).values(values)
    if values and not connection.execute(changed).rowcount:
        row = {"account_id": identity.account_id, **values}
        connection.execute(insert(dump_policies).values(row))
    if "refuse" in changes:
        _refuse(connection, identity.account_id, before.refuse, changes["refuse"])
    after = find(connection, identity)
    if after != before:
        identity.record(connection, EventType.DUMP_POLICY_CHANGED, None)
    return after


def drop_if_enough(connection: Connection, account_id: int, dump_id: int, now: int) -> bool:
    """Drop the bytes of a dump of a locked account, if enough others like it have theirs.

    It has just been read. Those that were read first keep theirs, and archived ones always.
    """
    kept = _of_account(connection, account_id).kept
    if kept is None:
        return False
    dump = connection.execute(select(dumps).where(dumps.c.id == dump_id)).one()
    if dump.archived or dump.signature is None:
        return False
    alike = (
        select(dumps.c.id)
        .where(dumps.c.account_id == account_id, dumps.c.signature == dump.signature)
        .where(dumps.c.version.is_not_distinct_from(dump.version), dumps.c.dropped_at.is_(None))
        .where(dumps.c.id != dump_id)
        .limit(kept)
    )
    if len(connection.execute(alike).all()) < kept:
        return False
    _drop(connection, account_id, dump_id, dump.object_id, now)
    return True


def _drop(connection: Connection, account_id: int, dump_id: int, object_id: int, now: int) -> None:
    """Put nothing in the place of a dump's bytes, and remove its attachments and links."""
    its = dump_attachments.c.dump_id == dump_id
    attached: Sequence[int] = (
        connection.execute(select(dump_attachments.c.object_id).where(its)).scalars().all()
    )
    connection.execute(delete(dump_attachments).where(its))
    connection.execute(delete(dump_modules).where(dump_modules.c.dump_id == dump_id))
    timelinks.end(connection, "dump", [dump_id], now)
    bundles.forget(connection, "dump", [dump_id])
    submissions.shrink(connection, account_id, dump_id)
    empty = lifecycle.insert_empty(connection, account_id, object_id, now)
    connection.execute(
        update(dumps).where(dumps.c.id == dump_id).values(object_id=empty, dropped_at=now)
    )
    lifecycle.replace(connection, old=object_id, new=empty, modified_at=now, now=now)
    removal.remove_all(connection, attached, due_at=now)


def retention_of(connection: Connection, account_id: int, label: str | None) -> int | None:
    """Return how many seconds a new dump of a label is kept; None: for ever."""
    return _of_account(connection, account_id).retention_of(label)


def find_refusal(
    connection: Connection, identity: Identity, annotations: Mapping[str, str]
) -> Refusal | None:
    """Return what refuses a crash report with these annotations, if anything does."""
    refusals = _refusals(connection, identity.account_id)
    return next((each for each in refusals if each.refuses(annotations)), None)


def count_refused(connection: Connection, identity: Identity, refusal: Refusal, now: int) -> None:
    """Count a crash report that has been refused."""
    connection.execute(
        update(dump_refusals)
        .where(
            dump_refusals.c.account_id == identity.account_id,
            dump_refusals.c.name == refusal.name,
            dump_refusals.c.value == refusal.value,
            dump_refusals.c.is_prefix == refusal.is_prefix,
        )
        .values(count=dump_refusals.c["count"] + 1, last_at=now)
    )


def _refuse(
    connection: Connection, account_id: int, before: Sequence[Refusal], after: Sequence[Refusal]
) -> None:
    """Put refusals in the place of others; one that stays keeps its count."""
    kept = {(each.name, each.value, each.is_prefix): each for each in before}
    own = dump_refusals.c.account_id == account_id
    connection.execute(delete(dump_refusals).where(own))
    for each in after:
        known = kept.get((each.name, each.value, each.is_prefix), each)
        connection.execute(insert(dump_refusals).values(account_id=account_id, **asdict(known)))


def _refusals(connection: Connection, account_id: int) -> list[Refusal]:
    columns = [dump_refusals.c[name] for name in Refusal.__dataclass_fields__]
    own = select(*columns).where(dump_refusals.c.account_id == account_id)
    rows = connection.execute(own.order_by(dump_refusals.c.id))
    return [
        Refusal(name, value, bool(is_prefix), int(count), last_at)
        for name, value, is_prefix, count, last_at in rows
    ]


def _of_account(connection: Connection, account_id: int) -> Policy:
    own = select(dump_policies.c.kept, dump_policies.c.retention)
    row = connection.execute(own.where(dump_policies.c.account_id == account_id)).first()
    kept, retention = (None, None) if row is None else row
    return Policy(kept, json.loads(retention or "{}"))
