"""Accounts over HTTP: signing up, one's own, and their administration."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import Connection, update

from app import clock
from app.accounts.tables import accounts
from app.security.rate_limits import SIGN_UP
from tests.api.books import stored_keys
from tests.api.conftest import PASSWORD, MakeSettings, Service, running
from tests.api.problems import assert_problem

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

ADMIN = {"admin_username": "root", "admin_password": "a root password"}


async def sign_up(service: Service, **body: object) -> httpx.Response:
    return await service.client.post(
        "/v1/accounts", json={"username": "ada", "password": PASSWORD, **body}
    )


async def test_signing_up_answers_the_account(service: Service) -> None:
    answer = await sign_up(service, username="Ada.L-1_", email="Ada@Example.org")
    assert answer.status_code == 201
    account = answer.json()
    assert PASSWORD not in answer.text
    created = datetime.fromisoformat(account.pop("created_at"))
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
    assert answer.text.count('Z"') == 1
    assert account.pop("id")
    assert account == {
        "username": "Ada.L-1_",
        "email": "Ada@Example.org",
        "tier": "Basic",
        "is_admin": False,
        "usage": {
            "bytes": 0,
            "objects": 0,
            "max_bytes": 100 * 1024**3,
            "max_objects": None,
        },
        "source_url": None,
        "has_second_factor": False,
        "display_name": None,
    }
    headers = await service.log_in("ada.l-1_")
    me = await service.client.get("/v1/accounts/me", headers=headers)
    assert me.json() == answer.json()


BAD: Final[list[tuple[str, object]]] = [
    ("username", "ab"),
    ("username", "a" * 65),
    ("username", "ädä"),
    ("username", "a b c"),
    ("username", "ada\n"),
    ("username", None),
    ("email", "ada"),
    ("email", "ada@"),
    ("email", "a da@example.org"),
    ("email", "ada@example.org\n"),
    ("email", "ada@" + "a" * 250 + ".org"),
    ("password", "1234567"),
    ("password", "1" * 129),
    ("password", "12345678\0"),
    ("password", 12345678),
]


async def test_what_cannot_be_signed_up_with_is_named(service: Service) -> None:
    for field, value in BAD:
        problem = assert_problem(await sign_up(service, **{field: value}), 422)
        assert [error["loc"] for error in problem["errors"]] == [["body", field]], value


async def test_a_password_that_is_guessed_first_is_refused(service: Service) -> None:
    fields = {"username": "ada.lovelace", "email": "ada-king@e.org"}
    guessed = ("password1", "ADA.Lovelace", "ada-king", "Ada-King@e.org")
    for password in guessed:
        problem = assert_problem(await sign_up(service, **fields, password=password), 422)
        assert [error["loc"] for error in problem["errors"]] == [["body", "password"]], password
    assert (await sign_up(service, **fields)).status_code == 201
    headers = await service.log_in("ada.lovelace")

    async def change(**body: str) -> dict[str, Any]:
        body["current_password"] = PASSWORD
        answer = await service.client.patch("/v1/accounts/me", json=body, headers=headers)
        return assert_problem(answer, 422)

    for password in guessed:
        problem = await change(password=password)
        assert [error["loc"] for error in problem["errors"]] == [["body", "password"]], password
    # an address that comes with it counts too
    await change(email="carl@example.org", password="Carl@Example.org")
    assert (await service.log_in("ada.lovelace"))["Authorization"]


async def test_the_longest_and_the_oddest_are_fine(service: Service) -> None:
    odd = await sign_up(service, username="a" * 64, password="\U0001f40e ü" * 32)
    assert odd.status_code == 201


@pytest.mark.ordinary
async def test_a_taken_name_or_address_is_refused_without_case(service: Service) -> None:
    assert (await sign_up(service, email="ada@example.org")).status_code == 201
    assert "user name" in assert_problem(await sign_up(service, username="ADA"), 409)["detail"]
    taken = await sign_up(service, username="bob", email="ADA@example.org")
    assert "email" in assert_problem(taken, 409)["detail"]
    assert_problem(await sign_up(service, username="Service"), 409)


async def test_a_large_body_is_refused(service: Service) -> None:
    answer = await sign_up(service, email="x" * 70_000)
    assert answer.status_code == 413


@pytest.mark.ordinary
async def test_where_registration_is_closed_only_an_admin_makes_accounts(
    make_settings: MakeSettings,
) -> None:
    async with running(make_settings(registration="closed", **ADMIN)) as service:
        assert_problem(await sign_up(service), 403)
        headers = await service.log_in("root", ADMIN["admin_password"])
        made = await service.client.post(
            "/v1/accounts", json={"username": "ada", "password": PASSWORD}, headers=headers
        )
        assert made.status_code == 201
        other = await service.client.post(
            "/v1/accounts",
            json={"username": "bob", "password": PASSWORD},
            headers=await service.log_in("ada"),
        )
        assert_problem(other, 403)


@pytest.mark.ordinary
async def test_signing_up_is_limited_by_address(make_settings: MakeSettings) -> None:
    async with running(make_settings(rate_limits="on")) as service:
        address = "127.0.0.1"  # as the test's client has it
        for _ in range(SIGN_UP.limit - 1):
            await service.runtime.parts.rate_limits.count(SIGN_UP, address)
        assert (await sign_up(service)).status_code == 201
        refused = await sign_up(service, username="bob")
        assert_problem(refused, 429)
        assert 1 <= int(refused.headers["retry-after"]) <= SIGN_UP.seconds
        # of a shared Valkey: leave nothing behind


@pytest.mark.ordinary
async def test_the_address_is_changed_with_the_password(service: Service) -> None:
    _, headers = await service.sign_up("ada")
    await sign_up(service, username="bob", email="bob@example.org")

    async def change(**body: object) -> httpx.Response:
        return await service.client.patch("/v1/accounts/me", json=body, headers=headers)

    changed = await change(email="New@example.org", current_password=PASSWORD)
    assert (changed.status_code, changed.json()["email"]) == (200, "New@example.org")
    assert_problem(await change(email="x@example.org", current_password="wrong"), 403)
    assert_problem(await change(email="x@example.org"), 422)
    taken = assert_problem(await change(email="BOB@example.org", current_password=PASSWORD), 409)
    assert "email" in taken["detail"]
    unchanged = await change(current_password=PASSWORD)
    assert unchanged.json() == changed.json()
    assert (await change(email=None, current_password=PASSWORD)).json()["email"] is None


@pytest.mark.ordinary
async def test_a_new_password_ends_every_session_and_key(service: Service) -> None:
    _, headers = await service.sign_up("ada")
    other = await service.log_in("ada")
    key = await service.client.post(
        "/v1/accounts/me/keys", json={"name": "k", "scopes": ["blobs:read"]}, headers=headers
    )
    by_key = {"Authorization": f"Bearer {key.json()['key']}"}
    assert (await service.client.get("/v1/blobs", headers=by_key)).status_code == 200

    body = {"current_password": PASSWORD, "password": "another password"}
    changed = await service.client.patch("/v1/accounts/me", json=body, headers=headers)
    assert changed.status_code == 200

    for ended in (headers, other):
        assert_problem(await service.client.get("/v1/accounts/me", headers=ended), 401)
    assert_problem(await service.client.get("/v1/blobs", headers=by_key), 401)
    form = {"username": "ada", "password": PASSWORD}
    assert_problem(await service.client.post("/v1/auth/token", data=form), 401)
    await service.log_in("ada", "another password")


@pytest.mark.ordinary
async def test_a_deleted_account_is_gone_at_once_and_its_name_later(service: Service) -> None:
    _, headers = await service.sign_up("ada")
    others = await stored_keys(service)  # of other tests, which share the bucket
    for n, size in enumerate((10, 100_000)):
        put = await service.client.put(
            f"/v1/blobs/{n}/content", content=b"x" * size, headers=headers
        )
        assert put.status_code == 201

    wrong = await service.client.post(
        "/v1/accounts/me/delete", json={"password": "wrong"}, headers=headers
    )
    assert_problem(wrong, 403)
    deleted = await service.client.post(
        "/v1/accounts/me/delete", json={"password": PASSWORD}, headers=headers
    )
    assert (deleted.status_code, deleted.content) == (204, b"")

    assert_problem(await service.client.get("/v1/accounts/me", headers=headers), 401)
    form = {"username": "ada", "password": PASSWORD}
    assert_problem(await service.client.post("/v1/auth/token", data=form), 401)
    assert_problem(await sign_up(service), 409)

    assert service.runtime.parts.purge.woken.is_set()
    while await service.runtime.parts.purge.run_once(clock.now()):
        pass
    while await service.runtime.parts.sweep.run_once(clock.now()):
        pass
    assert await stored_keys(service) == others
    assert (await sign_up(service)).status_code == 201


async def test_of_a_key_account_routes_take_nothing(service: Service) -> None:
    _, headers = await service.sign_up("ada")
    body = {"name": "all", "scopes": ["blobs:read", "blobs:write", "dumps:submit"]}
    key = await service.client.post("/v1/accounts/me/keys", json=body, headers=headers)
    by_key = {"Authorization": f"Bearer {key.json()['key']}"}
    routes = [
        ("GET", "/v1/accounts/me", None),
        ("PATCH", "/v1/accounts/me", {"current_password": PASSWORD}),
        ("POST", "/v1/accounts/me/delete", {"password": PASSWORD}),
        ("GET", "/v1/accounts/me/sessions", None),
        ("DELETE", "/v1/accounts/me/sessions", None),
        ("DELETE", f"/v1/accounts/me/sessions/{key.json()['id']}", None),
        ("GET", "/v1/accounts/me/keys", None),
        ("POST", "/v1/accounts/me/keys", body),
        ("DELETE", f"/v1/accounts/me/keys/{key.json()['id']}", None),
        ("POST", "/v1/auth/revoke", None),
        ("GET", "/v1/accounts", None),
        ("GET", "/v1/tiers", None),
    ]
    for method, path, json in routes:
        assert_problem(await service.client.request(method, path, json=json, headers=by_key), 403)


async def test_without_a_credential_they_ask_for_one(service: Service) -> None:
    answer = await service.client.get("/v1/accounts/me")
    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"
    answer = await service.client.get(
        "/v1/accounts/me", headers={"Authorization": "Bearer nonsense"}
    )
    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.fixture
async def admin(service: Service) -> dict[str, str]:
    """Headers of an administrator's."""
    account, headers = await service.sign_up("root")
    runtime = service.runtime
    await runtime.parts.database.write(_make_admin, account["id"])
    return headers


