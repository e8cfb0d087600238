"""Clients of tus that others wrote, over real connections, and what browsers elsewhere may see."""

import asyncio
import io
import random
import socket
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
import uvicorn
from tusclient.client import TusClient

from app.config import Settings
from routers.connection.protocol import HttpProtocol
from tests import plain_http
from tests.api.conftest import Service
from tests.api.shared import PROFILES, shared_service, shared_settings
from tests.api.tus_client import URL, VERSION, create
from tests.deadline import DEADLINE
from tests.pictures import encoded, quarters

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

SEGMENT = 256 * 1024
DATA = random.Random(2).randbytes(3 * SEGMENT + 17)
ORIGIN = "https://app.example.org"


@pytest.fixture(scope="module", params=PROFILES)
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a fresh service in both profiles."""
    return shared_settings(request, tmp_path_factory, cors_origins=(ORIGIN,))


@pytest.fixture(scope="module")
async def service(settings: Settings) -> AsyncIterator[Service]:
    """One service for all tests here."""
    async with shared_service(settings) as service:
        yield service


@pytest.fixture(scope="module")
async def base(service: Service) -> AsyncIterator[str]:
    """The URL of the service on a port of its own."""
    app = cast("httpx.ASGITransport", service.client._transport).app
    config = uvicorn.Config(
        app, http=HttpProtocol, lifespan="off", log_config=None, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies of a few hundred KiB are enough for several."""
    monkeypatch.setattr("app.objects.intake.append.SEGMENT", SEGMENT)


def upload(
    base: str, token: dict[str, str], data: bytes, metadata: dict[str, str], place: str = URL
) -> str:
    """Upload by tuspy: a part, then the rest as after a restart; returns the upload's URL."""
    client: Any = TusClient(base + place, headers=token)
    part = len(data) // 3 + 1
    first = client.uploader(file_stream=io.BytesIO(data), chunk_size=part, metadata=metadata)
    first.upload_chunk()
    again = client.uploader(file_stream=io.BytesIO(data), chunk_size=part, url=first.url)
    assert again.offset == part
    again.upload()
    assert again.offset == len(data)
    return str(first.url)


PICTURE = encoded(quarters(64, 48), "png")


@pytest.mark.parametrize(
    ("metadata", "data", "content"),
    [
        ({"filename": "a.bin"}, DATA, "{}/content"),
        ({"kind": "blob", "id": "a/b"}, DATA, "{}"),
        ({"kind": "dump", "filename": "a.dmp", "label": "acme"}, DATA, "{}/content"),
        ({"kind": "picture", "name": "Quarters"}, PICTURE, "{}/original"),
        ({"kind": "buffer", "filename": "a.bin"}, DATA, "{}"),
    ],
    ids=["file", "blob", "dump", "picture", "buffer"],
)
async def test_tuspy_uploads_each_kind(
    service: Service, base: str, metadata: dict[str, str], data: bytes, content: str
) -> None:
    token = service.service_token
    async with asyncio.timeout(DEADLINE):
        url = await asyncio.to_thread(upload, base, token, data, metadata)
    async with plain_http.AsyncClient(headers=token) as client:
        state = await client.head(url, headers=VERSION)
        made = base + content.format(state.headers["content-location"])
        assert (await client.get(made)).content == data
        # over a real connection, the kernel sends files one after the other
        for start, stop in ((0, 1), (len(data) // 4, len(data) - 1)):
            part = await client.get(made, headers={"Range": f"bytes={start}-{stop - 1}"})
            assert (part.status_code, part.content) == (206, data[start:stop])


@pytest.mark.ordinary
async def test_tuspy_gives_to_an_inbox(service: Service, base: str) -> None:
    token = service.service_token
    async with (
        asyncio.timeout(DEADLINE),
        plain_http.AsyncClient(headers=token, base_url=base) as client,
    ):
        made = await client.post("/v1/inboxes", json={"title": "Photos", "max_files": 1})
        place = f"{httpx.URL(made.json()['url']).path}/uploads"
        await asyncio.to_thread(upload, base, {}, DATA, {"filename": "a.bin"}, place)
        (item,) = (await client.get(f"/v1/inboxes/{made.json()['id']}")).json()["items"]
        assert (item["name"], item["size"]) == ("a.bin", len(DATA))
        assert (await client.get(f"/v1/files/{item['id']}/content")).content == DATA


async def test_browsers_elsewhere_see_what_clients_need(service: Service) -> None:
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH"}
    asks |= {"Access-Control-Request-Headers": "tus-resumable,upload-offset,content-type"}
    allowed = await service.client.options(URL, headers=asks)
    assert allowed.status_code == 200
    assert "PATCH" in allowed.headers["access-control-allow-methods"]
    assert "upload-offset" in allowed.headers["access-control-allow-headers"].lower()
    answer = await create(service, service.service_token | {"Origin": ORIGIN}, 5, filename="a")
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {"Location", "Upload-Offset", "Upload-Length", "Content-Location"}
    refused = await service.client.head(
        answer.headers["location"], headers={"Origin": ORIGIN} | VERSION
    )
    assert refused.headers["access-control-allow-origin"] == ORIGIN
