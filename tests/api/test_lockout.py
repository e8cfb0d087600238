"""Wrong passwords: strangers are kept from guessing, and nobody is kept out by what others try."""

from http.cookies import SimpleCookie
from itertools import count

import httpx
import pytest

from app.security.rate_limits import LOGIN, LOGIN_BY_NAME, PASSWORD_CHECK
from routers.web import known_devices
from tests.api.conftest import PASSWORD, MakeSettings, Service, running

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PATHS = ("/v1/auth/token", "/account/login", "/api/token/", "/login/", "/token/")
ATTACKED = {"rate_limits": "on", "trusted_proxies": "127.0.0.1", "registration": "open"}
NEW_PASSWORD = "another horse battery"

_addresses = count(1)


async def give(
    service: Service,
    name: str,
    password: str,
    *,
    address: str,
    device: str | None = None,
    path: str = PATHS[0],
    **headers: str,
) -> httpx.Response:
    """Send a password to a path, with no cookie but a device's."""
    service.client.cookies.clear()
    if device is not None:
        headers["Cookie"] = f"{known_devices.NAME}={device}"
    form = {"username": name, "password": password}
    headers["X-Forwarded-For"] = address
    answer = await service.client.post(path, data=form, headers=headers)
    service.client.cookies.clear()
    return answer


def outcome(answer: httpx.Response) -> str:
    """Return what became of a password, in one word for every contract."""
    if answer.status_code == 429:
        assert int(answer.headers["retry-after"]) > 0
        return "limited"
    if answer.status_code == 200 and answer.json().get("status") is not False:
        return "in"
    assert answer.status_code in {200, 401}, answer.text
    return "wrong"


def device_of(answer: httpx.Response) -> str:
    """Return the device cookie that an answer sets."""
    cookie: SimpleCookie = SimpleCookie()
    for header in answer.headers.get_list("set-cookie"):
        cookie.load(header)
    return cookie[known_devices.NAME].value


async def attack(service: Service, name: str, failures: int) -> None:
    """Guess from everywhere until strangers may guess no more."""
    for _ in range(failures):
        address = f"192.0.2.{next(_addresses) % 250}"
        guessed = outcome(await give(service, name, "a wrong guess", address=address))
        assert guessed == "wrong"


async def test_failures_from_one_address_keep_nobody_out_elsewhere(
    make_settings: MakeSettings,
) -> None:
    async with running(make_settings(**ATTACKED)) as service:
        await service.sign_up("ada")
        for n in range(LOGIN.limit):
            path = PATHS[n % len(PATHS)]
            answer = await give(service, "Ada", "wrong", address="198.51.100.1", path=path)
            assert outcome(answer) == "wrong"
        for path in PATHS:
            here = await give(service, "ada", PASSWORD, address="198.51.100.1", path=path)
            assert outcome(here) == "limited"
            there = await give(service, "ada", PASSWORD, address="198.51.100.2", path=path)
            assert outcome(there) == "in"
        # whoever shares the address is not kept out either
        await service.sign_up("bob")
        assert outcome(await give(service, "bob", PASSWORD, address="198.51.100.1")) == "in"


async def test_right_passwords_are_not_counted(make_settings: MakeSettings) -> None:
    async with running(make_settings(**ATTACKED)) as service:
        await service.sign_up("ada")
        for _ in range(LOGIN.limit + 1):
            assert outcome(await give(service, "ada", PASSWORD, address="198.51.100.3")) == "in"


@pytest.mark.parametrize("path", PATHS)
async def test_a_device_that_has_signed_in_does_so_under_attack(
    make_settings: MakeSettings, path: str
) -> None:
    async with running(make_settings(**ATTACKED)) as service:
        await service.sign_up("ada")
        device = device_of(await give(service, "ada", PASSWORD, address="::1", path=path))
        await attack(service, "ada", LOGIN_BY_NAME.limit)
        assert outcome(await give(service, "ada", PASSWORD, address="203.0.113.1")) == "limited"
        for other in PATHS:
            answer = await give(
                service, "ada", PASSWORD, address="203.0.113.1", path=other, device=device
            )
            assert outcome(answer) == "in"
            device = device_of(answer)


async def test_whoever_is_signed_in_changes_the_password_under_attack(
    make_settings: MakeSettings,
) -> None:
    async with running(make_settings(**ATTACKED)) as service:
        _, headers = await service.sign_up("ada")
        device = device_of(await give(service, "ada", PASSWORD, address="203.0.113.8"))
        await attack(service, "ada", LOGIN_BY_NAME.limit)
        body = {"current_password": PASSWORD, "password": NEW_PASSWORD}
        changed = await service.client.patch("/v1/accounts/me", json=body, headers=headers)
        assert changed.status_code == 200
        # which ends every session, and leaves the device known
        again = await give(service, "ada", NEW_PASSWORD, address="203.0.113.8", device=device)
        assert outcome(again) == "in"


