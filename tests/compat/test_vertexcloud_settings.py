"""VertexCloud's contract under other settings, and by the command lines of its document."""

from pathlib import Path

import pytest

from app.accounts import registration
from app.config import Settings
from main import create_app
from tests.api.conftest import PASSWORD, MakeSettings, running
from tests.compat.vertexcloud_client import (
    FIRSTS,
    MEDIA,
    SENT_BY,
    assert_refused,
    assert_said,
    create,
    loose_ends,
    sign_up,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

LARGE = 100_000  # bytes that do not fit into a row


async def test_signing_up_where_that_is_closed(make_settings: MakeSettings) -> None:
    async with running(make_settings(registration="closed")) as service:
        answer = await service.client.post(
            "/signup/", data={"username": "somebody", "password": PASSWORD}
        )
        assert_refused(answer, registration.REFUSAL)


async def test_a_quota_is_a_limit(make_settings: MakeSettings) -> None:
    small = {"name": "Small", "max_object_bytes": 10 * LARGE, "max_total_bytes": LARGE + 50}
    async with running(
        make_settings(admin_username="root", admin_password=PASSWORD, default_tier="Basic")
    ) as service:
        admin = await service.log_in("root")
        user = await sign_up(service)
        assert (await service.client.post("/v1/tiers", json=small, headers=admin)).is_success
        account = (await service.client.get("/v1/accounts/me", headers=user.cookie)).json()["id"]
        change = await service.client.patch(
            f"/v1/accounts/{account}", json={"tier": "Small"}, headers=admin
        )
        assert change.is_success, change.text
        await user.create("a", bytes(LARGE))
        for first in FIRSTS:
            for size in (51, LARGE):
                answer = await create(service.client, user.key, "b", bytes(size), first=first)
                assert_said(answer, status=413)
                assert answer.json()["status"] is False
        assert set(await user.list()) == {"a"}
        assert await service.runtime.parts.database.read(loose_ends) == []


async def test_too_many_failures(make_settings: MakeSettings) -> None:
    async with running(make_settings(rate_limits="on")) as service:
        user = await sign_up(service)
        wrong = {"username": user.name, "password": "wrong password"}
        for n in range(10):
            answer = await service.client.post("/login/" if n % 2 else "/token/", data=wrong)
            assert answer.status_code == 200
        deletion = {"key": user.key, "password": "wrong password"}
        for _ in range(10):
            answer = await service.client.post("/delete/user/", data=deletion)
            assert answer.status_code == 200
        for path, form in (("/login/", wrong), ("/token/", wrong), ("/delete/user/", deletion)):
            answer = await service.client.post(path, data=form)
            assert_said(answer, {"status": False, "message": "Too many requests"}, 429)
            assert int(answer.headers["retry-after"]) > 0


async def test_it_can_be_turned_off(make_settings: MakeSettings) -> None:
    async with running(make_settings(compat=("crash-store",))) as service:
        for path in SENT_BY:
            assert (await service.client.post(path)).status_code == 404
        home = await service.client.get("/")
        assert home.headers["content-type"].startswith("text/html")


async def test_its_paths_begin_where_the_service_does(make_settings: MakeSettings) -> None:
    async with running(
        make_settings(public_url="https://example.org/holdall", registration="open")
    ) as service:
        form = {"username": "somebody", "password": PASSWORD}
        answer = await service.client.post("/holdall/signup/", data=form)
        assert "Path=/holdall/" in answer.headers["set-cookie"]
        key = answer.json()["your session key"]
        await create(service.client, key, "a b")
        listed = (await service.client.post("/holdall/get/files/", data={"key": key})).json()
        url = listed["file"]["a b"]["url"]
        assert url == "/holdall/media/cloud/media/static/files/a%20b"
        assert (await service.client.get(url, params={"key": key})).content == b"hello"


def test_its_operations_are_described(tmp_path: Path) -> None:
    document = create_app(Settings(_env_file=None, data_dir=tmp_path)).app.openapi()
    described = {
        path: {method.upper() for method in item}
        for path, item in document["paths"].items()
        if any("vertexcloud" in operation["tags"] for operation in item.values())
    }
    expected = {path: set(methods) for path, methods in SENT_BY.items()}
    expected[f"{MEDIA}{{name}}"] = expected.pop(f"{MEDIA}a")
    assert described == expected
    number = document["paths"]["/get/file/"]["get"]["parameters"][0]
    assert (number["name"], number["schema"]["type"]) == ("id", "integer")