def _make_admin(connection: Connection, uuid: str) -> None:
    connection.execute(update(accounts).where(accounts.c.uuid == uuid).values(is_admin=True))


@pytest.mark.ordinary
async def test_an_admin_finds_accounts_page_by_page(
    service: Service, admin: dict[str, str]
) -> None:
    for n in range(5):
        await sign_up(service, username=f"ada{n}")
    seen: list[str] = []
    params: dict[str, str | int] = {"limit": 2, "q": "ADA"}
    while True:
        page = await service.client.get("/v1/accounts", params=params, headers=admin)
        assert page.status_code == 200
        seen += [account["username"] for account in page.json()["items"]]
        assert all(account["is_active"] for account in page.json()["items"])
        if page.json()["next_cursor"] is None:
            break
        params["cursor"] = page.json()["next_cursor"]
    assert seen == [f"ada{n}" for n in (4, 3, 2, 1, 0)]
    bad = await service.client.get("/v1/accounts", params={"cursor": "x"}, headers=admin)
    assert_problem(bad, 400)
    for wrong in ({"limit": 0}, {"limit": 1001}, {"q": "a\0"}):
        assert_problem(await service.client.get("/v1/accounts", params=wrong, headers=admin), 422)


async def test_an_admin_sets_the_tier_and_it_counts_at_once(
    service: Service, admin: dict[str, str]
) -> None:
    ada, headers = await service.sign_up("ada")
    url = f"/v1/accounts/{ada['id']}"
    set_ = await service.client.patch(url, json={"tier": "enterprise"}, headers=admin)
    assert (set_.status_code, set_.json()["tier"]) == (200, "Enterprise")
    me = await service.client.get("/v1/accounts/me", headers=headers)
    assert (me.json()["tier"], me.json()["usage"]["max_bytes"]) == ("Enterprise", None)
    for tier in ("Gold", "Service"):
        unknown = await service.client.patch(url, json={"tier": tier}, headers=admin)
        assert assert_problem(unknown, 422)["errors"][0]["loc"] == ["body", "tier"]


