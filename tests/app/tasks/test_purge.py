"""Purge and expiry: what is due goes, in batches, and nothing else does."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Table, func, insert, select

from app import clock
from app.accounts import bootstrap, registration
from app.accounts import rows as accounts
from app.accounts.entities import Account
from app.accounts.identity import Identity, identify
from app.accounts.tables import accounts as account_rows
from app.accounts.tables import api_keys, sessions
from app.blobs.tables import blobs
from app.config import Settings
from app.database import Database
from app.database.schema import metadata
from app.dumps.tables import dump_counts, signature_counts
from app.features import EXPIRING, TABLES
from app.objects import lifecycle as objects
from app.objects.entities import Received
from app.objects.tables import objects as object_rows
from app.objects.tables import tombstones
from app.security.credentials import ServiceToken
from app.security.passwords import Passwords
from app.tasks import expiry, purge

pytestmark = pytest.mark.anyio

NOW = clock.now()


@pytest.fixture(autouse=True)
async def built_ins(database: Database, passwords: Passwords, tmp_path: Path) -> None:
    """Every test begins after a first start."""
    await bootstrap.prepare(database, passwords, Settings(data_dir=tmp_path, _env_file=None))


async def count(database: Database, table: Table) -> int:
    rows = select(func.count()).select_from(table)
    found: int = await database.read(lambda c: c.execute(rows).scalar_one())
    return found


def owner(connection: Connection, account: Account) -> Identity:
    """Make an identity of an account, without limits."""
    tier = identify(connection, ServiceToken(), 0).tier
    account_id = connection.execute(
        select(account_rows.c.id).where(account_rows.c.uuid == account.uuid)
    ).scalar_one()
    return Identity(
        account_id, account.uuid, account.username, is_admin=False, tier=tier, scopes=None,
        session=None,
    )  # fmt: skip


def fill(connection: Connection, account: Account, number: int) -> int:
    """Give an account blobs of both kinds, an upload under way, a session and a key."""
    identity = owner(connection, account)
    for n in range(number):
        body = Received(3, b"h" * 32, None, b"abc")
        if n % 2:
            reserved = objects.reserve(
                connection, identity, kind="blobs", key=f"{account.uuid}/{n}", size=3, slots=1,
                now=NOW,
            )  # fmt: skip
            body = Received(3, b"h" * 32, reserved, None)
        object_id = objects.settle(connection, identity, body, kind="blobs", slots=1, now=NOW)
        connection.execute(
            insert(blobs).values(
                account_id=identity.account_id, name=str(n), object_id=object_id,
                content_type="x", created_at=NOW, modified_at=NOW,
            )
        )  # fmt: skip
    objects.reserve(
        connection, identity, kind="blobs", key=f"{account.uuid}/-", size=3, slots=1, now=NOW
    )
    add_credentials(connection, identity.account_id, NOW + 1)
    return identity.account_id


def add_credentials(connection: Connection, account_id: int, expires_at: int | None) -> None:
    unique = f"{account_id}-{expires_at}"
    shared: dict[str, Any] = {
        "uuid": unique, "account_id": account_id, "created_at": 0, "expires_at": expires_at,
    }  # fmt: skip
    key = {**shared, "name": "k", "scopes": "", "hash": unique.encode(), "hint": ""}
    connection.execute(insert(api_keys).values(key))
    if expires_at is not None:
        session = {**shared, "door": "v1", "rotation": 1, "rotated_at": 0, "user_agent": ""}
        connection.execute(insert(sessions).values(session))


async def sign_up(database: Database, passwords: Passwords, name: str) -> Account:
    return await registration.sign_up(
        database, passwords, username=name, email=None, password="correct horse", tier="Basic"
    )


async def drain(run_once: Callable[[int], Any], now: int) -> list[int]:
    batches = []
    while batch := await run_once(now):
        batches.append(batch)
    return batches


async def test_all_that_a_deleted_account_had_goes_in_batches(
    database: Database, passwords: Passwords
) -> None:
    ada = await sign_up(database, passwords, "ada")
    bob = await sign_up(database, passwords, "bob")
    number = purge.BATCH + 10
    account_id = await database.write(fill, ada, number)
    await database.write(fill, bob, 2)
    await database.write(accounts.mark_deleted, account_id, NOW)
    woken = []
    task = purge.Purge(database, TABLES, wake_sweep=lambda: woken.append(True))

    assert await task.run_once(NOW - 1) == 0
    batches = await drain(task.run_once, NOW)

    assert max(batches) == purge.BATCH
    assert woken
    assert await count(database, blobs) == 2
    assert await count(database, object_rows) == 3
    assert await count(database, metadata.tables["object_bytes"]) == 1
    assert await count(database, tombstones) == number // 2 + 1
    assert await count(database, sessions) == await count(database, api_keys) == 1
    assert await count(database, account_rows) == 2  # bob and the service
    await sign_up(database, passwords, "ada")  # the name is free again


async def test_two_processes_purge_without_disturbing_each_other(
    database: Database, passwords: Passwords
) -> None:
    for name in ("ada", "bob", "carl"):
        account = await sign_up(database, passwords, name)
        account_id = await database.write(fill, account, 40)
        await database.write(accounts.mark_deleted, account_id, NOW)
    tasks = [purge.Purge(database, TABLES, wake_sweep=lambda: None) for _ in range(3)]

    while await count(database, account_rows) > 1:
        await asyncio.gather(*(drain(task.run_once, NOW) for task in tasks))

    assert await count(database, object_rows) == await count(database, blobs) == 0
    assert await count(database, tombstones) == 3 * 21


def test_every_table_of_an_account_is_purged() -> None:
    owned = {table for table in metadata.tables.values() if "account_id" in table.c}
    counted = {dump_counts, signature_counts}  # which go with the dumps
    assert owned == {*TABLES, object_rows, *counted}


async def test_expired_sessions_and_keys_go_and_others_stay(database: Database) -> None:
    service = (await database.read(identify, ServiceToken(), 0)).account_id
    for moment in (NOW - 1, NOW, NOW + 1, None):
        await database.write(add_credentials, service, moment)
    task = expiry.Expiry(database, EXPIRING)
    assert await task.next_due(NOW) == NOW - 1

    assert await drain(task.run_once, NOW) == [4]

    assert await task.next_due(NOW) == NOW + 1
    assert await count(database, sessions) == 1
    assert await count(database, api_keys) == 2
    assert await drain(task.run_once, NOW + 1) == [2]
    assert await task.next_due(NOW) is None
    assert await count(database, api_keys) == 1


async def test_expiry_works_in_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "BATCH", 2)
    service = (await database.read(identify, ServiceToken(), 0)).account_id
    for moment in range(5):
        await database.write(add_credentials, service, moment)
    assert await drain(expiry.Expiry(database, EXPIRING).run_once, NOW) == [4, 4, 2]


async def test_what_fails_to_expire_does_not_keep_others_from_it(database: Database) -> None:
    def fail(connection: Connection, now: int, batch: int) -> int:
        raise OSError("broken")

    service = (await database.read(identify, ServiceToken(), 0)).account_id
    await database.write(add_credentials, service, NOW)
    broken = expiry.Expiring(fail, lambda _: None)
    task = expiry.Expiry(database, [broken, *EXPIRING])

    with pytest.raises(ExceptionGroup):
        await task.run_once(NOW)

    assert await count(database, sessions) == 0
