"""Requests to inboxes, as short as tests want them: of their owners and of strangers."""

from typing import Any
from urllib.parse import urlsplit

import httpx
from sqlalchemy import Connection, func, select

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


async def pending(service: Service) -> tuple[int, int]:
    """Return how many objects are pending, and how many uploads are noted."""

    def read(connection: Connection) -> tuple[int, int]:
        of_objects = select(func.count()).where(objects.c.state == "pending")
        of_uploads = select(func.count()).select_from(uploads)
        counts = [connection.execute(count).scalar_one() for count in (of_objects, of_uploads)]
        return int(counts[0]), int(counts[1])

    return await service.runtime.parts.database.read(read)