async def test_a_deactivated_account_is_out_until_it_logs_in_again(
    service: Service, admin: dict[str, str]
) -> None:
    ada, headers = await service.sign_up("ada")
    url = f"/v1/accounts/{ada['id']}"
    answer = await service.client.patch(url, json={"is_active": False}, headers=admin)
    assert answer.json()["is_active"] is False
    assert_problem(await service.client.get("/v1/accounts/me", headers=headers), 401)
    form = {"username": "ada", "password": PASSWORD}
    assert_problem(await service.client.post("/v1/auth/token", data=form), 401)
    await service.client.patch(url, json={"is_active": True}, headers=admin)
    assert_problem(await service.client.get("/v1/accounts/me", headers=headers), 401)
    await service.log_in("ada")


@pytest.mark.ordinary
async def test_the_last_admin_stays(service: Service, admin: dict[str, str]) -> None:
    me = (await service.client.get("/v1/accounts/me", headers=admin)).json()
    url = f"/v1/accounts/{me['id']}"
    for change in ({"is_admin": False}, {"is_active": False}):
        assert_problem(await service.client.patch(url, json=change, headers=admin), 409)
    assert_problem(await service.client.delete(url, headers=admin), 409)
    own = await service.client.post(
        "/v1/accounts/me/delete", json={"password": PASSWORD}, headers=admin
    )
    assert_problem(own, 409)
    ada, headers = await service.sign_up("ada")
    await service.client.patch(f"/v1/accounts/{ada['id']}", json={"is_admin": True}, headers=admin)
    assert (await service.client.delete(url, headers=headers)).status_code == 204
    assert_problem(await service.client.get("/v1/accounts/me", headers=admin), 401)


