"""Accounts: names are unique whoever comes at once, and somebody always administrates."""

import asyncio
from pathlib import Path

import pytest

from app import clock
from app.accounts import administration, bootstrap, registration
from app.accounts.entities import Account
from app.accounts.identity import Identity, identify
from app.config import Settings
from app.database import Database
from app.errors import Conflict, Forbidden, NotFound
from app.security.credentials import ServiceToken
from app.security.passwords import Passwords

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def built_ins(database: Database, passwords: Passwords, tmp_path: Path) -> None:
    """Every test begins after a first start."""
    await bootstrap.prepare(database, passwords, Settings(data_dir=tmp_path, _env_file=None))


async def sign_up(
    database: Database,
    passwords: Passwords,
    username: str,
    email: str | None = None,
    *,
    is_admin: bool = False,
) -> Account:
    return await registration.sign_up(
        database,
        passwords,
        username=username,
        email=email,
        password="correct horse",
        tier="basic",
        is_admin=is_admin,
    )


async def service(database: Database) -> Identity:
    return await database.read(identify, ServiceToken(), 0)


async def test_one_of_those_who_want_a_name_at_once_gets_it(
    database: Database, passwords: Passwords
) -> None:
    wanted = ["ada", "Ada", "ADA", "aDa"]
    answers = await asyncio.gather(
        *(sign_up(database, passwords, name) for name in wanted), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert [error.detail for error in refused] == ["This user name is taken"] * 3


async def test_addresses_are_unique_without_case(database: Database, passwords: Passwords) -> None:
    await sign_up(database, passwords, "ada", "Ada@Example.org")
    with pytest.raises(Conflict, match="email address"):
        await sign_up(database, passwords, "bob", "ada@example.ORG")
    await sign_up(database, passwords, "carl", None)
    await sign_up(database, passwords, "dora", None)


async def test_two_admins_who_depose_each_other_at_once_leave_one(
    database: Database, passwords: Passwords
) -> None:
    identity = await service(database)
    admins = [
        await sign_up(database, passwords, name, is_admin=True) for name in ("ada", "bob", "carl")
    ]
    answers = await asyncio.gather(
        database.write(administration.change, identity, admins[0].uuid, {"is_admin": False}),
        database.write(administration.change, identity, admins[1].uuid, {"is_active": False}),
        database.write(administration.delete, identity, admins[2].uuid, clock.now()),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert len(refused) == 1
    assert [answer for answer in answers if isinstance(answer, Exception)] == refused


async def test_the_service_account_stays_as_it_is(database: Database, passwords: Passwords) -> None:
    identity = await service(database)
    with pytest.raises(Forbidden):
        await database.write(administration.delete, identity, identity.account_uuid, clock.now())
    with pytest.raises(Forbidden):
        await database.write(
            administration.change, identity, identity.account_uuid, {"tier": "Basic"}
        )
    assert await service(database) == identity


async def test_a_deleted_account_is_hidden_but_keeps_its_name(
    database: Database, passwords: Passwords
) -> None:
    identity = await service(database)
    ada = await sign_up(database, passwords, "ada")
    await database.write(administration.delete, identity, ada.uuid, clock.now())
    with pytest.raises(NotFound):
        await database.read(administration.get, identity, ada.uuid)
    with pytest.raises(NotFound):
        await database.write(administration.delete, identity, ada.uuid, clock.now())
    page = await database.read(administration.search, identity, "ada", 10, None)
    assert page.items == []
    with pytest.raises(Conflict):
        await sign_up(database, passwords, "ada")


async def test_search_finds_parts_of_names_and_addresses(
    database: Database, passwords: Passwords
) -> None:
    identity = await service(database)
    await sign_up(database, passwords, "a_b", "first@example.org")
    await sign_up(database, passwords, "aXb", "Second@Example.org")

    async def found(query: str) -> list[str]:
        page = await database.read(administration.search, identity, query, 10, None)
        return [account.username for account in page.items]

    assert await found("axB") == ["aXb"]
    assert await found("_") == ["a_b"]
    assert await found("%") == []
    assert await found("example") == ["aXb", "a_b"]
    assert await found("SECOND@") == ["aXb"]
