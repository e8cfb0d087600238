"""API keys over HTTP: shown once, good for their scopes only, and ended at once."""

import re
from typing import Any

import httpx
import pytest

from app import clock
from app.accounts.tables import api_keys
from app.features import SCOPES
from tests.api.conftest import MakeSettings, Service, running

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

KEYS = "/v1/accounts/me/keys"


async def make_key(service: Service, headers: dict[str, str], **body: object) -> httpx.Response:
    return await service.client.post(
        KEYS, json={"name": "backup", "scopes": ["blobs:read"], **body}, headers=headers
    )


def bearer(key: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {key['key']}"}


async def test_the_page_offers_the_scopes_that_there_are(service: Service) -> None:
    _, headers = await service.sign_up()
    page = await service.client.get("/account/profile", headers=headers | {"Accept": "text/html"})
    offered = re.findall(r'name="scopes" value="([^"]+)"', page.text)
    assert sorted(offered) == sorted(SCOPES - {"metrics:read"})


async def test_a_key_is_shown_once_and_kept_as_a_hash(service: Service) -> None:
    _, headers = await service.sign_up()
    answer = await make_key(service, headers, scopes=["blobs:write", "blobs:read"])
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    key = answer.json()
    assert key["key"].startswith(key["hint"])
    assert key["hint"].startswith("hk_")
    assert (key["name"], key["scopes"]) == ("backup", ["blobs:read", "blobs:write"])
    assert key["expires_at"] is None

    listed = await service.client.get(KEYS, headers=headers)
    assert listed.json() == {
        "items": [{name: value for name, value in key.items() if name != "key"}],
        "next_cursor": None,
    }
    rows = await service.runtime.parts.database.read(
        lambda c: [tuple(row) for row in c.execute(api_keys.select())]
    )
    assert key["key"] not in repr(rows)


async def test_a_key_is_good_for_its_scopes_only(service: Service) -> None:
    _, headers = await service.sign_up()
    reader = (await make_key(service, headers)).json()
    writer = (await make_key(service, headers, scopes=["blobs:write"])).json()
    submitter = (await make_key(service, headers, scopes=["dumps:submit"])).json()
    url = "/v1/blobs/a/content"
    for key, written, read in ((writer, 201, 403), (reader, 403, 200), (submitter, 403, 403)):
        put = await service.client.put(url, content=b"x", headers=bearer(key))
        assert put.status_code == written
        assert (await service.client.get(url, headers=bearer(key))).status_code == read


async def test_an_admins_key_does_not_administrate(make_settings: MakeSettings) -> None:
    admin = {"admin_username": "root", "admin_password": "a root password"}
    async with running(make_settings(**admin)) as service:
        headers = await service.log_in("root", admin["admin_password"])
        assert (await service.client.get("/v1/accounts", headers=headers)).status_code == 200
        key = (await make_key(service, headers, scopes=sorted(SCOPES))).json()
        assert (await service.client.get("/v1/accounts", headers=bearer(key))).status_code == 403


async def test_a_deleted_key_is_over_at_once(service: Service) -> None:
    _, headers = await service.sign_up()
    key = (await make_key(service, headers)).json()
    assert (await service.client.get("/v1/blobs", headers=bearer(key))).status_code == 200
    url = f"{KEYS}/{key['id']}"
    assert (await service.client.delete(url, headers=headers)).status_code == 204
    assert (await service.client.get("/v1/blobs", headers=bearer(key))).status_code == 401
    assert (await service.client.delete(url, headers=headers)).status_code == 404


async def test_another_accounts_key_is_not_there(service: Service) -> None:
    _, headers = await service.sign_up()
    _, others = await service.sign_up()
    key = (await make_key(service, headers)).json()
    assert (await service.client.delete(f"{KEYS}/{key['id']}", headers=others)).status_code == 404
    assert (await service.client.get(KEYS, headers=others)).json()["items"] == []
    assert (await service.client.get("/v1/blobs", headers=bearer(key))).status_code == 200


@pytest.mark.ordinary
async def test_an_expired_key_is_over_however_late_the_expiry_is(service: Service) -> None:
    _, headers = await service.sign_up()
    key = (await make_key(service, headers, expires_in=60)).json()
    assert (await service.client.get("/v1/blobs", headers=bearer(key))).status_code == 200
    await service.runtime.parts.database.write(
        lambda c: c.execute(api_keys.update().values(expires_at=clock.now())).rowcount
    )
    assert (await service.client.get("/v1/blobs", headers=bearer(key))).status_code == 401
    assert (await service.client.get(KEYS, headers=headers)).json()["items"] == []


@pytest.mark.ordinary
async def test_keys_are_listed_page_by_page(service: Service) -> None:
    _, headers = await service.sign_up()
    made = [(await make_key(service, headers, name=f"k{n}")).json() for n in range(5)]
    seen: list[str] = []
    params: dict[str, str | int] = {"limit": 2}
    while True:
        page = (await service.client.get(KEYS, params=params, headers=headers)).json()
        seen += [key["id"] for key in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert seen == [key["id"] for key in reversed(made)]
    elsewhere = await service.client.get(
        "/v1/accounts/me/sessions", params={"cursor": params["cursor"]}, headers=headers
    )
    assert elsewhere.status_code == 400


async def test_a_bad_key_is_refused(service: Service) -> None:
    _, headers = await service.sign_up()
    bad: list[dict[str, object]] = [
        {"name": ""},
        {"name": "a\0b"},
        {"name": "x" * 256},
        {"scopes": []},
        {"scopes": ["admin"]},
        {"scopes": ["account"]},
        {"scopes": "blobs:read"},
        {"expires_in": 0},
        {"expires_in": 10**12},
    ]
    for body in bad:
        assert (await make_key(service, headers, **body)).status_code == 422, body


async def test_the_service_may_have_keys_too(service: Service) -> None:
    key = (await make_key(service, service.service_token)).json()
    assert (await service.client.get("/v1/blobs", headers=bearer(key))).status_code == 200
