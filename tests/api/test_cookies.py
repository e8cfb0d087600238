"""The session cookie: how it is given, when it counts, and that no other site's page can use it."""

from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
import pytest

from app.objects.entities import new_uuid
from app.security.credentials import AccessToken
from routers.web import cookies
from tests.api.conftest import PASSWORD, MakeSettings, Service, running

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

HTML = {"Accept": "text/html"}
FORM = {"username": "ada", "password": PASSWORD}
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://test"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://test.evil.example"},
    {"Origin": "http://test:8080"},
    {"Origin": "https://test"},
]
ELSEWHERE = [
    "",
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\r\nSet-Cookie: a=b",
    "javascript:alert(1)",
    "evil.example",
    "@evil.example",
]
OWN = [
    {},
    {"Origin": "http://test"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://what-a-proxy-calls-it.example"},
]


def cookie_in(answer: httpx.Response) -> Morsel[str]:
    """Return the session cookie that an answer sets."""
    (header,) = [
        header for header in answer.headers.get_list("set-cookie") if cookies.NAME in header
    ]
    ((_, cookie),) = SimpleCookie(header).items()
    return cookie


def sent(cookie: Morsel[str]) -> dict[str, str]:
    """Return the header by which a browser sends a cookie."""
    return {"Cookie": f"{cookie.key}={cookie.value}"}


async def post(service: Service, path: str, **also: Any) -> httpx.Response:  # noqa: ANN401 - of httpx
    """Send a form; the client keeps no cookie, so that each test sends what it means to."""
    answer = await service.client.post(path, **also)
    service.client.cookies.clear()
    return answer


async def sign_in(service: Service, name: str = "ada") -> dict[str, str]:
    """Make an account and sign in by the page's form; returns the headers of the browser then."""
    await service.sign_up(name)
    answer = await post(service, "/account/login", data=FORM | {"username": name})
    assert answer.status_code == 200, answer.text
    return sent(cookie_in(answer))


async def status(service: Service, headers: dict[str, str]) -> int:
    return (await service.client.get("/v1/accounts/me", headers=headers)).status_code


async def test_scripts_and_other_sites_never_see_it(service: Service) -> None:
    await service.sign_up("ada")
    cookie = cookie_in(await post(service, "/account/login", data=FORM))
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "lax", "/")
    assert cookie["domain"] == ""
    assert not cookie["secure"], "over http a browser would drop it"
    lifetime = service.settings.session_lifetime
    assert lifetime - 60 < int(cookie["max-age"]) <= lifetime
    assert await status(service, sent(cookie)) == 200


@pytest.mark.parametrize(
    ("public_url", "secure", "path"),
    [
        ("https://files.example.org", True, "/"),
        ("https://files.example.org/holdall", True, "/holdall/"),
        ("http://files.example.org", False, "/"),
    ],
)
async def test_over_https_it_is_secure_and_it_stays_below_the_prefix(
    make_settings: MakeSettings, public_url: str, secure: bool, path: str
) -> None:
    async with running(make_settings(public_url=public_url, registration="open")) as service:
        await service.sign_up("ada")
        given = cookie_in(await post(service, "/account/login", data=FORM))
        taken = cookie_in(await post(service, "/account/logout", headers=sent(given)))
        for cookie in (given, taken):
            assert (bool(cookie["secure"]), cookie["path"]) == (secure, path)
            assert cookie.key == ("__Host-" if secure and path == "/" else "") + "holdall_session"
            assert not cookie["domain"]
        again = cookie_in(await post(service, "/account/login", data=FORM))
        assert await status(service, sent(again)) == 200
        # under a name that binds it to no host, a neighbour may have set it
        bare = {"Cookie": f"holdall_session={again.value}"}
        assert await status(service, bare) == (200 if again.key == "holdall_session" else 401)
        assert (taken.value, taken["max-age"]) == ("", "0")


async def test_registering_gives_it_too(service: Service) -> None:
    answer = await post(service, "/account/register", data=FORM | {"email": ""})
    assert answer.status_code == 200
    assert await status(service, sent(cookie_in(answer))) == 200