async def test_checks_of_somebody_signed_in_count_for_the_session_alone(
    make_settings: MakeSettings,
) -> None:
    async with running(make_settings(**ATTACKED)) as service:
        _, one = await service.sign_up("ada")
        other = await service.log_in("ada")
        delete = "/v1/accounts/me/delete"
        for n in range(PASSWORD_CHECK.limit):
            wrong = await (
                service.client.post(delete, json={"password": "wrong"}, headers=one)
                if n % 2
                else service.client.patch(
                    "/v1/accounts/me", json={"current_password": "wrong"}, headers=one
                )
            )
            assert wrong.status_code == 403
        right = {"password": PASSWORD}
        limited = await service.client.post(delete, json=right, headers=one)
        assert limited.status_code == 429
        assert outcome(await give(service, "ada", PASSWORD, address="203.0.113.2")) == "in"
        deleted = await service.client.post(delete, json=right, headers=other)
        assert deleted.status_code == 204


async def test_a_known_device_may_not_guess_for_ever(make_settings: MakeSettings) -> None:
    async with running(make_settings(**ATTACKED)) as service:
        await service.sign_up("ada")
        one, other = [
            device_of(await give(service, "ada", PASSWORD, address="203.0.113.3")) for _ in range(2)
        ]
        for n in range(LOGIN.limit):
            answer = await give(service, "ada", "wrong", address=f"203.0.113.{n + 10}", device=one)
            assert outcome(answer) == "wrong"
        for device, expected in ((one, "limited"), (other, "in"), (None, "in")):
            answer = await give(service, "ada", PASSWORD, address="203.0.113.4", device=device)
            assert outcome(answer) == expected


async def test_only_a_device_of_that_account_is_known(make_settings: MakeSettings) -> None:
    async with running(make_settings(**ATTACKED)) as service:
        await service.sign_up("ada")
        await service.sign_up("bob")
        bobs = device_of(await give(service, "bob", PASSWORD, address="203.0.113.5"))
        signed_in = await give(service, "ada", PASSWORD, address="::1", path="/account/login")
        sessions: SimpleCookie = SimpleCookie()
        for header in signed_in.headers.get_list("set-cookie"):
            sessions.load(header)
        session = next(key for name, key in sessions.items() if "session" in name).value
        await attack(service, "ada", LOGIN_BY_NAME.limit)
        for device in (bobs, session, bobs[:-1] + "A", "", ".", "x" * 4000):
            answer = await give(service, "ada", PASSWORD, address="203.0.113.6", device=device)
            assert outcome(answer) == "limited"


async def test_a_browser_is_known_by_those_who_signed_in_last(
    make_settings: MakeSettings,
) -> None:
    async with running(make_settings(**ATTACKED)) as service:
        names = [f"user{n}" for n in range(known_devices.MOST + 1)]
        device = None
        for name in names:
            await service.sign_up(name)
            answer = await give(service, name, PASSWORD, address="203.0.113.7", device=device)
            device = device_of(answer)
        for n in range(LOGIN.limit):
            for name in (names[0], names[1]):
                address = f"198.51.100.{100 + n}"
                await give(service, name, "wrong", address=address, device=device)
        address = "198.51.100.99"
        first, second, third = [
            outcome(await give(service, name, PASSWORD, address=address, device=device))
            for name in names[:3]
        ]
        assert (first, second, third) == ("in", "limited", "in")


async def test_the_cookie_is_for_no_script_and_no_other_site(make_settings: MakeSettings) -> None:
    public = {"public_url": "https://example.org/holdall"}
    async with running(make_settings(**ATTACKED, **public)) as service:
        client = service.client
        client.base_url = httpx.URL("https://example.org/holdall")
        await service.sign_up("ada")
        form = {"username": "ada", "password": PASSWORD}
        for path in PATHS:
            client.cookies.clear()
            answer = await client.post(path, data=form)
            (header,) = [
                header
                for header in answer.headers.get_list("set-cookie")
                if known_devices.NAME in header
            ]
            parts = {part.strip().lower() for part in header.split(";")[1:]}
            assert {"httponly", "secure", "samesite=lax", "path=/holdall/"} <= parts
            client.cookies.clear()
            elsewhere = await client.post(path, data=form, headers={"Sec-Fetch-Site": "cross-site"})
            assert "set-cookie" not in elsewhere.headers
