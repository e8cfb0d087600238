"""What an account may keep, and what it is charged for."""

from sqlalchemy import Connection, select, update
from uuid_utils import uuid7

from app.accounts.tables import accounts, tiers
from tests.api.conftest import Service

Headers = dict[str, str]


async def usage(service: Service, user: Headers) -> tuple[int, int]:
    """Return what an account is charged for: bytes and objects."""
    used = (await service.client.get("/v1/accounts/me", headers=user)).json()["usage"]
    return used["bytes"], used["objects"]


async def set_tier(service: Service, user: Headers, **values: object) -> None:
    """Let an account have a tier of its own."""
    account = (await service.client.get("/v1/accounts/me", headers=user)).json()["id"]

    def write(connection: Connection) -> None:
        own = accounts.c.uuid == account
        tier = connection.execute(select(accounts.c.tier_id).where(own)).scalar_one()
        row = connection.execute(select(tiers).where(tiers.c.id == tier)).one()._asdict()
        del row["id"]
        uuid = str(uuid7())
        row |= {"uuid": uuid, "name": uuid, "name_key": uuid, **values}
        made = connection.execute(tiers.insert().values(row).returning(tiers.c.id)).scalar_one()
        connection.execute(update(accounts).where(own).values(tier_id=made))

    await service.runtime.parts.database.write(write)
