"""The second factor: codes of a device beside the password, at every door, each once."""

import asyncio
import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.accounts.otp import pending
from app.security.rate_limits import LOGIN, SECOND_FACTOR
from routers.web.logins import USE_A_KEY
from tests.api.conftest import PASSWORD, MakeSettings, Service, running
from tests.api.otp_device import URL, Device, begin, enable, pass_time, try_login
from tests.api.problems import assert_problem
from tests.api.shared import shared_fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

ADMIN = {"admin_username": "root", "admin_password": PASSWORD}
HTML = {"Accept": "text/html"}
NEEDED = "second-factor-needed"
NEW_PASSWORD = "another horse battery"
Headers = dict[str, str]

settings, service = shared_fixtures(**ADMIN)


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step of time ends in a test that doesn't let it."""
    pass_time(monkeypatch, 0)


@pytest.fixture
async def ada(service: Service) -> tuple[str, Headers]:
    """The name of a new account, and what its requests have."""
    account, headers = await service.sign_up()
    return account["username"], headers


def bearer(answer: httpx.Response) -> Headers:
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.mark.ordinary
async def test_it_is_turned_on_by_a_code_and_asked_for_from_then_on(
    service: Service, ada: tuple[str, Headers], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, (name, headers) = service.client, ada
    body = {"current_password": "wrong password"}
    assert_problem(await client.post(URL, json=body, headers=headers), 403, "forbidden")
    begun = await client.post(URL, json={"current_password": PASSWORD}, headers=headers)
    device = Device(begun.json()["secret"])
    uri = urlsplit(begun.json()["uri"])
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", f"/Holdall:{name}")
    assert parse_qs(uri.query) == {"secret": [device.secret], "issuer": ["Holdall"]}
    assert begun.json()["qr"].endswith("</svg>\n")

    # nothing has changed yet
    assert (await try_login(service, name)).status_code == 200
    confirm = f"{URL}/confirm"
    refused = await client.post(confirm, json={"otp": device.wrong_code()}, headers=headers)
    assert assert_problem(refused, 422)["errors"][0]["loc"] == ["body", "otp"]
    confirmed = await client.post(confirm, json={"otp": device.code()}, headers=headers)
    codes = confirmed.json()["recovery_codes"]
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([a-z2-7]{4}-){3}[a-z2-7]{4}", code) for code in codes)
    state = (await client.get(URL, headers=headers)).json()
    assert (state["enabled_at"] is not None, state["recovery_codes_left"]) == (True, 10)
    assert (await client.get("/v1/accounts/me", headers=headers)).json()["has_second_factor"]
    again = await client.post(URL, json={"current_password": PASSWORD}, headers=headers)
    assert_problem(again, 409, "conflict")
    assert_problem(await client.post(confirm, json={"otp": "1"}, headers=headers), 404)

    assert_problem(await try_login(service, name), 401, NEEDED, said="Send a code")
    for wrong in (device.wrong_code(), "", "x" * 64, device.code(-2), device.code(2)):
        assert_problem(await try_login(service, name, wrong), 401, NEEDED, said="is wrong")
    used = await try_login(service, name, device.code())
    assert_problem(used, 401, NEEDED, said="has been used")  # it has confirmed
    pass_time(monkeypatch, 30)
    code = device.code()
    bearer(await try_login(service, name, f" {code[:3]} {code[3:]} "))
    assert_problem(await try_login(service, name, code), 401, NEEDED)
    bearer(await try_login(service, name, device.code(1)))
    pass_time(monkeypatch, 30)
    assert_problem(await try_login(service, name, device.code()), 401, NEEDED)

    bearer(await try_login(service, name, codes[3].upper().replace("-", " ")))
    assert_problem(await try_login(service, name, codes[3]), 401, NEEDED)
    assert (await client.get(URL, headers=headers)).json()["recovery_codes_left"] == 9


async def test_whoever_fails_at_the_password_learns_nothing(
    service: Service, ada: tuple[str, Headers]
) -> None:
    name, headers = ada
    other = (await service.sign_up())[0]["username"]
    device = await enable(service, headers)
    told = []
    for username in (name, other, "nobody"):
        for otp in ({}, {"otp": device.code()}, {"otp": device.wrong_code()}):
            form = {"username": username, "password": "wrong password"} | otp
            answer = await service.client.post("/v1/auth/token", data=form)
            told.append((answer.status_code, answer.json()))
    assert told == told[:1] * len(told)
    bearer(await try_login(service, name, device.code()))


@pytest.mark.ordinary
async def test_of_those_who_use_a_code_at_once_one_gets_in(
    service: Service, ada: tuple[str, Headers]
) -> None:
    name, headers = ada
    device = await enable(service, headers)
    for code in (device.code(), device.recovery_codes[0]):
        answers = await asyncio.gather(*(try_login(service, name, code) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


@pytest.mark.ordinary
async def test_changes_that_want_the_password_want_a_code(
    service: Service, ada: tuple[str, Headers], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, (name, headers) = service.client, ada
    device = await enable(service, headers)
    right = {"current_password": PASSWORD, "password": PASSWORD}
    for method, path, body in (
        ("PATCH", "/v1/accounts/me", {"email": f"{name}@example.org"}),
        ("PATCH", "/v1/accounts/me", {"password": NEW_PASSWORD}),
        ("POST", "/v1/accounts/me/delete", {}),
        ("POST", f"{URL}/recovery-codes", {}),
        ("POST", f"{URL}/delete", {}),
    ):
        for otp in ({}, {"otp": device.wrong_code()}):
            answer = await client.request(method, path, json=right | body | otp, headers=headers)
            assert_problem(answer, 403, NEEDED)
        wrong = {"current_password": "wrong password", "password": NEW_PASSWORD}
        answer = await client.request(method, path, json=wrong | body, headers=headers)
        assert_problem(answer, 403, "forbidden")

    renewed = await client.post(
        f"{URL}/recovery-codes", json=right | {"otp": device.recovery_codes[0]}, headers=headers
    )
    codes = renewed.json()["recovery_codes"]
    assert not {*codes} & {*device.recovery_codes}
    assert_problem(await try_login(service, name, device.recovery_codes[1]), 401, NEEDED)
    change = {"current_password": PASSWORD, "password": NEW_PASSWORD, "otp": device.code()}
    assert (await client.patch("/v1/accounts/me", json=change, headers=headers)).is_success
    form = {"username": name, "password": NEW_PASSWORD}
    assert_problem(await client.post("/v1/auth/token", data=form), 401, NEEDED)
    headers = bearer(await client.post("/v1/auth/token", data=form | {"otp": codes[0]}))

    off = {"current_password": NEW_PASSWORD}
    pass_time(monkeypatch, 30)
    ended = await client.post(f"{URL}/delete", json=off | {"otp": device.code()}, headers=headers)
    assert ended.status_code == 204
    assert_problem(await client.post(f"{URL}/delete", json=off, headers=headers), 404)
    state = (await client.get(URL, headers=headers)).json()
    assert state == {"enabled_at": None, "recovery_codes_left": 0}
    bearer(await client.post("/v1/auth/token", data=form))
    client.cookies.clear()


async def test_a_browser_is_asked_on_a_page_of_its_own(
    service: Service, ada: tuple[str, Headers], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, (name, headers) = service.client, ada
    device = await enable(service, headers)

    async def ask(path: str, **form: str) -> httpx.Response:
        return await client.post(f"/account/login{path}", data=form, headers=HTML)

    def proof_in(page: httpx.Response) -> str:
        found = re.search('name="proof" value="([^"]+)"', page.text)
        assert found is not None
        return found[1]

    page = await ask("", username=name, password=PASSWORD, next="/dumps")
    assert (page.status_code, "holdall_session" in page.cookies) == (200, False)
    assert PASSWORD not in page.text
    proof = proof_in(page)
    wrong = await ask("/code", proof=proof, otp=device.wrong_code(), next="/dumps")
    assert (wrong.status_code, proof_in(wrong) != "") == (401, True)
    forged = f"{'B' if proof[0] == 'A' else 'A'}{proof[1:]}"
    for bad in ("", "x", forged, f"{proof[:-4]}AAAA", "\x00"):
        again = await ask("/code", proof=bad, otp=device.code())
        assert (again.status_code, "enter your password again" in again.text) == (401, True)
    foreign = HTML | {"Sec-Fetch-Site": "cross-site"}
    form = {"proof": proof, "otp": device.code(), "next": "/dumps"}
    assert (await client.post("/account/login/code", data=form, headers=foreign)).status_code == 403
    signed_in = await ask("/code", **form)
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/dumps")
    assert (await client.get("/v1/accounts/me")).json()["username"] == name
    client.cookies.clear()

    json = {"username": name, "password": PASSWORD}
    refused = await client.post("/account/login", json=json)
    assert refused.json()["type"] == f"urn:holdall:problem:{NEEDED}"
    given = await client.post("/account/login", json=json | {"otp": device.recovery_codes[0]})
    assert given.json() == {"username": name}
    client.cookies.clear()

    monkeypatch.setattr(pending, "LIFETIME", 0)
    late = proof_in(await ask("", username=name, password=PASSWORD))
    assert (await ask("/code", proof=late, otp=device.code(1))).status_code == 401
    monkeypatch.undo()
    proof = proof_in(await ask("", username=name, password=PASSWORD))
    change = {"current_password": PASSWORD, "password": NEW_PASSWORD}
    change["otp"] = device.recovery_codes[1]
    assert (await client.patch("/v1/accounts/me", json=change, headers=headers)).is_success
    assert (await ask("/code", proof=proof, otp=device.recovery_codes[2])).status_code == 401


async def test_contracts_without_a_place_for_it_say_what_to_use(
    service: Service, ada: tuple[str, Headers]
) -> None:
    name, headers = ada
    device = await enable(service, headers)
    form = {"username": name, "password": PASSWORD, "otp": device.code()}
    refused = await service.client.post("/api/token/", json=form)
    assert (refused.status_code, refused.json()) == (401, {"detail": USE_A_KEY})
    for path in ("/login/", "/token/"):
        answer = (await service.client.post(path, data=form)).json()
        assert (answer["status"], answer["message"]) == (False, USE_A_KEY)
    assert "holdall_session" not in service.client.cookies


async def test_wrong_codes_count_as_wrong_passwords_and_for_the_account(
    make_settings: MakeSettings,
) -> None:
    attacked = {"rate_limits": "on", "trusted_proxies": ("127.0.0.1",)}
    async with running(make_settings(**attacked)) as service:
        _, headers = await service.sign_up("ada")
        device = await enable(service, headers)
        known = await try_login(service, "ada", device.code())
        cookie = known.headers["set-cookie"].partition(";")[0]

        async def guess(number: int, **more: str) -> int:
            at = {"X-Forwarded-For": f"192.0.2.{number}"} | more
            return (await try_login(service, "ada", "000000", headers=at)).status_code

        assert [await guess(1) for _ in range(LOGIN.limit + 1)] == [401] * LOGIN.limit + [429]
        at = {"X-Forwarded-For": "192.0.2.1"}
        assert (await try_login(service, "ada", headers=at)).status_code == 429
        rest = SECOND_FACTOR.limit - LOGIN.limit
        assert [await guess(2 + n) for n in range(rest)] == [401] * rest
        at = {"X-Forwarded-For": "192.0.2.200"}
        # to whoever gives no code, or doesn't know the password, all is as before
        assert_problem(await try_login(service, "ada", headers=at), 401, NEEDED)
        assert await guess(200) == 429
        good = device.recovery_codes[0]
        assert (await try_login(service, "ada", good, headers=at)).status_code == 429
        at["Cookie"] = cookie
        assert (await try_login(service, "ada", good, headers=at)).status_code == 200

        wrong = {"current_password": PASSWORD, "email": None, "otp": "000000"}
        change = ("/v1/accounts/me", wrong)
        for _ in range(10):
            answer = await service.client.patch(change[0], json=change[1], headers=headers)
            assert answer.status_code == 403
        answer = await service.client.patch(change[0], json=change[1], headers=headers)
        assert answer.status_code == 429


@pytest.mark.ordinary
async def test_a_reset_ends_it_if_that_is_chosen(
    service: Service, ada: tuple[str, Headers]
) -> None:
    client, (name, headers) = service.client, ada
    device = await enable(service, headers)
    root = await service.log_in("root")
    own = (await client.get("/v1/accounts/me", headers=headers)).json()["id"]
    path = f"/v1/accounts/{own}/password-reset"
    for ends in (False, True):
        made = await client.post(path, json={"ends_second_factor": ends}, headers=root)
        link = made.json()["url"].replace("http://test", "/v1")
        assert (await client.get(link)).json()["ends_second_factor"] is ends
        assert (await client.post(link, json={"password": PASSWORD})).status_code == 200
        if not ends:
            assert_problem(await try_login(service, name), 401, NEEDED)
            made = await client.post(path, json={}, headers=root)
            form = {"password": PASSWORD}
            page = await client.post(urlsplit(made.json()["url"]).path, data=form, headers=HTML)
            assert (page.status_code, 'name="proof"' in page.text) == (200, True)
            bearer(await try_login(service, name, device.code()))
    bearer(await try_login(service, name))


@pytest.mark.ordinary
async def test_an_older_signing_key_can_be_taken_away_after_a_start_with_both(
    make_settings: MakeSettings,
) -> None:
    old, new, other = "old" * 11, "new" * 11, "oth" * 11
    async with running(make_settings(signing_key=old)) as service:
        _, headers = await service.sign_up("ada")
        device = await enable(service, headers)
    async with running(make_settings(signing_key=f"{new}, {old}")) as service:
        bearer(await try_login(service, "ada", device.code()))
    async with running(make_settings(signing_key=new)) as service:
        bearer(await try_login(service, "ada", device.code(1)))
    async with running(make_settings(signing_key=other)) as service:
        assert_problem(await try_login(service, "ada", device.code(1)), 401, NEEDED)
        bearer(await try_login(service, "ada", device.recovery_codes[0]))


async def test_a_new_secret_takes_the_place_of_one_that_nothing_confirmed(
    service: Service, ada: tuple[str, Headers]
) -> None:
    _, headers = ada
    first, second = await begin(service, headers), await begin(service, headers)
    confirm = f"{URL}/confirm"
    for device, status in ((first, 422), (second, 200)):
        body = {"otp": device.code()}
        answer = await service.client.post(confirm, json=body, headers=headers)
        assert answer.status_code == status
