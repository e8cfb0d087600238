"""A database that doesn't answer: requests are told so, soon, and work again when it does."""

import asyncio
from urllib.parse import urlsplit

import pytest

from app.database import patience
from tests.api.conftest import MakeSettings, running
from tests.proxy import proxy_to

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


@pytest.mark.parametrize("size", [10, 2 * MIB])
async def test_every_request_is_answered_and_told_to_come_back(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    settings = make_settings()
    if settings.database_url is None:
        pytest.skip("SQLite is no further than the disk")
    url = urlsplit(settings.database_url.get_secret_value())
    assert url.port is not None
    monkeypatch.setattr(patience, "LIMIT", 1.0)
    async with proxy_to(url.port) as proxy:
        address = url.netloc.replace(str(url.port), str(proxy.port))
        through = url._replace(netloc=address).geturl()
        async with running(make_settings(database_url=through)) as service:
            headers = service.service_token
            blob = "/v1/blobs/one/content"
            data = bytes(size)
            assert (await service.client.put(blob, content=data, headers=headers)).is_success
            proxy.freeze()
            answers = await asyncio.gather(
                service.client.get(blob, headers=headers),
                service.client.put(blob, content=data, headers=headers),
                service.client.delete("/v1/blobs/one", headers=headers),
                service.client.get("/v1/files", headers=headers),
                service.client.post(
                    "/v1/auth/token", data={"username": "ada", "password": "guess"}
                ),
            )
            for answer in answers:
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["retry-after"]) > 0
                assert answer.json()["type"] == "urn:holdall:problem:unavailable"
            proxy.thaw()
            assert (await service.client.get(blob, headers=headers)).content == data