async def test_it_opens_the_whole_api_and_no_more_than_its_account(service: Service) -> None:
    ada, bob = await sign_in(service), await sign_in(service, "bob")
    put = await service.client.put("/v1/blobs/a/content", content=b"A", headers=ada)
    assert put.status_code == 201
    assert (await service.client.get("/v1/blobs/a/content", headers=ada)).content == b"A"
    assert (await service.client.get("/v1/blobs/a/content", headers=bob)).status_code == 404
    assert (await service.client.get("/v1/tiers", headers=ada)).status_code == 403


async def test_another_sites_page_changes_nothing_by_it(service: Service) -> None:
    ada = await sign_in(service)
    for headers in FOREIGN:
        by_another = ada | headers
        for method, path, json in (
            ("PUT", "/v1/blobs/a/content", None),
            ("POST", "/v1/accounts/me/keys", {"name": "k", "scopes": ["blobs:read"]}),
            ("DELETE", "/v1/accounts/me/sessions", None),
            ("POST", "/account/logout", None),
            ("POST", "/share", None),
            ("POST", "/v1/uploads", None),
            ("PATCH", f"/v1/uploads/{new_uuid()}", None),
            ("DELETE", f"/v1/uploads/{new_uuid()}", None),
        ):
            answer = await service.client.request(method, path, json=json, headers=by_another)
            assert answer.status_code == 403, f"{method} {path} {headers}"
            assert "set-cookie" not in answer.headers
        assert await status(service, by_another) == 200, "to read it may, as by following a link"
    assert await status(service, ada) == 200
    listed = await service.client.get("/v1/blobs", headers=ada)
    assert listed.json()["items"] == []


async def test_our_own_pages_and_programs_may(service: Service) -> None:
    ada = await sign_in(service)
    for number, headers in enumerate(OWN):
        path = f"/v1/blobs/{number}/content"
        put = await service.client.put(path, content=b"A", headers=ada | headers)
        assert put.status_code == 201, headers


async def test_behind_a_proxy_the_public_origin_is_ours(make_settings: MakeSettings) -> None:
    settings = make_settings(public_url="https://files.example.org/h", registration="open")
    async with running(settings) as service:
        ada = await sign_in(service)
        for origin, expected in (("https://files.example.org", 201), ("http://test", 403)):
            answer = await service.client.put(
                f"/v1/blobs/{expected}/content", content=b"A", headers=ada | {"Origin": origin}
            )
            assert answer.status_code == expected


async def test_another_sites_page_signs_nobody_in_or_up(service: Service) -> None:
    await service.sign_up("ada")
    for headers in FOREIGN:
        for path, form in (
            ("/account/login", FORM),
            ("/account/register", FORM | {"username": "bob"}),
            ("/account/registet", FORM | {"username": "bob"}),
        ):
            answer = await post(service, path, data=form, headers=headers)
            assert answer.status_code == 403, f"{path} {headers}"
            assert "set-cookie" not in answer.headers
    by_token = await service.client.post("/v1/auth/token", data=FORM | {"username": "bob"})
    assert by_token.status_code == 401, "bob was made after all"


async def test_a_header_wins_over_it_and_a_bad_one_is_no_fall_back(service: Service) -> None:
    ada = await sign_in(service)
    _, bob = await service.sign_up("bob")
    answer = await service.client.get("/v1/accounts/me", headers=ada | bob)
    assert answer.json()["username"] == "bob"
    foreign = ada | bob | {"Sec-Fetch-Site": "cross-site"}
    put = await service.client.put("/v1/blobs/a/content", content=b"B", headers=foreign)
    assert put.status_code == 201, "a header is nothing that a page sends by itself"
    for bad in ("Bearer nonsense", "Bearer", "Basic YTpi", ""):
        answer = await service.client.get("/v1/accounts/me", headers=ada | {"Authorization": bad})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_one_that_was_not_made_here_is_refused(service: Service) -> None:
    ada = await sign_in(service)
    value = ada["Cookie"].partition("=")[2]
    token = (await service.log_in("ada"))["Authorization"].removeprefix("Bearer ")
    keyring = service.runtime.keyring
    own = keyring.parse_session_key(value, purpose="session cookies")
    assert isinstance(own, AccessToken)
    other_purpose = keyring.issue_session_key(own.session, own.account, purpose="another")
    first = "B" if value[0] == "A" else "A"
    for bad in ("", "x", value[:-1], value + "A", first + value[1:], token, other_purpose):
        headers = {"Cookie": f"holdall_session={bad}"}
        assert await status(service, headers) == 401, bad
        page = await service.client.get("/account/profile", headers=headers | HTML)
        assert (page.status_code, cookie_in(page).value) == (303, "")


