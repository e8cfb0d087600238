"""Another signing key, put in front of the old one and later alone: what goes on, and what ends."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import MakeSettings, Service, running

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

OLD, NEW = "old" * 11, "new" * 11


async def make_links(service: Service, user: dict[str, str]) -> dict[str, str]:
    """Make a link of each origin; returns their URLs."""
    client = service.client
    put = await client.put("/v1/blobs/a/content", content=b"a", headers=user)
    assert put.status_code == 201
    body = {"kind": "blob", "id": "a", "time": 3600}
    link = await client.post("/v1/timelinks", json=body, headers=user)
    file = await client.post("/v1/files", files={"file": ("b.txt", b"b")}, headers=user)
    return {"link": link.json()["url"], "file": file.json()["link"]}


async def listed(service: Service, user: dict[str, str]) -> dict[str, str | None]:
    links = await service.client.get("/v1/timelinks", headers=user)
    (link,) = (item for item in links.json()["items"] if item["kind"] == "blob")
    (file,) = (await service.client.get("/v1/files", headers=user)).json()["items"]
    return {"link": link["url"], "file": file["link"]}


async def qr_of(service: Service, user: dict[str, str]) -> httpx.Response:
    links = await service.client.get("/v1/timelinks", headers=user)
    (link,) = (item for item in links.json()["items"] if item["kind"] == "blob")
    return await service.client.get(f"/v1/timelinks/{link['id']}/qr", headers=user)


async def refreshed(service: Service, token: str) -> httpx.Response:
    return await service.client.post("/v1/auth/refresh", json={"refresh_token": token})


async def test_a_new_key_in_front_ends_nothing_and_alone_it_ends_what_the_old_one_signed(
    make_settings: MakeSettings,
) -> None:
    form = {"username": "ada", "password": "correct horse battery"}
    async with running(make_settings(signing_key=OLD)) as service:
        _, user = await service.sign_up("ada")
        urls = await make_links(service, user)
        qr = (await qr_of(service, user)).content
        tokens: Any = (await service.client.post("/v1/auth/token", data=form)).json()

    async with running(make_settings(signing_key=f"{NEW}, {OLD}")) as service:
        assert await listed(service, user) == urls
        assert (await qr_of(service, user)).content == qr
        for url in urls.values():
            assert (await service.client.get(url)).status_code == 200
        # two tabs with the same old token get the same successor
        answers = [await refreshed(service, tokens["refresh_token"]) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        successors = {answer.json()["refresh_token"] for answer in answers}
        assert len(successors) == 1

    async with running(make_settings(signing_key=NEW)) as service:
        gone = await service.client.get("/v1/accounts/me", headers=user)
        assert gone.status_code == 401
        assert (await refreshed(service, tokens["refresh_token"])).status_code == 401
        assert (await refreshed(service, successors.pop())).status_code == 200
        user = await service.log_in("ada")
        assert await listed(service, user) == {"link": None, "file": None}
        answer = await qr_of(service, user)
        assert answer.status_code == 404
        assert "signing key" in answer.json()["detail"]
        for url in urls.values():
            assert (await service.client.get(url)).status_code == 200
        page = await service.client.get("/links", headers=user)
        assert "signing key" in page.text
        assert "None" not in page.text