async def test_an_admin_deletes_accounts_but_not_the_service(
    service: Service, admin: dict[str, str]
) -> None:
    ada, headers = await service.sign_up("ada")
    url = f"/v1/accounts/{ada['id']}"
    assert (await service.client.get(url, headers=admin)).json()["username"] == "ada"
    assert (await service.client.delete(url, headers=admin)).status_code == 204
    assert_problem(await service.client.get("/v1/accounts/me", headers=headers), 401)
    for method in ("GET", "DELETE"):
        assert_problem(await service.client.request(method, url, headers=admin), 404)
    own = await service.client.get("/v1/accounts/me", headers=service.service_token)
    assert own.json()["username"] == "service"
    url = f"/v1/accounts/{own.json()['id']}"
    assert_problem(await service.client.delete(url, headers=admin), 403)
    assert_problem(await service.client.patch(url, json={"is_active": False}, headers=admin), 403)
    assert_problem(await service.client.get("/v1/accounts/not-an-id", headers=admin), 422)


async def test_others_administrate_nothing(service: Service) -> None:
    ada, headers = await service.sign_up("ada")
    for credential in (headers, service.service_token):
        for method, path in (
            ("GET", "/v1/accounts"),
            ("GET", f"/v1/accounts/{ada['id']}"),
            ("DELETE", f"/v1/accounts/{ada['id']}"),
            ("GET", "/v1/tiers"),
        ):
            answer = await service.client.request(method, path, headers=credential)
            assert_problem(answer, 403)


@pytest.mark.ordinary
async def test_an_admin_who_is_deposed_meanwhile_is_one_no_more(
    service: Service, admin: dict[str, str]
) -> None:
    ada, headers = await service.sign_up("ada")
    await service.client.patch(f"/v1/accounts/{ada['id']}", json={"is_admin": True}, headers=admin)
    root = (await service.client.get("/v1/accounts/me", headers=admin)).json()
    answers = await asyncio.gather(
        service.client.patch(f"/v1/accounts/{ada['id']}", json={"is_admin": False}, headers=admin),
        service.client.patch(
            f"/v1/accounts/{root['id']}", json={"is_admin": False}, headers=headers
        ),
    )
    assert sorted(answer.status_code for answer in answers) in ([200, 403], [200, 409])
