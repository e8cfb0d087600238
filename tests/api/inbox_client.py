"""Requests to inboxes, as short as tests want them: of their owners and of strangers."""

from typing import Any
from urllib.parse import urlsplit

import httpx
from sqlalchemy import Connection, func, select, update
from uuid_utils import uuid7

from app.accounts.tables import accounts, tiers
from app.objects.tables import objects
from app.uploads.tables import uploads
from tests.api.conftest import Service

Headers = dict[str, str]
Json = dict[str, Any]

LARGE = bytes(i % 251 for i in range(100_000))
"""Too much for a row."""


async def make(service: Service, user: Headers, **options: object) -> Json:
    """Make an inbox; returns it, with the path of its address as ``path``."""
    body = {"title": "Photos", **options}
    made = await service.client.post("/v1/inboxes", json=body, headers=user)
    assert made.status_code == 201, made.text
    inbox: Json = made.json()
    assert made.headers["location"] == f"/v1/inboxes/{inbox['id']}"
    return inbox | {"path": urlsplit(inbox["url"]).path}


async def put(
    service: Service,
    inbox: Json,
    name: str = "a.txt",
    data: bytes = b"hello",
    **options: Any,  # noqa: ANN401 - the client's
) -> httpx.Response:
    """Give a file as ``curl -T`` does."""
    return await service.client.put(f"{inbox['path']}/{name}", content=data, **options)


async def whole(service: Service, user: Headers, inbox: Json, query: str = "") -> Json:
    """Return an inbox as its owner sees it, with what has come."""
    found = await service.client.get(f"/v1/inboxes/{inbox['id']}{query}", headers=user)
    assert found.status_code == 200, found.text
    body: Json = found.json()
    return body


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


async def pending(service: Service) -> tuple[int, int]:
    """Return how many objects are pending, and how many uploads are noted."""

    def read(connection: Connection) -> tuple[int, int]:
        of_objects = select(func.count()).where(objects.c.state == "pending")
        of_uploads = select(func.count()).select_from(uploads)
        counts = [connection.execute(count).scalar_one() for count in (of_objects, of_uploads)]
        return int(counts[0]), int(counts[1])

    return await service.runtime.parts.database.read(read)
