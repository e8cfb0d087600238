"""Registration: open to the first account, which administrates, and then to nobody else."""

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest

from tests.api.conftest import PASSWORD, MakeSettings, Service, running

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

HTML = {"Accept": "text/html"}
ADMIN = {"admin_username": "root", "admin_password": "a root password"}
PATHS = ("/v1/accounts", "/account/register", "/account/registet", "/signup/")


async def sign_up(
    service: Service, name: str, path: str = "/v1/accounts", **headers: str
) -> httpx.Response:
    body = {"username": name, "password": PASSWORD, "email": f"{name}@example.org"}
    answer = await service.client.post(path, json=body, headers=headers)
    service.client.cookies.clear()
    return answer


def assert_closed(answer: httpx.Response) -> None:
    said = answer.json()
    refusal = said["message"] if "message" in said else said["detail"]
    assert "REGISTRATION=open" in refusal
    assert "administrator" in refusal
    if "message" in said:  # a contract whose refusals are answered with 200
        assert (answer.status_code, said["status"]) == (200, False)
    else:
        assert answer.status_code == 403


async def is_admin(service: Service, name: str) -> bool:
    me = await service.client.get("/v1/accounts/me", headers=await service.log_in(name))
    return bool(me.json()["is_admin"])


@pytest.mark.parametrize("path", PATHS)
async def test_the_first_account_administrates_and_closes_the_door(
    make_settings: MakeSettings, path: str
) -> None:
    async with running(make_settings(registration=None)) as service:
        assert (await sign_up(service, "ada", path)).status_code in {200, 201}
        assert await is_admin(service, "ada")
        for other in PATHS:
            assert_closed(await sign_up(service, "bob", other))
            assert_closed(await sign_up(service, "ada", other))  # tells nothing of who is there


@pytest.mark.parametrize(
    "options",
    [
        {"host": "0.0.0.0"},  # noqa: S104 - nobody listens there
        {"public_url": "https://example.org"},
        {"trusted_proxies": ("127.0.0.1",)},
        {"registration": "closed"},
        ADMIN,
    ],
)
async def test_elsewhere_not_even_the_first_gets_in(
    make_settings: MakeSettings, options: dict[str, object]
) -> None:
    async with running(make_settings(**{"registration": None, **options})) as service:
        for path in PATHS:
            assert_closed(await sign_up(service, "ada", path))


async def test_what_is_opened_is_open_and_makes_nobody_administrator(
    make_settings: MakeSettings,
) -> None:
    async with running(make_settings(registration="open")) as service:
        for name, path in zip(("ada", "bob", "carl", "dora"), PATHS, strict=True):
            assert (await sign_up(service, name, path)).status_code in {200, 201}
            assert not await is_admin(service, name)


@pytest.mark.ordinary
async def test_of_all_who_come_first_at_once_one_wins(make_settings: MakeSettings) -> None:
    settings = make_settings(registration=None)
    async with AsyncExitStack() as stack:
        # two services with their own connections, as two processes have them
        services = [await stack.enter_async_context(running(settings)) for _ in range(2)]
        answers = await asyncio.gather(
            *(
                service.client.post(
                    "/v1/accounts", json={"username": f"user{n}-{m}", "password": PASSWORD}
                )
                for n in range(6)
                for m, service in enumerate(services)
            )
        )
        (won,) = [answer for answer in answers if answer.status_code == 201]
        assert won.json()["is_admin"] is True
        for answer in answers:
            if answer is not won:
                assert_closed(answer)
        found = await services[1].client.get(
            "/v1/accounts", headers=await services[1].log_in(won.json()["username"])
        )
        names = {item["username"] for item in found.json()["items"]}
        assert names == {won.json()["username"], "service"}


async def test_an_administrators_browser_makes_accounts_too(make_settings: MakeSettings) -> None:
    async with running(make_settings(registration=None)) as service:
        signed_up = await service.client.post(
            "/account/register", json={"username": "ada", "password": PASSWORD}
        )
        assert signed_up.json() == {"username": "ada"}
        body = {"username": "bob", "password": PASSWORD}
        elsewhere = {"Sec-Fetch-Site": "cross-site"}
        assert_closed(await service.client.post("/v1/accounts", json=body, headers=elsewhere))
        made = await service.client.post("/v1/accounts", json=body)
        assert (made.status_code, made.json()["is_admin"]) == (201, False)
        service.client.cookies.clear()
        await service.client.post("/account/login", json=body)
        carl = {"username": "carl", "password": PASSWORD}
        assert_closed(await service.client.post("/v1/accounts", json=carl))


async def test_pages_say_to_whom_it_is_open(make_settings: MakeSettings) -> None:
    paths = ("/", "/account/register")

    async def texts(service: Service) -> list[str]:
        return [(await service.client.get(path, headers=HTML)).text for path in paths]

    async with running(make_settings(registration=None)) as service:
        for text in await texts(service):
            assert "administers" in text
            assert "/account/register" in text
        await sign_up(service, "ada")
        for text in await texts(service):
            assert "Registration is closed" in text
            assert "administers" not in text
            assert 'action="/account/register"' not in text
    async with running(make_settings(registration="open")) as service:
        for text in await texts(service):
            assert "/account/register" in text
            assert "administers" not in text
