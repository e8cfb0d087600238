"""Tiers over HTTP: administrators make, change and delete them."""

import httpx
import pytest

from tests.api.conftest import PASSWORD, Service
from tests.api.problems import assert_problem
from tests.api.test_accounts import admin

pytestmark = pytest.mark.anyio

__all__ = ["admin"]

GIB = 1024**3

NO_BOUNDS = {
    "default_lifetime": None,
    "max_lifetime": None,
    "default_downloads": None,
    "max_downloads": None,
}


async def make(service: Service, headers: dict[str, str], **body: object) -> httpx.Response:
    return await service.client.post("/v1/tiers", json=body, headers=headers)


@pytest.mark.slow("scaled")
async def test_three_tiers_are_there_from_the_start(
    service: Service, admin: dict[str, str]
) -> None:
    answer = await service.client.get("/v1/tiers", headers=admin)
    tiers = [
        {name: value for name, value in tier.items() if name not in {"id", "created_at"}}
        for tier in answer.json()["items"]
    ]
    shared = {"allow_links": False, "max_objects": None} | NO_BOUNDS
    basic = {"name": "Basic", "heights": [200], "allow_original": False, **shared}
    premium = {"name": "Premium", "heights": [200, 400], "allow_original": True, **shared}
    assert tiers == [
        {
            **premium,
            "name": "Enterprise",
            "allow_links": True,
            "max_object_bytes": None,
            "max_total_bytes": None,
        },
        {**premium, "max_object_bytes": 100 * GIB, "max_total_bytes": 1000 * GIB},
        {**basic, "max_object_bytes": 10 * GIB, "max_total_bytes": 100 * GIB},
    ]


@pytest.mark.slow("scaled")
async def test_only_a_name_is_required(service: Service, admin: dict[str, str]) -> None:
    answer = await make(service, admin, name="Bare")
    assert answer.status_code == 201
    tier = answer.json()
    assert tier | {"id": "", "created_at": ""} == {
        "id": "",
        "created_at": "",
        "name": "Bare",
        "heights": [],
        "allow_original": False,
        "allow_links": False,
        "max_object_bytes": None,
        "max_total_bytes": None,
        "max_objects": None,
        **NO_BOUNDS,
    }
    read = await service.client.get(f"/v1/tiers/{tier['id']}", headers=admin)
    assert read.json() == tier


async def test_a_tier_is_changed_in_part_and_counts_at_once(
    service: Service, admin: dict[str, str]
) -> None:
    facts = {"name": "Own", "heights": [100, 50], "allow_links": True, "max_objects": 5}
    tier = (await make(service, admin, **facts)).json()
    ada, headers = await service.sign_up("ada")
    await service.client.patch(f"/v1/accounts/{ada['id']}", json={"tier": "own"}, headers=admin)

    url = f"/v1/tiers/{tier['id']}"
    body = {"max_total_bytes": 3, "heights": [70], "allow_links": None, "max_objects": None}
    changed = await service.client.patch(url, json=body, headers=admin)
    assert changed.json() == tier | {"max_total_bytes": 3, "heights": [70], "max_objects": None}

    async def put(name: str, data: bytes) -> httpx.Response:
        return await service.client.put(f"/v1/blobs/{name}/content", content=data, headers=headers)

    assert_problem(await put("a", b"1234"), 413)
    assert (await put("a", b"123")).status_code == 201
    me = await service.client.get("/v1/accounts/me", headers=headers)
    assert me.json()["usage"] == {
        "bytes": 3, "objects": 1, "max_bytes": 3, "max_objects": None,
    }  # fmt: skip


async def test_names_are_unique_without_case(service: Service, admin: dict[str, str]) -> None:
    assert_problem(await make(service, admin, name="BASIC"), 409)
    assert_problem(await make(service, admin, name="Service"), 409)
    tier = (await make(service, admin, name="Own")).json()
    url = f"/v1/tiers/{tier['id']}"
    assert_problem(await service.client.patch(url, json={"name": "premium"}, headers=admin), 409)
    renamed = await service.client.patch(url, json={"name": "OWN"}, headers=admin)
    assert renamed.json()["name"] == "OWN"


