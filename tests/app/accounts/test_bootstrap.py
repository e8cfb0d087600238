"""What a new database is given, however many processes start at once."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select

from app.accounts import bootstrap
from app.accounts.identity import identify
from app.accounts.tables import accounts, tiers
from app.accounts.tiers import tier_id_of
from app.config import ConfigError, Settings
from app.database import Database
from app.security.credentials import ServiceToken
from app.security.passwords import Passwords

pytestmark = pytest.mark.anyio


def settings(tmp_path: Path, **options: str) -> Settings:
    return Settings(data_dir=tmp_path, _env_file=None, **options)  # type: ignore[arg-type]


async def test_several_processes_that_start_at_once_make_everything_once(
    database: Database, passwords: Passwords, tmp_path: Path
) -> None:
    chosen = settings(tmp_path, admin_username="Root", admin_password="correct horse")
    starts = [bootstrap.prepare(database, passwords, chosen) for _ in range(6)]
    await asyncio.gather(*starts)

    names = await database.read(lambda c: c.execute(select(tiers.c.name)).scalars().all())
    assert sorted(names) == ["Basic", "Enterprise", "Premium", "Service"]
    made = await database.read(
        lambda c: c.execute(select(accounts.c.username, accounts.c.is_admin)).all()
    )
    assert sorted(tuple(row) for row in made) == [("Root", True), ("service", False)]


async def test_the_service_account_has_no_limits(
    database: Database, passwords: Passwords, tmp_path: Path
) -> None:
    await bootstrap.prepare(database, passwords, settings(tmp_path))

    identity = await database.read(identify, ServiceToken(), 0)

    assert identity.is_service
    tier = identity.tier
    assert (tier.max_object_bytes, tier.max_total_bytes, tier.max_objects) == (None, None, None)


async def test_a_tier_that_was_deleted_does_not_come_back(
    database: Database, passwords: Passwords, tmp_path: Path
) -> None:
    await bootstrap.prepare(database, passwords, settings(tmp_path))
    await database.write(
        lambda c: c.execute(delete(tiers).where(tiers.c.name == "Premium")).rowcount
    )

    await bootstrap.prepare(database, passwords, settings(tmp_path))

    assert await database.read(lambda c: c.execute(select(func.count(tiers.c.id))).scalar()) == 3


async def test_a_default_tier_that_is_not_there_stops_the_start(
    database: Database, passwords: Passwords, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"^DEFAULT_TIER: .*'Gold'"):
        await bootstrap.prepare(database, passwords, settings(tmp_path, default_tier="Gold"))


async def test_nobody_can_be_given_the_tier_without_limits(
    database: Database, passwords: Passwords, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="DEFAULT_TIER"):
        await bootstrap.prepare(database, passwords, settings(tmp_path, default_tier="Service"))
    assert await database.read(tier_id_of, "premium")


async def test_an_account_that_is_there_is_not_made_an_admin(
    database: Database, passwords: Passwords, tmp_path: Path
) -> None:
    await bootstrap.prepare(database, passwords, settings(tmp_path))
    taken = settings(tmp_path, admin_username="Service", admin_password="correct horse")

    await bootstrap.prepare(database, passwords, taken)

    admins = select(func.count(accounts.c.id)).where(accounts.c.is_admin)
    assert await database.read(lambda c: c.execute(admins).scalar()) == 0