@pytest.mark.ordinary
async def test_signing_out_ends_it_at_once_in_every_process(make_settings: MakeSettings) -> None:
    settings = make_settings()
    async with running(settings) as here, running(settings) as there:
        ada = await sign_in(here)
        answer = await post(here, "/account/login", data=FORM)
        other = sent(cookie_in(answer))
        assert await status(there, ada) == 200
        answer = await post(here, "/account/logout", headers=ada | HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert await status(here, ada) == await status(there, ada) == 401
        assert await status(there, other) == 200


@pytest.mark.parametrize("how", ["password", "flush", "by id"])
async def test_it_ends_with_its_session(service: Service, how: str) -> None:
    ada = await sign_in(service)
    by_token = await service.log_in("ada")
    client = service.client
    if how == "password":
        change = {"current_password": PASSWORD, "password": "another horse battery"}
        ended = await client.patch("/v1/accounts/me", json=change, headers=by_token)
    elif how == "flush":
        ended = await client.delete("/v1/accounts/me/sessions", headers=by_token)
    else:
        listed = (await client.get("/v1/accounts/me/sessions", headers=ada)).json()["items"]
        (own,) = [session["id"] for session in listed if session["current"]]
        ended = await client.delete(f"/v1/accounts/me/sessions/{own}", headers=by_token)
    assert ended.is_success
    assert await status(service, ada) == 401


async def test_after_signing_in_one_stays_here(make_settings: MakeSettings) -> None:
    settings = make_settings(public_url="http://test/h", registration="open")
    async with running(settings) as service:
        await service.sign_up("ada")
        for place in ("/pictures", "/dumps?q=a%20b&label=c", "/file/get?token=x#y", *ELSEWHERE):
            form = FORM | {"next": place}
            answer = await post(service, "/account/login", data=form, headers=HTML)
            expected = "/h/" if place in ELSEWHERE else f"/h{place}"
            assert (answer.status_code, answer.headers["location"]) == (303, expected), place
            headers = sent(cookie_in(answer)) | HTML
            page = await service.client.get(
                "/account/login", params={"next": place}, headers=headers
            )
            assert (page.status_code, page.headers["location"]) == (303, expected), place


async def test_a_page_that_needs_an_account_leads_back_to_itself(service: Service) -> None:
    await service.sign_up("ada")
    page = await service.client.get("/account/profile?a=b&c=/d", headers=HTML)
    assert page.status_code == 303
    login = httpx.URL(page.headers["location"])
    assert (login.path, login.params["next"]) == ("/account/login", "/account/profile?a=b&c=/d")


async def test_no_cache_that_others_share_keeps_what_it_opens(service: Service) -> None:
    ada = await sign_in(service)
    for path in ("/v1/accounts/me", "/account/profile", "/v1/files", "/v1/blobs/none", "/nothing"):
        answer = await service.client.get(path, headers=ada)
        assert answer.headers.get_list("cache-control") == ["no-store"], path
    for path in ("/account/profile", "/file/buffer"):
        page = await service.client.get(path, headers=ada | HTML)
        assert page.headers.get_list("cache-control") == ["private, no-store"], path


async def test_the_form_says_by_headers_too_why_it_is_shown_again(
    make_settings: MakeSettings,
) -> None:
    async with running(make_settings(rate_limits="on")) as service:
        for _ in range(10):
            wrong = await post(service, "/account/login", data=FORM, headers=HTML)
            assert wrong.status_code == 401
            assert wrong.headers["www-authenticate"].startswith("Bearer")
        limited = await post(service, "/account/login", data=FORM, headers=HTML)
        shared = await post(service, "/share", headers=HTML)
    assert limited.status_code == 429
    assert 0 < int(limited.headers["retry-after"]) <= 300
    assert limited.headers["cache-control"] == "private, no-store"
    assert shared.status_code == 401
    assert shared.headers["www-authenticate"].startswith("Bearer")