async def test_a_tier_in_use_is_not_deleted(service: Service, admin: dict[str, str]) -> None:
    tier = (await make(service, admin, name="Own")).json()
    ada, _ = await service.sign_up("ada")
    account = f"/v1/accounts/{ada['id']}"
    await service.client.patch(account, json={"tier": "Own"}, headers=admin)
    url = f"/v1/tiers/{tier['id']}"
    assert_problem(await service.client.delete(url, headers=admin), 409)
    await service.client.patch(account, json={"tier": "Basic"}, headers=admin)
    assert (await service.client.delete(url, headers=admin)).status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        answer = await service.client.request(method, url, json={}, headers=admin)
        assert_problem(answer, 404)


async def test_the_tier_of_new_accounts_keeps_its_name(
    service: Service, admin: dict[str, str]
) -> None:
    tiers = (await service.client.get("/v1/tiers", headers=admin)).json()["items"]
    (basic,) = [tier for tier in tiers if tier["name"] == "Basic"]
    me = (await service.client.get("/v1/accounts/me", headers=admin)).json()
    await service.client.patch(
        f"/v1/accounts/{me['id']}", json={"tier": "Premium"}, headers=admin
    )  # so that nobody has it
    url = f"/v1/tiers/{basic['id']}"
    assert_problem(await service.client.patch(url, json={"name": "B"}, headers=admin), 409)
    assert_problem(await service.client.delete(url, headers=admin), 409)
    smaller = await service.client.patch(url, json={"max_objects": 1}, headers=admin)
    assert smaller.json() == basic | {"max_objects": 1}


@pytest.mark.slow("scaled")
async def test_a_bad_tier_is_refused(service: Service, admin: dict[str, str]) -> None:
    bad: list[dict[str, object]] = [
        {},
        {"name": ""},
        {"name": "a\0"},
        {"name": "x" * 65},
        {"name": "x", "heights": [0]},
        {"name": "x", "heights": [100, 100]},
        {"name": "x", "heights": list(range(1, 30))},
        {"name": "x", "max_objects": -1},
        {"name": "x", "max_total_bytes": 2**63},
        {"name": "x", "max_object_bytes": 1.5},
    ]
    for body in bad:
        assert_problem(await make(service, admin, **body), 422)


@pytest.mark.slow("scaled")
async def test_others_see_no_tiers(service: Service) -> None:
    await service.sign_up("ada")
    form = {"username": "ada", "password": PASSWORD}
    tokens = (await service.client.post("/v1/auth/token", data=form)).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert_problem(await service.client.get("/v1/tiers", headers=headers), 403)
    assert_problem(await make(service, headers, name="Own"), 403)


async def test_defaults_and_bounds_of_links_are_set_and_taken_away(
    service: Service, admin: dict[str, str]
) -> None:
    bounds = {"default_lifetime": 60, "max_lifetime": 600, "default_downloads": 1,
              "max_downloads": 10}  # fmt: skip
    tier = (await make(service, admin, name="Bound", **bounds)).json()
    assert {name: tier[name] for name in bounds} == bounds
    url = f"/v1/tiers/{tier['id']}"
    changed = await service.client.patch(url, json={"max_downloads": 20}, headers=admin)
    assert changed.json() == tier | {"max_downloads": 20}
    changed = await service.client.patch(url, json=NO_BOUNDS, headers=admin)
    assert changed.json() == tier | NO_BOUNDS
    for name in bounds:
        for wrong in (0, -1, True, "5", 2**60):
            refused = await service.client.patch(url, json={name: wrong}, headers=admin)
            assert_problem(refused, 422)
