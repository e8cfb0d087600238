"""Bootstrap of a database: built-in tiers, the service account, an administrator."""

from typing import Final

import structlog
from sqlalchemy import Connection, select
from uuid_utils import uuid7

from app import clock
from app.accounts.entities import NewAccount, TierRecord
from app.accounts.registration import sign_up
from app.accounts.rows import insert
from app.accounts.tables import accounts, tiers
from app.accounts.tiers import GIB, SERVICE_TIER, row_of, tier_id_of
from app.config import ConfigError, Settings
from app.database import Database, insert_if_absent
from app.errors import Conflict, InvalidRequest
from app.events.entities import Actor
from app.security.credentials import SERVICE_ACCOUNT
from app.security.passwords import Passwords

log = structlog.get_logger(__name__)

_insert_tier = insert_if_absent(
    tiers,
    "uuid",
    "name",
    "name_key",
    "heights",
    "allow_original",
    "allow_links",
    "max_object_bytes",
    "max_total_bytes",
    "max_objects",
    "default_lifetime",
    "max_lifetime",
    "default_downloads",
    "max_downloads",
    "created_at",
)

_SERVICE_NAME: Final = SERVICE_TIER.capitalize()


async def prepare(database: Database, passwords: Passwords, settings: Settings) -> None:
    """Make what every database has; several processes may do so at once.

    Raises `ConfigError` when there is no such tier as `DEFAULT_TIER`.
    """
    uuids = [str(uuid7()) for _ in range(5)]
    await database.write(create_built_ins, uuids, clock.now())
    try:
        await database.read(tier_id_of, settings.default_tier)
    except InvalidRequest:
        raise ConfigError(f"DEFAULT_TIER: there is no tier {settings.default_tier!r}") from None
    if settings.admin_username is not None and settings.admin_password is not None:
        await _ensure_admin(
            database, passwords, settings, settings.admin_username,
            settings.admin_password.get_secret_value(),
        )  # fmt: skip


def create_built_ins(connection: Connection, uuids: list[str], now: int) -> None:
    """Make the built-in tiers and the service account, once: a deleted tier stays deleted."""
    service = select(accounts.c.id).where(accounts.c.username_key == SERVICE_ACCOUNT)
    if connection.execute(service).first() is not None:
        return
    *tier_uuids, account_uuid = uuids
    for tier in _built_in_tiers(tier_uuids, now):
        _insert_tier(connection, **row_of(tier))
    unlimited = select(tiers.c.id).where(tiers.c.name_key == SERVICE_TIER)
    new = NewAccount(
        uuid=account_uuid,
        username=SERVICE_ACCOUNT,
        email=None,
        password_hash=None,
        tier=_SERVICE_NAME,
        is_admin=False,
        created_at=now,
        maker=Actor(now),
    )
    insert(connection, new, tier_id=connection.execute(unlimited).scalar_one())


def _built_in_tiers(uuids: list[str], now: int) -> list[TierRecord]:
    def tier(
        name: str, heights: list[int], size: int | None, *, original: bool, links: bool
    ) -> TierRecord:
        return TierRecord(
            uuid=next(unused),
            name=name,
            heights=heights,
            allow_original=original,
            allow_links=links,
            max_object_bytes=size,
            max_total_bytes=None if size is None else 10 * size,
            max_objects=None,
            created_at=now,
        )

    unused = iter(uuids)
    return [
        tier("Basic", [200], 10 * GIB, original=False, links=False),
        tier("Premium", [200, 400], 100 * GIB, original=True, links=False),
        tier("Enterprise", [200, 400], None, original=True, links=True),
        tier(_SERVICE_NAME, [200, 400], None, original=True, links=True),
    ]


async def _ensure_admin(
    database: Database, passwords: Passwords, settings: Settings, username: str, password: str
) -> None:
    is_admin = await database.read(_is_admin, username)
    if is_admin is None:
        try:
            await sign_up(
                database,
                passwords,
                username=username,
                email=None,
                password=password,
                tier=settings.default_tier,
                is_admin=True,
            )
        except InvalidRequest as error:
            raise ConfigError(f"ADMIN_PASSWORD: {error.detail}") from None
        except Conflict:  # another process, starting too, was faster
            is_admin = await database.read(_is_admin, username)
        else:
            log.info("the administrator has been made", username=username)
    if is_admin is False:
        log.warning("ADMIN_USERNAME names an account that is no administrator", username=username)


def _is_admin(connection: Connection, username: str) -> bool | None:
    """Tell whether the account of a name is an administrator; None: no such account."""
    row = select(accounts.c.is_admin).where(accounts.c.username_key == username.lower())
    return connection.execute(row).scalar()
