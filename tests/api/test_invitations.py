"""One-time links: invitations make accounts, resets set passwords, and each works once."""

import asyncio
from typing import Any

import httpx
import pytest

from app import clock
from app.accounts.tables import invitations, password_resets
from app.accounts.welcome.entities import DAY
from app.security.rate_limits import LINK_MISSES
from tests.api.conftest import PASSWORD, MakeSettings, Service, running
from tests.api.crash_forms import make_key
from tests.api.keepings import rows_of
from tests.api.problems import assert_problem
from tests.api.shared import shared_fixtures
from tests.app.mail.test_mailer import Postbox, serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

ADMIN = {"admin_username": "root", "admin_password": PASSWORD}
NEW_PASSWORD = "another horse battery"
HTML = {"Accept": "text/html"}
Headers = dict[str, str]

settings, service = shared_fixtures(**ADMIN, registration="closed")


@pytest.fixture
async def root(service: Service) -> Headers:
    """What requests of the administrator have."""
    return await service.log_in("root")


@pytest.fixture
async def ada(service: Service, root: Headers) -> dict[str, Any]:
    """An account of an invitation."""
    name = f"ada{clock.now()}"
    made: dict[str, Any] = (
        await accept(service, await invite(service, root), username=name)
    ).json()
    return made


async def invite(service: Service, root: Headers, **options: object) -> str:
    """Invite somebody; returns the path of the link in the API."""
    made = await service.client.post("/v1/invitations", json=options, headers=root)
    assert made.status_code == 201, made.text
    return path_of(made)


async def reset(service: Service, root: Headers, account: str, **options: object) -> httpx.Response:
    path = f"/v1/accounts/{account}/password-reset"
    return await service.client.post(path, json=options, headers=root)


def path_of(made: httpx.Response) -> str:
    url: str = made.json()["url"]
    assert url.startswith("http://test/welcome/")
    assert made.json()["qr"].endswith("</svg>\n")
    return url.replace("http://test", "/v1")


async def accept(service: Service, path: str, **body: object) -> httpx.Response:
    return await service.client.post(path, json={"password": PASSWORD} | body)


@pytest.mark.ordinary
async def test_an_invitation_makes_one_account_as_it_says(service: Service, root: Headers) -> None:
    path = await invite(service, root, tier="premium", is_admin=True, email="grace@example.org")
    (listed,) = (await service.client.get("/v1/invitations", headers=root)).json()["items"]
    told = {"tier": "Premium", "is_admin": True, "email": "grace@example.org", "invited_by": "root"}
    assert listed.items() >= told.items()
    assert not listed.keys() & {"url", "qr"}
    offered = (await service.client.get(path)).json()
    assert (offered["kind"], offered["username"], offered["tier"]) == (
        "invitation",
        None,
        "Premium",
    )
    assert offered["expires_at"] == listed["expires_at"]

    # what is wrong uses nothing up
    nameless = assert_problem(await accept(service, path), 422, "invalid-request")
    assert nameless["errors"] == [{"loc": ["body", "username"], "msg": "Field required"}]
    assert_problem(await accept(service, path, username="grace", password="password1"), 422)
    assert_problem(await accept(service, path, username="Root"), 409, said="name is taken")

    made = await accept(service, path, username="grace")
    assert made.status_code == 200, made.text
    assert made.json().items() >= {
        "username": "grace", "tier": "Premium", "is_admin": True, "email": "grace@example.org",
    }.items()  # fmt: skip
    assert (
        await service.client.get("/v1/accounts", headers=await service.log_in("grace"))
    ).is_success
    for answer in (await accept(service, path, username="heinz"), await service.client.get(path)):
        assert_problem(answer, 404, "not-found", said="has been used")
    assert (await service.client.get("/v1/invitations", headers=root)).json()["items"] == []

    other = await invite(service, root, email="grace@example.org")
    assert_problem(await accept(service, other, username="heinz"), 409, said="address is taken")
    made = await accept(service, other, username="heinz", email=None)
    assert made.json().items() >= {"email": None, "tier": "Basic", "is_admin": False}.items()


@pytest.mark.ordinary
async def test_an_invitation_ends_with_its_time_when_taken_back_and_with_who_invites(
    service: Service, root: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = service.client
    boss = await invite(service, root, is_admin=True)
    account = (await accept(service, boss, username=f"boss{clock.now()}")).json()
    headers = await service.log_in(account["username"])
    demoted = await invite(service, headers)
    change = {"is_admin": False}
    await client.patch(f"/v1/accounts/{account['id']}", json=change, headers=root)
    assert_problem(await client.get(demoted), 404)

    taken_back = await invite(service, root)
    (item,) = (await client.get("/v1/invitations", headers=root)).json()["items"]
    path = f"/v1/invitations/{item['id']}"
    assert (await client.delete(path, headers=root)).status_code == 204
    assert_problem(await client.delete(path, headers=root), 404)
    assert_problem(await client.get(taken_back), 404)

    ended, going_on = await invite(service, root, expires_in=60), await invite(service, root)
    late = clock.now() + 60 * clock.SECOND
    monkeypatch.setattr(clock, "now", lambda: late)
    assert_problem(await accept(service, ended, username="late"), 404)
    assert (await client.get(going_on)).status_code == 200
    (left,) = (await client.get("/v1/invitations", headers=root)).json()["items"]
    assert (await client.delete(f"/v1/invitations/{left['id']}", headers=root)).is_success
    while await service.runtime.parts.expiry.run_once(late):
        pass
    assert await rows_of(service.runtime.parts.database, invitations) == []


@pytest.mark.ordinary
async def test_a_reset_sets_the_password_once_and_ends_what_let_one_in(
    service: Service, root: Headers, ada: dict[str, Any]
) -> None:
    client, name = service.client, ada["username"]
    before = await service.log_in(name)
    key = {"Authorization": f"Bearer {await make_key(service, before, 'files:read')}"}
    former = path_of(await reset(service, root, ada["id"]))
    made = await reset(service, root, ada["id"], expires_in=3600)
    path = path_of(made)
    assert_problem(await client.get(former), 404)
    offered = (await client.get(path)).json()
    assert (offered["kind"], offered["username"]) == ("password_reset", name)
    token = path.rpartition("/")[2].encode()
    assert token not in str(await rows_of(service.runtime.parts.database, password_resets)).encode()

    # nothing has happened yet
    assert (await client.get("/v1/files", headers=key)).status_code == 200
    assert_problem(await accept(service, path, password=name), 422)
    changed = await accept(service, path, password=NEW_PASSWORD)
    assert changed.json()["id"] == ada["id"]
    for headers in (key, before):
        assert_problem(await client.get("/v1/files", headers=headers), 401)
    assert_problem(await accept(service, path, password=PASSWORD), 404)
    headers = await service.log_in(name, NEW_PASSWORD)

    # a password that its owner sets ends the reset as well
    path = path_of(await reset(service, root, ada["id"]))
    change = {"current_password": NEW_PASSWORD, "password": PASSWORD}
    assert (await client.patch("/v1/accounts/me", json=change, headers=headers)).is_success
    assert_problem(await client.get(path), 404)


async def test_no_reset_lets_in_who_may_not_come_in(
    service: Service, root: Headers, ada: dict[str, Any]
) -> None:
    client, own = service.client, f"/v1/accounts/{ada['id']}"
    path = path_of(await reset(service, root, ada["id"]))
    for is_active in (False, True):
        await client.patch(own, json={"is_active": is_active}, headers=root)
        assert_problem(await accept(service, path, password=NEW_PASSWORD), 404)
        if not is_active:
            assert_problem(await reset(service, root, ada["id"]), 409, said="inactive")
    path = path_of(await reset(service, root, ada["id"]))
    assert (await client.delete(own, headers=root)).status_code == 204
    assert_problem(await accept(service, path, password=NEW_PASSWORD), 404)
    assert_problem(await reset(service, root, ada["id"]), 404)
    found = await client.get("/v1/accounts", params={"q": "service"}, headers=root)
    assert_problem(await reset(service, root, found.json()["items"][0]["id"]), 403)


@pytest.mark.ordinary
async def test_of_several_who_use_a_link_at_once_one_wins(
    service: Service, root: Headers, ada: dict[str, Any]
) -> None:
    invitation = await invite(service, root)
    link = path_of(await reset(service, root, ada["id"]))
    uses = {
        invitation: [{"username": f"{ada['username']}-{n}"} for n in range(4)],
        link: [{"password": f"{NEW_PASSWORD} {n}"} for n in range(4)],
    }
    for path, bodies in uses.items():
        answers = await asyncio.gather(*(accept(service, path, **body) for body in bodies))
        (won,) = [n for n, answer in enumerate(answers) if answer.status_code == 200]
        for answer in answers[:won] + answers[won + 1 :]:
            assert_problem(answer, 404, said="has been used")
        await service.log_in(
            bodies[won].get("username", ada["username"]), bodies[won].get("password", PASSWORD)
        )


async def test_links_are_made_by_administrators_alone(
    service: Service, root: Headers, ada: dict[str, Any]
) -> None:
    headers = await service.log_in(ada["username"])
    key = {"Authorization": f"Bearer {await make_key(service, root, 'files:read')}"}
    for who in (headers, key, service.service_token):
        for method, path in (
            ("POST", "/v1/invitations"),
            ("GET", "/v1/invitations"),
            ("DELETE", f"/v1/invitations/{ada['id']}"),
            ("POST", f"/v1/accounts/{ada['id']}/password-reset"),
        ):
            body: object = {} if method == "POST" else None
            answer = await service.client.request(method, path, json=body, headers=who)
            assert_problem(answer, 403, "forbidden")
    for options in ({"expires_in": 59}, {"expires_in": 31 * DAY}, {"tier": "none"}, {"email": "x"}):
        assert_problem(
            await service.client.post("/v1/invitations", json=options, headers=root), 422
        )
    assert_problem(await reset(service, root, ada["id"], expires_in=8 * DAY), 422)


async def test_a_tier_that_an_invitation_gives_stays(service: Service, root: Headers) -> None:
    tier = await service.client.post("/v1/tiers", json={"name": "Small"}, headers=root)
    await invite(service, root, tier="Small")
    path = f"/v1/tiers/{tier.json()['id']}"
    assert_problem(await service.client.delete(path, headers=root), 409, said="invitations give")
    (item,) = (await service.client.get("/v1/invitations", headers=root)).json()["items"]
    await service.client.delete(f"/v1/invitations/{item['id']}", headers=root)
    assert (await service.client.delete(path, headers=root)).status_code == 204


async def test_the_page_tells_other_sites_nothing_and_takes_nothing_from_them(
    service: Service, root: Headers
) -> None:
    path = (await invite(service, root)).removeprefix("/v1")
    for answer in (
        await service.client.get(path, headers=HTML),
        await service.client.get(f"{path}x", headers=HTML),
    ):
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"].startswith("text/html")
    form = {"username": f"page{clock.now()}", "password": PASSWORD}
    foreign = HTML | {"Sec-Fetch-Site": "cross-site"}
    assert (await service.client.post(path, data=form, headers=foreign)).status_code == 403
    made = await service.client.post(path, data=form, headers=HTML)
    assert (made.status_code, made.headers["location"]) == (303, "/")
    own = (await service.client.get("/v1/accounts/me")).json()
    assert own["username"] == form["username"]
    service.client.cookies.clear()


async def test_who_guesses_is_kept_out_for_a_while(make_settings: MakeSettings) -> None:
    async with running(make_settings(**ADMIN, rate_limits="on")) as service:
        path = await invite(service, await service.log_in("root"))
        for _ in range(LINK_MISSES.limit - 2):
            await service.runtime.parts.rate_limits.count(LINK_MISSES, "127.0.0.1")
        assert_problem(await service.client.get(f"{path}x"), 404)
        page = await service.client.get(f"{path}x".removeprefix("/v1"), headers=HTML)
        assert page.status_code == 404
        assert_problem(await service.client.get(path), 429)
        assert_problem(await accept(service, path, username="ada"), 429)


async def test_links_go_out_by_mail_where_there_is_a_server(make_settings: MakeSettings) -> None:
    postbox = Postbox()
    async with serving(postbox) as port:
        mail = {"smtp_url": f"smtp://127.0.0.1:{port}", "mail_from": "Holdall <h@example.org>"}
        async with running(make_settings(**ADMIN, **mail)) as service:
            client, headers = service.client, await service.log_in("root")
            body = {"email": "ada@example.org"}
            made = (await client.post("/v1/invitations", json=body, headers=headers)).json()
            path = made["url"].replace("http://test", "/v1")
            ada = (await accept(service, path, username="ada")).json()
            reset_ = (await reset(service, headers, ada["id"])).json()
            assert made["mailed"] is reset_["mailed"] is True
            for letter, url in zip(postbox.received, (made["url"], reset_["url"]), strict=True):
                assert letter["To"] == "ada@example.org"
                assert url in letter.get_content()
            none = await client.post("/v1/invitations", json={}, headers=headers)
            body["email"] = "nobody@example.org"
            refused = await client.post("/v1/invitations", json=body, headers=headers)
            assert none.json()["mailed"] is refused.json()["mailed"] is False
            assert (await client.get(path_of(refused))).status_code == 200, (
                "to be passed on by hand"
            )
    assert len(postbox.received) == 2
